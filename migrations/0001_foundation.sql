-- The foundation. One text for SQLite and Postgres: TEXT, BIGINT (unix seconds, generations) and BOOLEAN only.
-- No column holds a secret that could be presented: digests, salts, and values sealed under the master key.

-- Registered clients. `metadata` is the RFC 7591 document with the server's own switches.
CREATE TABLE clients (
    id                        TEXT    PRIMARY KEY,
    metadata                  TEXT    NOT NULL,
    secret_digest             TEXT,             -- SHA-256, base64url
    retired_secret_digest     TEXT,             -- the one before the last rotation
    retired_secret_expires_at BIGINT,
    created_at                BIGINT  NOT NULL,
    updated_at                BIGINT  NOT NULL
);

-- People. The two keys are what they type to sign in, in lower case.
CREATE TABLE users (
    id                    TEXT    PRIMARY KEY,
    username              TEXT    NOT NULL,
    username_key          TEXT    NOT NULL UNIQUE,
    email                 TEXT,
    email_key             TEXT    UNIQUE,
    email_verified        BOOLEAN NOT NULL,
    phone_number          TEXT,
    phone_number_verified BOOLEAN NOT NULL,
    profile               TEXT    NOT NULL,      -- JSON: the claims of the profile and address scopes
    groups                TEXT    NOT NULL,      -- JSON list of names
    password_hash         TEXT,                  -- PHC string, Argon2id
    disabled              BOOLEAN NOT NULL,
    created_at            BIGINT  NOT NULL,
    updated_at            BIGINT  NOT NULL
);

-- Browser sessions. The cookie is a handle: id, and a tag that needs `salt` and the master key.
CREATE TABLE sessions (
    id           TEXT   PRIMARY KEY,
    salt         TEXT   NOT NULL,
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time    BIGINT NOT NULL,
    amr          TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    user_agent   TEXT   NOT NULL,
    address      TEXT   NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Authorization requests that wait for a person. The grant that comes of one has the same id.
CREATE TABLE authorization_requests (
    id         TEXT   PRIMARY KEY,
    client_id  TEXT   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    parameters TEXT   NOT NULL,                  -- JSON: the checked request
    browser    TEXT   NOT NULL,                  -- SHA-256 of the browser cookie it is bound to
    session_id TEXT,                             -- the session in which someone signed in for this request
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX authorization_requests_expiry ON authorization_requests (expires_at);
CREATE INDEX authorization_requests_client ON authorization_requests (client_id);

-- Grants: `code` (issued, not redeemed), `active`, `revoked`. One row through the whole life; a refresh only moves
-- `generation` and `rotated_at`, which no index knows, so that Postgres updates in place.
CREATE TABLE grants (
    id              TEXT    PRIMARY KEY,
    client_id       TEXT    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id         TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id      TEXT,
    state           TEXT    NOT NULL CHECK (state IN ('code', 'active', 'revoked')),
    salt            TEXT    NOT NULL,
    scope           TEXT    NOT NULL,
    auth_time       BIGINT  NOT NULL,
    amr             TEXT    NOT NULL,
    redirect_uri    TEXT    NOT NULL,
    code_challenge  TEXT,
    nonce           TEXT,
    code_expires_at BIGINT  NOT NULL,
    refreshable     BOOLEAN NOT NULL,
    generation      BIGINT  NOT NULL,
    rotated_at      BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    expires_at      BIGINT                       -- null: no end
);
CREATE INDEX grants_user_client ON grants (user_id, client_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX grants_unredeemed ON grants (code_expires_at) WHERE state = 'code';

-- What a user allowed a client, remembered.
CREATE TABLE consents (
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id);

-- Single access tokens that were revoked, until they expire. A revoked grant needs no rows here.
CREATE TABLE revoked_tokens (
    id         TEXT   PRIMARY KEY,               -- jti
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

-- Signing keys. A key signs from `active_from` until a younger one of its algorithm does, and is published until
-- `expires_at`. `number` counts per algorithm, so that replicas that start together make one first key.
CREATE TABLE signing_keys (
    id          TEXT   PRIMARY KEY,              -- kid: RFC 7638 thumbprint
    algorithm   TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    sealed_key  TEXT   NOT NULL,                 -- PKCS#8 under the master key
    created_at  BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    expires_at  BIGINT,
    UNIQUE (algorithm, number)
);

-- A counter per topic that is raised with every change, so that caches notice.
CREATE TABLE changes (
    topic   TEXT   PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO changes (topic, version) VALUES ('clients', 0), ('keys', 0);
