-- Front-channel logout (OpenID Connect Front-Channel Logout 1.0): whether the client has a frontchannel_logout_uri.
ALTER TABLE clients ADD COLUMN frontchannel_logout BOOLEAN NOT NULL DEFAULT FALSE;
