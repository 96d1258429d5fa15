-- Several accounts in one browser. A server of the version before starts sessions and requests without these columns.

-- Whether its cookie outlives the run of the browser, also when another account was the current one meanwhile.
ALTER TABLE sessions ADD COLUMN persistent BOOLEAN NOT NULL DEFAULT TRUE;
-- Whether the account of `session_id` was only chosen for the request; otherwise its user signed in for it.
ALTER TABLE authorization_requests ADD COLUMN chosen BOOLEAN NOT NULL DEFAULT FALSE;
