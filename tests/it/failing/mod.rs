//! What fails around the server: docs/production.md has a line for each.

mod clock;
mod database;
mod kills;
mod lost_tail;
mod shutdown;
