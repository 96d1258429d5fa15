//! The table of docs/fair-shares.md names tests that exist.

use std::collections::HashSet;
use std::path::Path;

fn functions(directory: &Path, found: &mut HashSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_row_of_the_table_of_fair_shares_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = HashSet::new();
    functions(&root.join("src"), &mut known);
    functions(&root.join("tests/it"), &mut known);
    let page = std::fs::read_to_string(root.join("docs/fair-shares.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() > 12, "the table is gone");
    for row in &rows[2..] {
        assert_eq!(row.len(), rows[0].len(), "{row:?}");
        let named: Vec<&str> = row[row.len() - 1].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows it: {row:?}");
        for name in named {
            assert!(known.contains(name), "{name}: {row:?}");
        }
    }
}
