-- Device authorizations (RFC 8628). The device code is a handle: id, and a tag that needs `salt` and the master key.
-- What an approved one gives is the grant of the same id. A poll touches only columns that no index knows.
CREATE TABLE device_authorizations (
    id               TEXT   PRIMARY KEY,
    salt             TEXT   NOT NULL,
    client_id        TEXT   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_code        TEXT   NOT NULL UNIQUE,      -- a tag under the master key: the code itself is nowhere
    scope            TEXT   NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'consumed')),
    user_id          TEXT   REFERENCES users (id) ON DELETE CASCADE, -- who decided
    interval_seconds BIGINT NOT NULL,             -- between two polls; grows when the device is too quick
    last_polled_at   BIGINT,
    address          TEXT   NOT NULL,             -- where the request came from, for whoever decides
    user_agent       TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL
);
CREATE INDEX device_authorizations_client ON device_authorizations (client_id);
CREATE INDEX device_authorizations_user ON device_authorizations (user_id);
CREATE INDEX device_authorizations_expiry ON device_authorizations (expires_at);
