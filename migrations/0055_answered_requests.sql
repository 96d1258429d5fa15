-- A request to which an answer went back to the application. A pushed one (RFC 9126) is opened by its browser as often as
-- it likes until then, and never again.
ALTER TABLE authorization_requests ADD COLUMN answered BOOLEAN NOT NULL DEFAULT FALSE;
