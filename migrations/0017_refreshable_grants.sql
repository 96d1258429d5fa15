-- The grants with refresh tokens that a user has with a client, which an exchange counts: a user whose other grants are
-- many must not make it dear.
CREATE INDEX grants_refreshable ON grants (user_id, client_id) WHERE state = 'active' AND refreshable;
