//! The three sources of settings, laid over each other key by key: the embedded defaults, the
//! operator's file, the environment. Keys that the defaults don't have are refused here, all at once.

use std::collections::BTreeMap;
use std::path::Path;

use ::config::{File, FileFormat, Source, Value, ValueKind};

use super::problem::Problem;

/// The documentation of every setting, and its default.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

const PREFIX: &str = "CHANCERY_";

/// Where a value was written; a later one wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Default,
    File,
    /// The name of the environment variable.
    Environment(String),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub value: ValueKind,
    pub origin: Origin,
}

/// Every known key (`section.key`) with the value that won.
#[derive(Debug, Default)]
pub(super) struct Layers {
    entries: BTreeMap<String, Entry>,
}

impl Layers {
    /// Lays the sources over each other. Problems are appended; what could be read is returned.
    pub(super) fn collect(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut layers = Self::default();
        match parse(DEFAULT) {
            Ok(values) => values.into_iter().for_each(|(key, value)| {
                layers.entries.insert(key, Entry { value, origin: Origin::Default });
            }),
            Err(error) => problems.push(Problem::new("config/default.toml", error, "rebuild chancery")),
        }
        if let Some(path) = file {
            layers.overlay_file(path, problems);
        }
        layers.overlay_environment(environment, problems);
        layers
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    fn overlay_file(&mut self, path: &Path, problems: &mut Vec<Problem>) {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let remedy = "give the path of a readable TOML file with --config or CHANCERY_CONFIG";
                return problems.push(Problem::new(name, format!("cannot be read: {error}"), remedy));
            }
        };
        match parse(&text) {
            Ok(values) => values.into_iter().for_each(|(key, value)| {
                self.overlay(&key, value, Origin::File, key.clone(), problems);
            }),
            Err(error) => problems.push(Problem::new(name, error, "correct the TOML at that place")),
        }
    }

    fn overlay_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
        problems: &mut Vec<Problem>,
    ) {
        let ours = environment.into_iter().filter(|(name, _)| is_setting(name));
        for (name, value) in BTreeMap::from_iter(ours) {
            let key = name[PREFIX.len()..].to_ascii_lowercase().replacen("__", ".", 1);
            let origin = Origin::Environment(name.clone());
            self.overlay(&key, ValueKind::String(value), origin, name, problems);
        }
    }

    fn overlay(
        &mut self,
        key: &str,
        value: ValueKind,
        origin: Origin,
        written: String,
        problems: &mut Vec<Problem>,
    ) {
        match self.entries.get_mut(key) {
            Some(entry) => *entry = Entry { value, origin },
            None => problems.push(self.unknown(key, &origin, written)),
        }
    }

    fn unknown(&self, key: &str, origin: &Origin, written: String) -> Problem {
        let near = self.keys().map(|known| (distance(key, known), known)).min();
        let remedy = match near {
            Some((distance, known)) if distance <= 3 => match origin {
                Origin::Environment(_) => format!("did you mean {}?", variable(known)),
                Origin::Default | Origin::File => format!("did you mean {known}?"),
            },
            _ => "remove it; config/default.toml describes every setting".to_owned(),
        };
        Problem::new(written, "there is no such setting", remedy)
    }
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replacen('.', "__", 1))
}

/// Whether an environment variable claims to be a setting. `CHANCERY_CONFIG` names the file and
/// `CHANCERY_TEST_*` belongs to the tests. A Kubernetes Service named "chancery" makes
/// `CHANCERY_SERVICE_HOST`, `CHANCERY_PORT`, `CHANCERY_PORT_8080_TCP` ... in every pod beside it.
fn is_setting(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let from_kubernetes =
        !rest.contains("__") && (rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_"));
    rest != "CONFIG" && !rest.starts_with("TEST_") && !from_kubernetes
}

fn parse(text: &str) -> Result<BTreeMap<String, ValueKind>, String> {
    let tree = File::from_str(text, FileFormat::Toml).collect().map_err(|error| place(&error.to_string()))?;
    let mut leaves = BTreeMap::new();
    tree.into_iter().for_each(|(key, value)| flatten(key, value, &mut leaves));
    Ok(leaves)
}

/// A TOML error quotes the line it is about, and that line may hold a secret: only the place (the
/// first line of the message) and the reason (the last) are told.
fn place(error: &str) -> String {
    let mut lines = error.lines().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{}: {}", first.trim(), last.trim()),
        (Some(only), None) => only.trim().to_owned(),
        (None, _) => "it is not TOML".to_owned(),
    }
}

fn flatten(key: String, value: Value, leaves: &mut BTreeMap<String, ValueKind>) {
    match value.kind {
        ValueKind::Table(table) => {
            table.into_iter().for_each(|(inner, value)| flatten(format!("{key}.{inner}"), value, leaves));
        }
        leaf => {
            leaves.insert(key, leaf);
        }
    }
}

/// The number of single-character edits between two keys, for "did you mean".
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
