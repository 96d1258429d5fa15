-- Back-channel logout (OpenID Connect Back-Channel Logout 1.0): a client is told that a session has ended in which it got
-- tokens. The row is written with the end of the session, so that no crash loses it, and is the delivery's whole state.

-- Whether the client has a backchannel_logout_uri, so that nothing is written for those that don't.
ALTER TABLE clients ADD COLUMN backchannel_logout BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE logout_deliveries (
    session_id TEXT   NOT NULL,                  -- `sid`; no reference: it is gone
    client_id  TEXT   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    user_id    TEXT   NOT NULL,                  -- no reference: a deleted user's sessions end too
    state      TEXT   NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
    attempts   BIGINT NOT NULL,                  -- begun; each is claimed by a conditional UPDATE
    ended_at   BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,                  -- of a waiting one: its next attempt; else when it was over
    problem    TEXT,                             -- why the last attempt failed
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX logout_deliveries_due ON logout_deliveries (state, due_at);
CREATE INDEX logout_deliveries_client ON logout_deliveries (client_id);
