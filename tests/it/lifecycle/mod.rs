//! The life of tokens, driven at random: whatever sequence of operations comes, by several clients and users, both
//! databases answer as a small model of the rules says (`model.rs`), and whatever happens at once, the promises hold
//! (`at_once.rs`).

mod at_once;
mod model;
mod operations;
mod world;

use proptest::collection::vec;

use crate::support::property::hold;
use crate::support::{Kind, TestServer};
use operations::Op;
use world::World;

const LONGEST: usize = 40;
/// How many things happen at once.
const MOST_AT_ONCE: usize = 12;

/// The lifetimes that `model.rs` knows: short, so that a few steps of the clock pass every one of them.
const SETTINGS: [(&str, &str); 5] = [
    ("TOKENS__AUTHORIZATION_CODE_SECONDS", "60"),
    ("TOKENS__ACCESS_TOKEN_SECONDS", "600"),
    ("TOKENS__REFRESH_TOKEN_SECONDS", "7200"),
    ("TOKENS__REFRESH_TOKEN_IDLE_SECONDS", "1800"),
    ("TOKENS__REFRESH_GRACE_SECONDS", "30"),
];

async fn follows_the_model(server: &TestServer, operations: Vec<Op>) -> Result<(), String> {
    let mut world = World::new(server).await;
    for operation in operations {
        world.perform(&operation).await.map_err(|problem| format!("{operation:?}: {problem}"))?;
    }
    world.look_at_everything().await
}

mod every_sequence_of_operations_is_answered_as_the_model_says {
    use super::*;

    fn rule(kind: Kind, seeds: &'static str) {
        hold(kind, &SETTINGS, seeds, &vec(operations::drawn(), 1..LONGEST), follows_the_model);
    }

    #[test]
    fn sqlite() {
        rule(Kind::Sqlite, "tests/it/seeds/sequences-sqlite.txt");
    }

    #[test]
    fn postgres() {
        rule(Kind::Postgres, "tests/it/seeds/sequences-postgres.txt");
    }
}

mod whatever_happens_at_once_the_promises_hold {
    use super::*;

    fn rule(kind: Kind, seeds: &'static str) {
        hold(kind, &SETTINGS, seeds, &vec(at_once::drawn(), 2..MOST_AT_ONCE), at_once::keeps_promises);
    }

    #[test]
    fn sqlite() {
        rule(Kind::Sqlite, "tests/it/seeds/at-once-sqlite.txt");
    }

    #[test]
    fn postgres() {
        rule(Kind::Postgres, "tests/it/seeds/at-once-postgres.txt");
    }
}
