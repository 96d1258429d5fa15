//! The audit log: what is told (`people`, `grants`, `clients`, `acts`), and that nobody changes it unnoticed (`chain`), nor misses any of it (`export`).

mod acts;
mod chain;
mod clients;
mod export;
mod grants;
mod people;
mod queue;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of all events, as the code has them.
fn names() -> BTreeSet<String> {
    let code = read("src/audit/event.rs");
    let names: BTreeSet<String> = code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("#[serde(rename = \"")?.strip_suffix("\")]"))
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 40 && names.contains("grant.created"), "{names:?}");
    names
}

#[test]
fn every_event_has_a_test_and_a_line_in_the_documentation() {
    let tests = ["acts", "chain", "clients", "grants", "people"];
    let tests: String = tests.iter().map(|name| read(&format!("tests/it/audit/{name}.rs"))).collect();
    let documentation = read("docs/audit.md");
    for name in names() {
        assert!(tests.contains(&format!("\"event\": \"{name}\"")), "{name} has no test");
        assert!(documentation.contains(&format!("| `{name}` |")), "{name} is not in docs/audit.md");
    }
}
