-- Which of a client's changes its row is: whoever changes it upon what they read writes only what nobody has changed since.
ALTER TABLE clients ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
