-- Revoked grants are found for purging whether or not they had an end. Not by `rotated_at`: an index on what a refresh
-- changes would keep Postgres from updating in place.
CREATE INDEX grants_revoked ON grants (created_at) WHERE state = 'revoked';
