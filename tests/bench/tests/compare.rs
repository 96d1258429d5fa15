//! A stand-in server beside another that can do less and wants more.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_bench::Result;
use chancery_bench::compare::{self, COMPARED, Contestant, Sizes};
use chancery_bench::load::Plan;
use chancery_bench::meet::{Credentials, meet};
use chancery_bench::operation::select;
use chancery_bench::versus::{Row, failures, table};
use serde_json::{Value, json};
use support::{Shared, start};
use tokio::runtime::Runtime;

fn sizes() -> Sizes {
    let plan = Plan { warm_up: Duration::ZERO, measure: Duration::from_millis(100), threads: 1 };
    Sizes { concurrency: 2, pool: 20, rounds: 2, plan }
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// A stand-in with the fixtures that are named, described as `about` says.
fn server(name: &str, clients: &[&str], mut about: Value) -> Result<(Shared, PathBuf)> {
    let (state, server, directory) = start(name)?;
    about["name"] = name.into();
    about["url"] = server.origin().into();
    fs::write(directory.join("server.json"), about.to_string())?;
    for file in fs::read_dir(&directory)? {
        let path = file?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        if !clients.contains(&stem.as_str()) && stem != "server" {
            fs::remove_file(path)?;
        }
    }
    Ok((state, directory))
}

const ALL: [&str; 8] = [
    "machine-es256",
    "machine-eddsa",
    "machine-rs256",
    "machine-opaque",
    "web-es256",
    "web-rs256",
    "web-opaque",
    "user",
];

fn load(runtime: &Runtime, directories: [&Path; 2]) -> Result<Vec<Contestant>> {
    let load = |directory: &Path| runtime.block_on(Contestant::load(directory, sizes()));
    directories.into_iter().map(load).collect()
}

fn run(runtime: &Runtime, directories: [&Path; 2]) -> Result<Vec<Row>> {
    Ok(compare::run(runtime, &load(runtime, directories)?, &select(COMPARED, None)?, sizes()))
}

/// The names of the rows that hold figures.
fn compared(text: &str) -> Vec<&str> {
    let rows = text.lines().skip(2).map(|line| line.split(" | ").collect::<Vec<_>>());
    let figures = rows.filter(|cells| cells.get(3).is_some_and(|cell| cell.parse::<f64>().is_ok()));
    figures.map(|cells| cells[0].trim_start_matches("| ")).collect()
}

#[test]
fn what_both_can_do_is_compared_and_extras_are_sent() -> Result<()> {
    let (_, ours) = server("ours", &ALL, json!({}))?;
    let about = json!({
        "session": "session=s",
        "authorize": { "extra": "" },
        "client_credentials": { "extra": "x" },
        "lacks": ["introspect-jwt"],
    });
    let (state, theirs) = server("theirs", &["machine-es256", "web-es256"], about)?;
    {
        let mut state = state.lock().map_err(|_| "poisoned")?;
        state.wants = Some("extra");
        state.consented.insert("web-es256".to_owned());
    }
    let rows = run(&runtime()?, [&ours, &theirs])?;
    assert_eq!(failures(&rows, &["ours", "theirs"]), Vec::<String>::new());
    let expected = [
        "client_credentials-es256",
        "code_flow-authorize",
        "code_flow-exchange-es256",
        "refresh",
        "introspect-own-es256",
        "userinfo-jwt",
        "jwks",
        "discovery",
    ];
    assert_eq!(compared(&table(&rows, 1)), expected);
    for directory in [ours, theirs] {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

#[test]
fn a_server_that_refuses_fails_its_row() -> Result<()> {
    let (_, ours) = server("granting", &ALL, json!({}))?;
    let (state, theirs) = server("refusing", &["machine-es256"], json!({}))?;
    let runtime = runtime()?;
    let contestants = load(&runtime, [&ours, &theirs])?;
    state.lock().map_err(|_| "poisoned")?.refuse_tokens = true;
    let operations = select(COMPARED, Some("client_credentials-es256"))?;
    let rows = compare::run(&runtime, &contestants, &operations, sizes());
    assert!(table(&rows, 1).contains("| client_credentials-es256 | failed |"));
    let found = failures(&rows, &["granting", "refusing"]);
    assert!(
        found.len() == 1 && found[0].contains("refusing: failed") && found[0].contains("invalid_grant"),
        "{found:?}"
    );
    for directory in [ours, theirs] {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

#[test]
fn a_server_whose_tokens_are_signed_otherwise_is_not_compared() -> Result<()> {
    let (_, ours) = server("es256", &ALL, json!({}))?;
    let (_, theirs) = server("rs256", &["machine-rs256"], json!({}))?;
    fs::rename(theirs.join("machine-rs256.json"), theirs.join("machine-es256.json"))?;
    let refused = load(&runtime()?, [&ours, &theirs]).err().map(|error| error.to_string());
    assert_eq!(
        refused.as_deref(),
        Some("rs256: machine-es256 gets access tokens like those of machine-rs256")
    );
    for directory in [ours, theirs] {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

#[test]
fn a_server_that_runs_already_is_compared_by_its_tokens_or_documents() -> Result<()> {
    let runtime = runtime()?;
    let (_, ours) = server("at-home", &ALL, json!({}))?;
    let (state, theirs) = server("away", &[], json!({}))?;
    let about: Value = serde_json::from_slice(&fs::read(theirs.join("server.json"))?)?;
    let url = about["url"].as_str().unwrap_or_default();
    state.lock().map_err(|_| "poisoned")?.wants = Some("scope");

    let discovery = format!("{url}/.well-known/openid-configuration");
    runtime.block_on(meet(&discovery, None, None, &theirs))?;
    let rows = run(&runtime, [&ours, &theirs])?;
    assert_eq!(compared(&table(&rows, 1)), ["jwks", "discovery"]);

    let credentials = |scope: Option<&str>| {
        Some(Credentials { id: "a".to_owned(), secret: "b".to_owned(), scope: scope.map(str::to_owned) })
    };
    let refused = runtime.block_on(meet(url, None, credentials(None), &theirs));
    assert!(refused.is_err_and(|error| error.to_string().contains("invalid_scope")));
    runtime.block_on(meet(url, Some(std::process::id()), credentials(Some("s")), &theirs))?;
    let rows = run(&runtime, [&ours, &theirs])?;
    let expected = ["client_credentials-opaque", "introspect-own-opaque", "jwks", "discovery"];
    assert_eq!(compared(&table(&rows, 1)), expected);
    for directory in [ours, theirs] {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}
