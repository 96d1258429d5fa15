-- Refresh tokens that were presented again within the grace after they had been replaced: how often, and when last. In no
-- index, so that a refresh goes on updating in place.
ALTER TABLE grants ADD COLUMN grace_uses BIGINT NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN grace_used_at BIGINT;
