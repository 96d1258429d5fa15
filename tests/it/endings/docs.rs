//! docs/endings.md says of every cell what happens, and who shows it.

use std::path::Path;

use super::race::{Creation, Ending, Meeting};

const PAGE: &str = include_str!("../../../docs/endings.md");

/// Rows of the table below this heading: creation, what happens, test.
fn rows(heading: &str) -> Vec<[&'static str; 3]> {
    let (_, section) =
        PAGE.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let cells = |line: &'static str| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>();
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| creation"));
    rows.map(|line| cells(line).try_into().unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn capitalised(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

/// Whether there is a test of this path below `tests/it`.
fn exists(test: &str) -> bool {
    let (module, rule) = test.rsplit_once("::").unwrap();
    let path = Path::new("tests/it").join(module.replace("::", "/"));
    let files = [path.with_extension("rs"), path.join("mod.rs")];
    let declared = format!("async fn {rule}(");
    files.iter().any(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains(&declared)))
}

#[test]
fn the_page_has_every_cell_with_a_test_that_exists() {
    for ending in Ending::ALL {
        let rows = rows(&capitalised(ending.name()));
        let names: Vec<_> = rows.iter().map(|[name, ..]| *name).collect();
        let all: Vec<_> = Creation::ALL.iter().map(|creation| creation.name()).collect();
        assert_eq!(names, all, "{}", ending.name());
        for ([_, what, test], creation) in rows.into_iter().zip(Creation::ALL) {
            let cell = format!("{} x {}", ending.name(), creation.name());
            assert!(exists(test.trim_matches('`')), "{cell}: there is no test {test}");
            let (apart, page) = (Meeting::of(*creation, *ending) == Meeting::Apart, what.starts_with("—: "));
            assert_eq!(apart, page, "{cell}: {what}");
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let named = PAGE.split('`').skip(1).step_by(2).filter(|text| text.contains("::"));
    for test in named {
        assert!(exists(test), "{test}");
    }
}
