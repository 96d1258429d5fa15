-- Requests that nobody has signed in for are removed soon after they expire, the others a day later: without this the
-- search for the first would read all of the others.
CREATE INDEX authorization_requests_unanswered ON authorization_requests (expires_at) WHERE session_id IS NULL;
