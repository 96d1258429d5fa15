-- Login and consent on pages of somebody else.

-- A session that counts for one authorization request only: its user did not want to be remembered.
ALTER TABLE sessions ADD COLUMN request_id TEXT;
-- What an external login page said about the sign-in; null: the server's own password page.
ALTER TABLE sessions ADD COLUMN acr TEXT;

-- Null: remembered until taken back.
ALTER TABLE consents ADD COLUMN expires_at BIGINT;

-- JSON: what the consent page said about the grant beside its scope (audience, claims, acr).
ALTER TABLE grants ADD COLUMN context TEXT;

-- Authorization requests that were handed to external pages, one row through both steps. A step is answered by the
-- page, over the admin listener, and then taken by the browser with a verifier: a handle that needs `salt`.
CREATE TABLE handovers (
    request_id  TEXT   PRIMARY KEY REFERENCES authorization_requests (id) ON DELETE CASCADE,
    step        TEXT   NOT NULL CHECK (step IN ('login', 'login_answered', 'consent', 'consent_answered', 'over')),
    salt        TEXT   NOT NULL,
    session_id  TEXT,                            -- the session that was live when it began: login may be skipped
    subject     TEXT,                            -- whose session that is; once the login is taken: who signed in
    answer      TEXT,                            -- JSON: what the page said at this step
    answered_at BIGINT,
    login       TEXT                             -- JSON: acr and context of the accepted login
);
