-- The current secret of a client under the master key, only where the server has to use the secret itself: to sign a
-- legacy UserInfo answer with it. NULL for every other client, which is known by the digest alone.
ALTER TABLE clients ADD COLUMN sealed_secret TEXT;
