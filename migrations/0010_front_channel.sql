-- Whether an access token went out together with the code (OpenID Connect Core 3.3): then it is good while the code waits
-- to be redeemed. A program of before this migration takes such a token for inactive until then.
ALTER TABLE grants ADD COLUMN access_token_issued BOOLEAN NOT NULL DEFAULT FALSE;
