//! The fuzz targets without a fuzzer: what is in fuzz/corpus and random changes of it (scripts/fuzz does the same guided by
//! coverage), and random requests to the whole server (`requests.rs`).

mod requests;
#[path = "../../../fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::property::time;
use targets::TARGETS;

/// Longer than anything that a small limit would stop.
const SLOW_MILLISECONDS: u128 = 2_000;

/// What random changes put in: what means something to some parser.
const WORDS: [&str; 40] = [
    "&",
    "=",
    "%",
    "%00",
    "%ff",
    "+",
    ".",
    "..",
    ":",
    ",",
    ";",
    "\n",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "null",
    "true",
    "1e999",
    "-1",
    "18446744073709551616",
    "\u{0}",
    "\u{7f}",
    "ü",
    "\u{202e}",
    "😀",
    "http://",
    "https://",
    "@",
    "[::1]",
    "127.0.0.1",
    ":65536",
    "#",
    "cy_rt_",
    "e30",
    "AAAA",
    "openid",
    "urn:",
];

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Insert(Index, &'static str),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// The rest comes from another of the corpus.
    Splice(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        4 => (at(), select(&WORDS[..])).prop_map(|(at, word)| Change::Insert(at, word)),
        2 => (at(), 1..16_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (at(), 1..64_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        1 => (at(), at()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

fn changed(mut data: Vec<u8>, change: &Change, corpus: &[Vec<u8>]) -> Vec<u8> {
    let place = |at: &Index, data: &[u8]| at.index(data.len() + 1);
    match change {
        Change::Set(at, byte) if !data.is_empty() => {
            let at = at.index(data.len());
            data[at] = *byte;
        }
        Change::Set(..) => {}
        Change::Insert(at, word) => drop(data.splice(place(at, &data)..place(at, &data), word.bytes())),
        Change::Remove(at, length) => {
            let at = place(at, &data);
            data.drain(at..data.len().min(at + length));
        }
        Change::Repeat(at, length) => {
            let at = place(at, &data);
            let part = data[at..data.len().min(at + length)].repeat(8);
            data.splice(at..at, part);
        }
        Change::Splice(at, other) => {
            data.truncate(place(at, &data));
            let other = other.get(corpus);
            data.extend(&other[other.len() / 2..]);
        }
    }
    data
}

/// Runs a target; a panic fails the test, and so does taking long.
fn run(name: &str, target: fn(&[u8]), data: &[u8]) {
    let began = Instant::now();
    target(data);
    let took = began.elapsed().as_millis();
    assert!(took < SLOW_MILLISECONDS, "{name} took {took} ms for {} bytes", data.len());
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut folders: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(folders, TARGETS.map(|(name, _)| name.to_owned()));
}

#[test]
fn what_was_found_once_breaks_nothing() {
    for (name, target) in TARGETS {
        for path in corpus(name) {
            run(&path.display().to_string(), target, &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn random_changes_of_the_corpus_break_nothing() {
    let each = time() / u32::try_from(TARGETS.len()).unwrap();
    for (name, target) in TARGETS {
        let corpus: Vec<_> = corpus(name).iter().map(|path| fs::read(path).unwrap()).collect();
        let inputs =
            (select(corpus.clone()), prop::collection::vec(change(), 1..6)).prop_map(|(data, changes)| {
                changes.iter().fold(data, |data, change| changed(data, change, &corpus))
            });
        // The same inputs in the same order each time, as many as there is time for.
        let mut seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let began = Instant::now();
        while began.elapsed() < each {
            let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
            let mut runner = TestRunner::new_with_rng(config, seed.clone());
            let outcome = runner.run(&inputs, |data| {
                run(name, target, &data);
                Ok(())
            });
            if let Err(failure) = outcome {
                panic!("{name}: {failure}");
            }
            seed = runner.new_rng();
        }
    }
}
