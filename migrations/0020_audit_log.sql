-- The audit log (docs/audit.md). An entry is written here in the transaction of the act it is about, without a place in
-- the chain, so that no request waits for another. `tag` is an HMAC over the rest: nobody with the database alone adds
-- an entry of their own. `ordinal` keeps the order within a second of one process.
CREATE TABLE audit_waiting (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    tag TEXT NOT NULL
);

-- The chain. Rows are only added at its end, and removed at its front when audit.retention_days is over. `hash` is an
-- HMAC over the hash before it and the rest of the row.
CREATE TABLE audit_log (
    number BIGINT PRIMARY KEY,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- Where the chain ends (`head`), and the last entry that was removed at its front (`anchor`). Whoever moves the head by a
-- conditional UPDATE may append.
CREATE TABLE audit_marks (
    name TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    tag TEXT NOT NULL
);
INSERT INTO audit_marks (name, number, hash, tag) VALUES ('head', 0, '', ''), ('anchor', 0, '', '');
