-- The operator's own applications that people may start from their account page, before they have used them. Written from
-- the metadata with every change of a client, so that the page need not read them all.
ALTER TABLE clients ADD COLUMN for_everybody BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX clients_for_everybody ON clients (id) WHERE for_everybody;
