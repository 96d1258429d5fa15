//! The table of docs/compatibility.md: every promise is in it, and every test it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::sources;

/// The binding promises of each system, by the first letters of their ids. Numbers that are missing here are extras.
const PROMISES: [(&str, u32); 5] = [("IL", 22), ("FC", 18), ("PR", 36), ("AQ", 15), ("HY", 18)];

/// The rows of the table: an id, and the name of a test or what else is said.
fn rows() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| id | test |\n|---|---|\n").expect("the table");
    let row = |line: &str| {
        let mut cells = line.split('|').map(|cell| cell.trim().to_owned()).skip(1);
        Some((cells.next()?, cells.next()?))
    };
    table.lines().take_while(|line| line.starts_with('|')).filter_map(row).collect()
}

#[test]
fn every_promise_is_in_the_table() {
    let listed: BTreeSet<String> = rows().into_iter().map(|(id, _)| id).collect();
    let promised =
        PROMISES.iter().flat_map(|(letters, most)| (1..=*most).map(move |n| format!("{letters}-{n:02}")));
    let missing: Vec<String> = promised.filter(|id| !listed.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_test_that_the_table_names_exists_and_is_named_after_its_promise() {
    let known = sources::functions();
    for (id, test) in rows() {
        if test == "not yet" {
            continue;
        }
        let name = test.trim_matches('`');
        assert!(known.contains(name), "{id} names {name}, and there is no such test");
        let prefix = id.to_lowercase().replace('-', "_");
        assert!(name.starts_with(&prefix), "{name} is not named after {id}");
    }
}

#[test]
fn every_test_named_after_a_promise_is_in_the_table() {
    let known = sources::functions();
    let listed: BTreeSet<String> =
        rows().into_iter().map(|(_, test)| test.trim_matches('`').to_owned()).collect();
    let is_promise = |name: &str| {
        let mut parts = name.splitn(3, '_');
        let system = parts.next().unwrap_or_default().to_uppercase();
        let number = parts.next().is_some_and(|number| number.len() == 2 && number.parse::<u32>().is_ok());
        number && PROMISES.iter().any(|(letters, _)| *letters == system)
    };
    let unlisted: Vec<&String> =
        known.iter().filter(|name| is_promise(name) && !listed.contains(*name)).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
}
