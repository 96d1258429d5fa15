-- What a sign-in or a yes comes from may end while it is on its way (docs/endings.md). A server of the version before does
-- not raise these, and signs people in without looking at them.

-- How often everything that this user's sign-ins made was ended: a sign-in counts while it stays the same.
ALTER TABLE users ADD COLUMN sign_in_generation BIGINT NOT NULL DEFAULT 0;
-- How often this user took an application's access back.
ALTER TABLE users ADD COLUMN consent_generation BIGINT NOT NULL DEFAULT 0;

-- What they were when the external page said yes; null: it has not, or a server of the version before took it.
ALTER TABLE handovers ADD COLUMN sign_in_generation BIGINT;
ALTER TABLE handovers ADD COLUMN consent_generation BIGINT;
