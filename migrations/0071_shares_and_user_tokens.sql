-- Who registered a client itself (RFC 7591): the initial access token, or an HMAC of the network. So that one has a part of all
-- clients that may be registered. None: the operator, or it was not noted yet.
ALTER TABLE clients ADD COLUMN registered_by TEXT;
CREATE INDEX clients_registered_by ON clients (registered_by);
-- Access tokens of this user from up to this moment that no grant vouches for (RFC 7523) are good no more: everything of the
-- user was ended then.
ALTER TABLE users ADD COLUMN tokens_not_before BIGINT;
