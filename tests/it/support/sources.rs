//! What is written in the sources of the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of all functions of this binary, tests among them.
pub fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"), &mut found);
    found
}

fn collect(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let after = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(after.map(str::to_owned));
        }
    }
}
