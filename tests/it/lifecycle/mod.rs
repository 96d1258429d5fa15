//! The life of tokens, driven at random: whatever sequence of operations comes, by several clients and users, both
//! databases answer as a small model of the rules says (`model.rs`), and whatever happens at once, the promises hold
//! (`at_once.rs`).
//!
//! A failure prints the shortest sequence that fails and keeps its seed in `regressions/`, which is run first ever after.
//! `CHANCERY_PROPERTY_SECONDS=600 cargo test --test it lifecycle` looks for longer.

mod at_once;
mod model;
mod operations;
mod world;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use crate::support::{Kind, TestServer};
use operations::Op;
use world::World;

/// Sequences between two looks at the watch.
const CASES: u32 = 8;
const LONGEST: usize = 40;

/// The lifetimes that `model.rs` knows: short, so that a few steps of the clock pass every one of them.
pub const SETTINGS: [(&str, &str); 5] = [
    ("TOKENS__AUTHORIZATION_CODE_SECONDS", "60"),
    ("TOKENS__ACCESS_TOKEN_SECONDS", "600"),
    ("TOKENS__REFRESH_TOKEN_SECONDS", "7200"),
    ("TOKENS__REFRESH_TOKEN_IDLE_SECONDS", "1800"),
    ("TOKENS__REFRESH_GRACE_SECONDS", "30"),
];

/// How long a property looks for a counterexample.
fn time() -> Duration {
    let seconds = std::env::var("CHANCERY_PROPERTY_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

/// Holds a server to a property with values of this strategy until the time is over.
fn hold<S: Strategy>(
    kind: Kind,
    regressions: &'static str,
    strategy: &S,
    property: impl AsyncFn(&TestServer, S::Value) -> Result<(), String>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // One server for all: clients and users are new each time, and the clock only goes on.
    let server = runtime.block_on(TestServer::start_with(kind, &SETTINGS));
    let (began, mut sequences) = (Instant::now(), 0);
    while began.elapsed() < time() {
        let config = Config {
            cases: CASES,
            max_shrink_time: 60_000,
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
            ..Config::default()
        };
        let outcome = TestRunner::new(config)
            .run(strategy, |value| runtime.block_on(property(&server, value)).map_err(TestCaseError::fail));
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
        sequences += CASES;
    }
    println!("{sequences} sequences in {:?}", began.elapsed());
}

async fn follows_the_model(server: &TestServer, operations: Vec<Op>) -> Result<(), String> {
    let mut world = World::new(server).await;
    for operation in operations {
        world.perform(&operation).await.map_err(|problem| format!("{operation:?}: {problem}"))?;
    }
    world.look_at_everything().await
}

mod every_sequence_of_operations_is_answered_as_the_model_says {
    use super::*;

    fn rule(kind: Kind, regressions: &'static str) {
        hold(kind, regressions, &prop::collection::vec(operations::drawn(), 1..LONGEST), follows_the_model);
    }

    #[test]
    fn sqlite() {
        rule(Kind::Sqlite, "tests/it/lifecycle/regressions/sequences-sqlite.txt");
    }

    #[test]
    fn postgres() {
        rule(Kind::Postgres, "tests/it/lifecycle/regressions/sequences-postgres.txt");
    }
}

mod whatever_happens_at_once_the_promises_hold {
    use super::*;

    fn rule(kind: Kind, regressions: &'static str) {
        hold(kind, regressions, &prop::collection::vec(at_once::drawn(), 2..12), at_once::keeps_promises);
    }

    #[test]
    fn sqlite() {
        rule(Kind::Sqlite, "tests/it/lifecycle/regressions/at-once-sqlite.txt");
    }

    #[test]
    fn postgres() {
        rule(Kind::Postgres, "tests/it/lifecycle/regressions/at-once-postgres.txt");
    }
}
