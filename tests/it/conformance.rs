//! docs/conformance.md names tests that exist.

use std::fs;
use std::path::Path;

use crate::support::sources;

#[test]
fn every_test_that_the_modules_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let known = sources::functions();
    let cells =
        page.lines().filter_map(|line| line.strip_prefix("| ")).filter_map(|row| row.split(" | ").nth(1));
    let named: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let unknown: Vec<&&str> = named.iter().filter(|name| !known.contains(**name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
