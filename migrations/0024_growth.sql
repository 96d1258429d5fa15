-- What had no way out of the database, and whose turn it is to remove what has expired.

-- Grants without an end of their own: whether their refresh token is still used is looked at one after the other.
CREATE INDEX grants_endless ON grants (id) WHERE expires_at IS NULL;
CREATE INDEX consents_expiry ON consents (expires_at) WHERE expires_at IS NOT NULL;

-- Work that one process does for all: the one that last moved `expires_at` by a conditional UPDATE.
CREATE TABLE turns (
    work       TEXT   PRIMARY KEY,
    process    TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
INSERT INTO turns (work, process, expires_at) VALUES ('purge', '', 0);
