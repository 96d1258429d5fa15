-- Dynamic client registration (RFC 7591, RFC 7592). A program of before this migration keeps working: it registers and
-- changes clients without knowing these columns.

-- Only of a client that registered itself: its registration access token is a handle, id and a tag that needs this.
ALTER TABLE clients ADD COLUMN registration_salt TEXT;
-- While nobody has used the client: when it is removed.
ALTER TABLE clients ADD COLUMN unused_until BIGINT;
CREATE INDEX clients_registered ON clients (created_at) WHERE registration_salt IS NOT NULL;
CREATE INDEX clients_unused ON clients (unused_until) WHERE unused_until IS NOT NULL;

-- Initial access tokens (RFC 7591 1.2). Each is a handle too. Null: any number of uses; no end.
CREATE TABLE registration_tokens (
    id         TEXT   PRIMARY KEY,
    salt       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    uses_left  BIGINT,
    expires_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX registration_tokens_expiry ON registration_tokens (expires_at);

-- Who vouches for software (RFC 7591 2.3). Apart from the issuers that vouch for users, so that neither can do what the
-- other may. Either jwks or jwks_uri is set.
CREATE TABLE software_issuers (
    issuer     TEXT   PRIMARY KEY,
    jwks       TEXT,                             -- JSON: a JWK Set
    jwks_uri   TEXT,
    created_at BIGINT NOT NULL
);

-- Raised by every registration: the lock of its row lets one of them count the clients at a time. No cache follows it.
INSERT INTO changes (topic, version) VALUES ('registrations', 0);
