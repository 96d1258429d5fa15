-- The keys that everything is sealed, tagged and derived with, each sealed under the master key (docs/adr/0054). So another
-- master key seals these few rows again, and nothing else changes. `state` is next, current, earlier or ended; `sealed_under`
-- is the id of the master key. The first start of this version fills it.
CREATE TABLE data_keys (
    number BIGINT PRIMARY KEY,
    state TEXT NOT NULL,
    sealed TEXT NOT NULL,
    sealed_under TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
