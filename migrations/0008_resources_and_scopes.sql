-- Protected resources (RFC 8707) and scopes that the operator registered. Every process holds both tables in memory.
-- A program of before this migration keeps working: what is new in older tables has a default.

-- APIs that tokens are for. Null: what the client has, else the server's default.
CREATE TABLE resources (
    id                               TEXT   PRIMARY KEY, -- the resource's URI, `aud` of its tokens
    name                             TEXT   NOT NULL,
    scope                            TEXT   NOT NULL,    -- its own scopes; empty: it has none of its own
    token_format                     TEXT   CHECK (token_format IN ('jwt', 'opaque')),
    access_token_lifetime            BIGINT,
    access_token_signed_response_alg TEXT,
    created_at                       BIGINT NOT NULL,
    updated_at                       BIGINT NOT NULL
);

-- What is known of a scope beside its name.
CREATE TABLE scopes (
    name         TEXT    PRIMARY KEY,
    descriptions TEXT    NOT NULL,                       -- JSON: sentence by language tag
    implies      TEXT    NOT NULL,                       -- scopes that whoever may ask for this one may ask for too
    is_public    BOOLEAN NOT NULL,                       -- listed in the metadata document
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL
);

-- The resources that were asked for and granted, separated by spaces.
ALTER TABLE grants ADD COLUMN resources TEXT NOT NULL DEFAULT '';
ALTER TABLE device_authorizations ADD COLUMN resources TEXT NOT NULL DEFAULT '';

INSERT INTO changes (topic, version) VALUES ('resources', 0), ('scopes', 0);
