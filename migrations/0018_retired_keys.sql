-- The public key as a JWK, so that an ID token is still known as a hint when its key is published no more; the sealed key
-- is '' from then on. A key of an older version has none, and is deleted then.
ALTER TABLE signing_keys ADD COLUMN public_key TEXT NOT NULL DEFAULT '';
