//! The pages of `docs` that promise something name the test that shows it: every name is that of a test that is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Pages whose tables name tests.
const PAGES: [&str; 2] = ["docs/fair-shares.md", "docs/threats.md"];
/// Fewer underscores make a word of a setting or a protocol.
const UNDERSCORES: usize = 4;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names in backticks that can only be those of tests.
fn named(page: &str) -> BTreeSet<String> {
    let is_test = |text: &&str| {
        let plain =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        plain && text.matches('_').count() >= UNDERSCORES
    };
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter(is_test).map(str::to_owned).collect()
}

/// The functions below a directory.
fn functions(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let mut there = BTreeSet::new();
    functions(&root().join("tests/it"), &mut there);
    functions(&root().join("src"), &mut there);
    for page in PAGES {
        let named = named(&fs::read_to_string(root().join(page)).unwrap());
        assert!(!named.is_empty(), "{page} names no test");
        let gone: Vec<_> = named.difference(&there).collect();
        assert!(gone.is_empty(), "{page} names what is no test: {gone:?}");
    }
}

#[test]
fn a_name_of_a_test_is_told_from_other_words() {
    let page =
        "`a_test_that_is_there` shows `max_requests`, `GET /authorize` and `urn:ietf:params:oauth:x_y_z_a_b`";
    assert_eq!(named(page).into_iter().collect::<Vec<_>>(), ["a_test_that_is_there"]);
}
