-- The registration access token (RFC 7592) is replaced with each use: how often it was, and when last. None: not since this
-- column was there.
ALTER TABLE clients ADD COLUMN registration_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN registration_used_at BIGINT;
