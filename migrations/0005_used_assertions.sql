-- Assertions (RFC 7523): which were used, who may make them for users, and the secrets some of them are made with.

-- Assertions that were used once, until they expire: the digest of purpose, issuer and jti.
CREATE TABLE used_assertions (
    id         TEXT   PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_assertions_expiry ON used_assertions (expires_at);

-- Issuers whose assertions stand for a user's authorization (RFC 7523 2.1). Either jwks or jwks_uri is set.
CREATE TABLE trusted_issuers (
    issuer        TEXT   PRIMARY KEY,
    jwks          TEXT,                          -- JSON: a JWK Set
    jwks_uri      TEXT,
    subject_claim TEXT   NOT NULL,               -- what of a user the assertion's sub is compared with
    created_at    BIGINT NOT NULL
);

-- Of a client with the method client_secret_jwt the secrets themselves, sealed under the master key; null for others.
ALTER TABLE clients ADD COLUMN sealed_secret TEXT;
ALTER TABLE clients ADD COLUMN retired_sealed_secret TEXT;
