//! The integration tests: one binary, every rule on SQLite and on Postgres.
//!
//! Postgres is the server behind `CHANCERY_TEST_POSTGRES_URL`, which `scripts/test` starts; each test has a database
//! of its own there.

mod cli;
mod happy_path;
mod pooler;
mod support;
