-- Wrong passwords and wrong user codes (RFC 8628 5.1), counted for all processes alike. A row is what one limit is about: an
-- account, a network, both together, a browser, a session. No user name that nobody has and no address is in it: of those
-- there is an HMAC.
CREATE TABLE tries (
    id         TEXT   PRIMARY KEY,
    number     BIGINT NOT NULL,                  -- wrong ones, and those being checked
    pause      BIGINT NOT NULL,                  -- the seconds that the last one cost
    next_at    BIGINT NOT NULL,                  -- when all of them are paid for
    expires_at BIGINT NOT NULL                   -- when they are forgotten
);
CREATE INDEX tries_expiry ON tries (expires_at);
