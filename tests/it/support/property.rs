//! Properties: what must hold of whatever is drawn at random.
//!
//! A failure prints the smallest value that fails, and keeps its seed in a file, which is run first ever after. A property is
//! looked at for some seconds; `CHANCERY_PROPERTY_SECONDS=600 cargo test --test it` looks for longer.

use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use super::{Kind, TestServer};

/// Values between two looks at the watch.
const CASES: u32 = 8;
const SHRINKING_MILLISECONDS: u32 = 60_000;

/// How long a property is looked at.
pub fn time() -> Duration {
    let seconds = std::env::var("CHANCERY_PROPERTY_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

/// Holds a server with these settings to a property until the time is over. `seeds` is the file of those that failed.
pub fn hold<S: Strategy>(
    kind: Kind,
    settings: &[(&str, &str)],
    seeds: &'static str,
    strategy: &S,
    property: impl AsyncFn(&TestServer, S::Value) -> Result<(), String>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // One server for all values: it lives on, and so do its users and its clock.
    let server = runtime.block_on(TestServer::start_with(kind, settings));
    let (began, mut values) = (Instant::now(), 0);
    while began.elapsed() < time() {
        let config = Config {
            cases: CASES,
            max_shrink_time: SHRINKING_MILLISECONDS,
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
            ..Config::default()
        };
        let outcome = TestRunner::new(config)
            .run(strategy, |value| runtime.block_on(property(&server, value)).map_err(TestCaseError::fail));
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
        values += CASES;
    }
    println!("held for {values} values");
}
