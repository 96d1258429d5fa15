//! The table, `config/default.toml` and `docs/settings.md` say the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::all;
use crate::config::DEFAULT_FILE;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
/// Whoever sets it has the page written anew.
const WRITE: &str = "CHANCERY_WRITE_DOCS";

/// A setting as the default file has it.
struct Documented {
    default: String,
    text: String,
}

/// The keys of the default file in their order, each with the comment above it.
fn documented() -> Vec<(String, Documented)> {
    let (mut section, mut comment, mut found) = (String::new(), Vec::new(), Vec::new());
    for line in DEFAULT_FILE.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
            continue;
        } else if let Some((name, default)) = line.split_once(" = ") {
            let documented = Documented { default: default.to_owned(), text: comment.join(" ") };
            found.push((format!("{section}.{name}"), documented));
        }
        comment.clear();
    }
    found
}

fn page() -> String {
    let accepts: BTreeMap<_, _> = all().into_iter().collect();
    let mut page = "# Settings\n\nHow they are given is in [configuration.md](configuration.md).\n\n\
        This page is made of `src/config/table.rs` and `config/default.toml`:\n\
        `CHANCERY_WRITE_DOCS=1 cargo test --lib settings_page`.\n"
        .to_owned();
    let mut section = String::new();
    for (key, Documented { default, text }) in documented() {
        let (own, name) = key.split_once('.').unwrap();
        if own != section {
            section = own.to_owned();
            write!(page, "\n## `[{own}]`\n\n| setting | value | default | what it is |\n|---|---|---|---|\n")
                .unwrap();
        }
        let accepts = accepts.get(key.as_str()).map_or("", String::as_str);
        let text = text.replace('|', "\\|");
        writeln!(page, "| `{name}` | {accepts} | `{default}` | {text} |").unwrap();
    }
    page
}

#[test]
fn the_table_and_the_default_file_have_the_same_settings_in_the_same_order() {
    let table: Vec<_> = all().into_iter().map(|(key, _)| key.to_owned()).collect();
    let documented: Vec<_> = documented().into_iter().map(|(key, _)| key).collect();
    assert_eq!(table, documented);
}

#[test]
fn the_settings_page_is_made_of_the_table_and_the_default_file() {
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap();
    assert!(
        written == page(),
        "docs/settings.md is another: {WRITE}=1 cargo test --lib settings_page writes it"
    );
}
