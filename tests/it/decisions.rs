//! The pages of docs/adr: each says when it was accepted and what has superseded it, the index lists each under its title, and
//! no number is missing without a word.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::architecture::assert_none;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adr")
}

/// One page, by its lines.
struct Page {
    file: String,
    title: String,
    status: String,
}

/// The pages by number.
fn pages() -> BTreeMap<u32, Page> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(number) = file.get(..4).and_then(|digits| digits.parse().ok()) else { continue };
        let text = fs::read_to_string(directory().join(&file)).unwrap();
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default().to_owned();
        let status = lines.nth(1).unwrap_or_default().to_owned();
        let before = found.insert(number, Page { file, title, status });
        assert!(before.is_none(), "two pages have the number {number}");
    }
    found
}

fn index() -> String {
    fs::read_to_string(directory().join("README.md")).unwrap()
}

/// What a status says: the date, and the files of the pages that changed the decision. None where it is none.
fn status(line: &str) -> Option<(&str, Vec<&str>)> {
    let said = line.strip_prefix("Accepted on ")?.strip_suffix('.')?;
    let (date, changes) = said.split_at_checked("2026-01-01".len())?;
    let is_date = date
        .bytes()
        .enumerate()
        .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    let files: Vec<&str> =
        changes.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(file, _)| file).collect();
    let has_word = [", superseded by [", ", amended by ["].iter().any(|word| changes.starts_with(word));
    (is_date && (changes.is_empty() || (has_word && !files.is_empty()))).then_some((date, files))
}

#[test]
fn every_decision_says_when_it_was_accepted_and_what_changed_it() {
    let pages = pages();
    assert!(pages.len() > 40, "the rule finds nothing");
    let mut problems = Vec::new();
    for Page { file, status: line, .. } in pages.values() {
        let Some((_, changed_by)) = status(line) else {
            problems.push(format!("{file}: its third line is no status: {line}"));
            continue;
        };
        for other in changed_by {
            if !pages.values().any(|page| page.file == other) {
                problems.push(format!("{file}: there is no {other}"));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn the_index_lists_every_decision_under_its_title() {
    let index = index();
    let mut problems = Vec::new();
    for (number, Page { file, title, status }) in pages() {
        let title = title.strip_prefix(&format!("# {number:04} ")).unwrap_or_default().to_owned();
        let listed = format!("- [{number:04}]({file}) {title}");
        let superseded = status.split_once(", superseded by ").map(|(_, by)| by.trim_end_matches('.'));
        let expected = superseded.map_or(listed.clone(), |by| format!("{listed} (superseded by {by})"));
        if title.is_empty() || !index.lines().any(|line| line == expected) {
            problems.push(format!("docs/adr/README.md lacks: {expected}"));
        }
    }
    assert_none(&problems);
}

#[test]
fn every_number_without_a_decision_is_explained() {
    let (index, pages) = (index(), pages());
    let last = *pages.keys().next_back().unwrap();
    let missing = (1..last).filter(|number| !pages.contains_key(number));
    let unexplained = missing.filter(|number| !index.contains(&format!("{number:04}")));
    assert_none(
        &unexplained
            .map(|number| format!("docs/adr/README.md says nothing of {number:04}"))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_status_is_told_from_other_lines() {
    assert_eq!(status("Accepted on 2026-11-21."), Some(("2026-11-21", vec![])));
    let changed = "Accepted on 2026-11-21, superseded by [0042](0042-counting-tries.md).";
    assert_eq!(status(changed), Some(("2026-11-21", vec!["0042-counting-tries.md"])));
    for other in
        ["## Context", "Accepted on 21.11.2026.", "Accepted on 2026-11-21", "Accepted on 2026-11-21, gone."]
    {
        assert_eq!(status(other), None, "{other}");
    }
}
