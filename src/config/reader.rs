//! Typed reading of the merged settings. A read that fails records its problem and gives `None`, so
//! that all sections are read, and all problems known, before anything is refused.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ::config::{Value, ValueKind};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::layers::{Entry, Layers, Origin, variable};
use super::problem::Problem;
use crate::model::Algorithm;

/// Why a value was refused: what is wrong, and the remedy.
pub(super) type Refusal = (String, String);

pub(super) const DAY: i64 = 86_400;
pub(super) const YEAR: i64 = 365 * DAY;

pub(super) fn algorithm(text: &str) -> Result<Algorithm, Refusal> {
    choice(text, "ES256, ES384, RS256, PS256 or EdDSA")
}

/// One of an enum's serde names.
pub(super) fn choice<'de, T: Deserialize<'de>>(text: &'de str, choices: &str) -> Result<T, Refusal> {
    let names: StrDeserializer<'de, ValueError> = text.into_deserializer();
    T::deserialize(names).map_err(|_| (format!("\"{text}\" is not known"), format!("write {choices}")))
}

pub(super) struct Reader {
    layers: Layers,
    pub problems: Vec<Problem>,
    #[cfg(test)]
    pub read: std::collections::BTreeSet<String>,
}

impl Reader {
    pub(super) fn new(layers: Layers, problems: Vec<Problem>) -> Self {
        Self {
            layers,
            problems,
            #[cfg(test)]
            read: std::collections::BTreeSet::new(),
        }
    }

    /// A whole number within a range.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<T> {
        let remedy = format!("give a whole number from {} to {}", range.start(), range.end());
        let value = match self.entry(key)?.value {
            ValueKind::I64(value) => Some(value),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let accepted = value.filter(|value| range.contains(value)).and_then(|value| T::try_from(value).ok());
        if accepted.is_none() {
            let problem =
                value.map_or("it is not a whole number".to_owned(), |v| format!("{v} is out of range"));
            self.refuse(key, problem, remedy);
        }
        accepted
    }

    /// A share of the whole, from 0 to 1.
    pub(super) fn ratio(&mut self, key: &str) -> Option<f64> {
        let value = match self.entry(key)?.value {
            ValueKind::Float(value) => Some(value),
            ValueKind::I64(value) => i32::try_from(value).ok().map(f64::from),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let accepted = value.filter(|value| (0.0..=1.0).contains(value));
        if accepted.is_none() {
            let remedy = "give a number from 0 to 1, like 0.05".to_owned();
            self.refuse(key, "it is not a share of the whole".to_owned(), remedy);
        }
        accepted
    }

    pub(super) fn seconds(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<Duration> {
        self.number(key, range).map(Duration::from_secs)
    }

    /// A lifetime in seconds where `-1` means never. The outer `None` is a refused value, the inner
    /// one is "never".
    pub(super) fn lifetime(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<Option<i64>> {
        let never = match &self.entry(key)?.value {
            ValueKind::I64(value) => *value == -1,
            ValueKind::String(text) => text.trim() == "-1",
            _ => false,
        };
        if never {
            return Some(None);
        }
        let before = self.problems.len();
        let value = self.number(key, range);
        self.problems[before..].iter_mut().for_each(|problem| problem.remedy.push_str(", or -1 for never"));
        value.map(Some)
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let value = match self.entry(key)?.value {
            ValueKind::Boolean(value) => Some(value),
            ValueKind::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        if value.is_none() {
            self.refuse(key, "it is neither true nor false".to_owned(), "write true or false".to_owned());
        }
        value
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.entry(key)?.value {
            ValueKind::String(text) => Some(text.trim().to_owned()),
            _ => {
                self.refuse(key, "it is not a text".to_owned(), "write it in quotation marks".to_owned());
                None
            }
        }
    }

    /// A text that `parse` turns into a type, or refuses.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let text = self.text(key)?;
        self.accept(key, parse(&text))
    }

    /// A list of texts; in the environment separated by commas, or a JSON array.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Option<Vec<T>> {
        let texts = match self.entry(key)?.value {
            ValueKind::Array(values) => values.into_iter().map(element).collect(),
            ValueKind::String(text) => split(&text),
            _ => None,
        };
        let Some(texts) = texts else {
            self.refuse(
                key,
                "it is not a list of texts".to_owned(),
                "write it as [\"first\", \"second\"]".to_owned(),
            );
            return None;
        };
        let items: Vec<_> = texts.iter().map(|text| self.accept(key, parse(text))).collect();
        items.into_iter().collect()
    }

    /// A program and its arguments; in the environment a JSON array, as arguments may hold commas.
    pub(super) fn words(&mut self, key: &str) -> Option<Vec<String>> {
        let words = match self.entry(key)?.value {
            ValueKind::Array(values) => values.into_iter().map(element).collect(),
            ValueKind::String(text) if text.trim().is_empty() => Some(Vec::new()),
            ValueKind::String(text) => serde_json::from_str(&text).ok(),
            _ => None,
        };
        if words.is_none() {
            let remedy = "write it as [\"/path/of/program\", \"argument\"]".to_owned();
            self.refuse(key, "it is not a list of texts".to_owned(), remedy);
        }
        words
    }

    /// A secret: the key itself, or the trimmed content of the file that `<key>_file` names. The one
    /// from the higher source counts; both in one source are a contradiction. Empty means not set.
    pub(super) fn secret(&mut self, key: &str) -> Option<Given> {
        let file_key = format!("{key}_file");
        let (value, file) = (self.text(key), self.text(&file_key));
        let (value, file) = (value?, file?);
        match (value.is_empty(), file.is_empty()) {
            (true, true) => Some(Given { text: String::new(), file: None }),
            (false, true) => Some(Given { text: value, file: None }),
            (true, false) => self.secret_file(&file_key, file),
            (false, false) => match self.rank(key).cmp(&self.rank(&file_key)) {
                std::cmp::Ordering::Greater => Some(Given { text: value, file: None }),
                std::cmp::Ordering::Less => self.secret_file(&file_key, file),
                std::cmp::Ordering::Equal => {
                    let remedy = format!("keep one of {key} and {file_key}");
                    self.refuse(key, format!("{file_key} is set as well"), remedy);
                    None
                }
            },
        }
    }

    pub(super) fn refuse(&mut self, key: &str, problem: String, remedy: String) {
        let problem = match self.layers.get(key).map(|entry| &entry.origin) {
            Some(Origin::Environment(name)) => format!("{problem} (set by {name})"),
            _ => problem,
        };
        self.problems.push(Problem::new(key, problem, remedy));
    }

    fn secret_file(&mut self, key: &str, path: String) -> Option<Given> {
        let path = PathBuf::from(path);
        match std::fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => {
                Some(Given { text: text.trim().to_owned(), file: Some(path) })
            }
            Ok(_) => {
                self.refuse(
                    key,
                    format!("{} is empty", path.display()),
                    "write the secret into it".to_owned(),
                );
                None
            }
            Err(error) => {
                let remedy = "give the path of a file that this user can read".to_owned();
                self.refuse(key, format!("{} cannot be read: {error}", path.display()), remedy);
                None
            }
        }
    }

    fn rank(&self, key: &str) -> u8 {
        match self.layers.get(key).map(|entry| &entry.origin) {
            None | Some(Origin::Default) => 0,
            Some(Origin::File) => 1,
            Some(Origin::Environment(_)) => 2,
        }
    }

    fn accept<T>(&mut self, key: &str, parsed: Result<T, Refusal>) -> Option<T> {
        parsed.map_err(|(problem, remedy)| self.refuse(key, problem, remedy)).ok()
    }

    fn entry(&mut self, key: &str) -> Option<Entry> {
        #[cfg(test)]
        self.read.insert(key.to_owned());
        let entry = self.layers.get(key).cloned();
        if entry.is_none() {
            let remedy = format!("report this; until then set {}", variable(key));
            self.problems.push(Problem::new(key, "the built-in defaults don't have it", remedy));
        }
        entry
    }
}

/// A secret's text and, when it came from one, its file.
pub(super) struct Given {
    pub text: String,
    pub file: Option<PathBuf>,
}

impl Given {
    /// The key that it was given by; none where it was not.
    pub(super) fn name(&self, key: &'static str) -> Option<&'static str> {
        match (&self.file, self.text.is_empty()) {
            (Some(_), _) if key == "secrets.master_key" => Some("secrets.master_key_file"),
            (_, false) => Some(key),
            _ => None,
        }
    }
}

fn element(value: Value) -> Option<String> {
    match value.kind {
        ValueKind::String(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

fn split(text: &str) -> Option<Vec<String>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    Some(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}
