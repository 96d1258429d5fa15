//! docs/conformance.md and docs/production.md name tests that exist.

use std::fs;
use std::path::Path;

use crate::support::sources;

/// The rows of the tables of a page, by cell.
fn rows(page: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page)).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.trim_end_matches(" |").split(" | ").map(str::to_owned).collect()).collect()
}

/// What is named in these cells exists, directories and files of tests aside.
fn assert_known(cells: impl Iterator<Item = String>) {
    let known = sources::functions();
    let named: Vec<String> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let unknown: Vec<_> = named.iter().filter(|name| !name.contains('/') && !known.contains(*name)).collect();
    assert!(!named.is_empty() && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_test_that_the_modules_name_exists() {
    assert_known(rows("conformance.md").into_iter().filter_map(|row| row.into_iter().nth(1)));
}

#[test]
fn every_failure_has_a_test_that_exists() {
    let rows = rows("production.md").into_iter().filter(|row| row.len() == 4);
    assert_known(rows.filter_map(|row| row.into_iter().nth(3)));
}
