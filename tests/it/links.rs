//! The documents hold together: what a page links to is there, the index names every page, and the README stays a front door.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::architecture::assert_none;

const SUMMARY: &str = "docs/SUMMARY.md";
const LONGEST_README: usize = 200;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The Markdown files of the project's top and of docs, as paths from there.
fn pages() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(Path::new(""), false, &mut found);
    collect(Path::new("docs"), true, &mut found);
    found
}

fn collect(directory: &Path, deep: bool, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root().join(directory)).unwrap() {
        let entry = entry.unwrap();
        let path = directory.join(entry.file_name());
        if deep && entry.file_type().unwrap().is_dir() {
            collect(&path, deep, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.insert(path.to_str().unwrap().to_owned());
        }
    }
}

/// The lines outside blocks of code, without what stands in backticks.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut in_block = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            return None;
        }
        let outside: Vec<_> = line.split('`').step_by(2).collect();
        (!in_block).then(|| (at + 1, outside.join("`")))
    })
}

/// The targets of links and pictures, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in prose(text) {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| (at, target.to_owned())));
    }
    found
}

/// The anchors of a page's headings: as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_block = false;
    let mut seen = BTreeMap::new();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        in_block ^= line.trim_start().starts_with("```");
        let Some((marks, title)) = line.split_once(' ') else { continue };
        if in_block || marks.is_empty() || !marks.bytes().all(|byte| byte == b'#') {
            continue;
        }
        let anchor = anchor(title);
        let before = seen.entry(anchor.clone()).or_insert(0);
        found.insert(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
        *before += 1;
    }
    found
}

fn anchor(title: &str) -> String {
    let lower = title.trim().to_lowercase();
    let kept = lower.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect()
}

/// Where a link leads, as a path from the project's top.
fn resolve(page: &str, target: &str) -> PathBuf {
    let joined = Path::new(page).parent().unwrap().join(target);
    let mut parts = Vec::new();
    for part in joined.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.into_iter().collect()
}

/// What is wrong with a link of a page, if anything is.
fn problem(page: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, wanted) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { PathBuf::from(page) } else { resolve(page, path) };
    let Ok(about) = fs::metadata(root().join(&path)) else {
        return Some(format!("there is no {}", path.display()));
    };
    let wanted = wanted?;
    if about.is_dir() || path.extension().is_none_or(|extension| extension != "md") {
        return Some("only a page has headings".to_owned());
    }
    let is_there = anchors(&read(path.to_str()?)).contains(wanted);
    (!is_there).then(|| format!("{} has no heading #{wanted}", path.display()))
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut problems = Vec::new();
    let mut checked = 0;
    for page in pages() {
        for (line, target) in links(&read(&page)) {
            checked += 1;
            problems
                .extend(problem(&page, &target).map(|problem| format!("{page}:{line}: {target}: {problem}")));
        }
    }
    assert!(checked > 150, "the rule finds nothing");
    assert_none(&problems);
}

#[test]
fn the_index_names_every_page_once() {
    let mut named: Vec<_> = links(&read(SUMMARY))
        .into_iter()
        .map(|(_, target)| resolve(SUMMARY, &target).to_str().unwrap().to_owned())
        .collect();
    named.sort();
    let expected: Vec<_> = pages().into_iter().filter(|page| page != SUMMARY).collect();
    assert_eq!(named, expected);
}

#[test]
fn the_readme_stays_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= LONGEST_README, "{lines} lines: what is not for everybody's first look goes into docs");
}

#[test]
fn links_and_headings_are_told_from_code() {
    let text = "# A `b`: c\n\nsee [x](y.md#z) and `[no](no.md)`, ![p](p.png)\n```sh\n# no heading\n[no](no.md)\n```\n## Twice\n## Twice\n";
    let targets: Vec<_> = links(text).into_iter().map(|(line, target)| format!("{line} {target}")).collect();
    assert_eq!(targets, ["3 y.md#z", "3 p.png"]);
    let anchors: Vec<_> = anchors(text).into_iter().collect();
    assert_eq!(anchors, ["a-b-c", "twice", "twice-1"]);
    assert_eq!(resolve("docs/adr/a.md", "../../README.md"), Path::new("README.md"));
}
