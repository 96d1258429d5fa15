//! What commands print: aligned columns for people, JSON for programs.
//!
//! Names come from strangers: what could rewrite a terminal, or cannot be seen, is written out. JSON is exact.

use std::fmt::Display;
use std::io::{self, Write as _};

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::Failure;
use crate::model::{Timestamp, text};

const GAP: &str = "  ";

/// Columns under a heading, each as wide as its widest cell.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let lines = std::iter::once(&heading).chain(rows);
    print(&align(lines))
}

/// One thing: its members below each other; what is empty is left out.
pub(super) fn record(members: &[(&str, String)]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = members
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| vec![(*name).to_owned(), value.clone()])
        .collect();
    print(&align(rows.iter()))
}

pub(super) fn line(text: &str) -> io::Result<()> {
    print(&format!("{}\n", text::escaped(text)))
}

pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(print(&format!("{text}\n"))?)
}

pub(super) fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// A moment in UTC, as people read it.
pub(super) fn moment(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let text = OffsetDateTime::from_unix_timestamp(at.unix()).ok().and_then(|at| at.format(format).ok());
    text.unwrap_or_else(|| at.unix().to_string())
}

/// `println!` panics when the reader has gone; an error is told instead.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn align<'a>(rows: impl Iterator<Item = &'a Vec<String>>) -> String {
    let rows: Vec<Vec<String>> =
        rows.map(|row| row.iter().map(|cell| text::escaped(cell).into_owned()).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// A message of several lines, to standard error.
pub(super) fn complain(message: &impl Display) {
    eprintln!("chancery: {}", lines(message));
}

/// A message of several lines as a terminal may show it.
pub(super) fn lines(message: &impl Display) -> String {
    message.to_string().split('\n').map(text::escaped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(align(rows.iter()), "a     b\nlong\n");
    }

    #[test]
    fn what_would_rewrite_the_terminal_is_written_out() {
        let rows = [vec!["a\u{1b}[2Jb\n".to_owned(), "x\u{202e}y\u{9b}".to_owned()]];
        assert_eq!(align(rows.iter()), "a\\u{1b}[2Jb\\n  x\\u{202e}y\\u{9b}\n");
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment(Timestamp::from_unix(0)), "1970-01-01 00:00:00 UTC");
    }
}
