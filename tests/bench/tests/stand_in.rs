//! Every operation against the stand-in server.

mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use chancery_bench::Result;
use chancery_bench::context::Context;
use chancery_bench::load::{self, Plan, Processes};
use chancery_bench::operation::{Format, Kind, OPERATIONS};
use chancery_bench::target::{Extras, Target};
use support::start;

#[test]
fn every_operation_runs_without_errors() -> Result<()> {
    let (state, target, fixtures) = start("every")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let target = Arc::new(runtime.block_on(Target::load(target, &fixtures, Extras::default()))?);
    let context = runtime.block_on(Context::sign_in(target.clone(), 4, 200, 2))?;
    for operation in OPERATIONS {
        if matches!(operation.kind, Kind::ClientCredentialsWhileHashing(_)) {
            assert_eq!(state.lock().map_err(|_| "poisoned")?.logins, 1, "those before share one sign-in");
        }
        let tasks = runtime.block_on(context.prepare(operation.kind))?;
        assert_eq!(tasks.iter().filter(|task| !task.is_aside()).count(), 4);
        let found = load::measure(&target.server, tasks, plan(), processes(), None)?;
        assert_eq!((found.errors, &found.first_error), (0, &None), "{}", operation.name);
        assert!(found.requests > 0, "{}", operation.name);
        if matches!(operation.kind, Kind::Exchange(_) | Kind::IntrospectFirst) {
            assert_eq!(found.requests, 200, "{}: each of the pool once", operation.name);
        }
    }
    fs::remove_dir_all(fixtures)?;
    Ok(())
}

#[test]
fn a_refused_request_counts_as_an_error_and_ends_by_itself() -> Result<()> {
    let (state, server, fixtures) = start("refused")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let target = Arc::new(runtime.block_on(Target::load(server, &fixtures, Extras::default()))?);
    let context = runtime.block_on(Context::sign_in(target.clone(), 2, 10, 1))?;
    let tasks = runtime.block_on(context.prepare(Kind::Refresh { scope: "offline_access" }))?;
    state.lock().map_err(|_| "poisoned")?.refuse_tokens = true;
    let found = load::measure(&target.server, tasks, plan(), processes(), None)?;
    assert_eq!(found.requests, 0);
    assert!(found.errors > 0);
    assert!(found.first_error.is_some_and(|error| error.contains("invalid_grant")));
    assert!(runtime.block_on(context.prepare(Kind::Userinfo(Format::Jwt))).is_err());
    fs::remove_dir_all(fixtures)?;
    Ok(())
}

fn plan() -> Plan {
    Plan { warm_up: Duration::from_millis(20), measure: Duration::from_millis(200), threads: 2 }
}

fn processes() -> Processes {
    Processes { server: Some(std::process::id()), postmaster: Some(std::process::id()) }
}
