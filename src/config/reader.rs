//! Typed reading of the merged settings. A read that fails records its problem and gives `None`, so
//! that all sections are read, and all problems known, before anything is refused.

use std::path::PathBuf;
use std::time::Duration;

use ::config::{Value, ValueKind};
use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::kinds::{
    Bool, Choice, Kind, List, Number, OrNever, Ratio, Seconds, SecretFile, SecretText, Setting, Span, Text,
    Whole, Words,
};
use super::layers::{Entry, Layers, Origin, variable};
use super::problem::Problem;
use super::table::ALGORITHMS;
use crate::model::Algorithm;

/// Why a value was refused: what is wrong, and the remedy.
pub(super) type Refusal = (String, String);

pub(super) fn algorithm(text: &str) -> Result<Algorithm, Refusal> {
    choice(text, ALGORITHMS)
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

    pub(super) fn number<T: TryFrom<i64>>(&mut self, setting: Setting<Number>) -> Option<T> {
        self.whole(&setting)
    }

    pub(super) fn duration<K: Span>(&mut self, setting: Setting<K>) -> Option<Duration> {
        self.whole(&setting).map(K::of)
    }

    /// A duration as moments are counted (`model::Timestamp`).
    pub(super) fn seconds(&mut self, setting: Setting<Seconds>) -> Option<i64> {
        self.whole(&setting)
    }

    /// The outer `None` is a refused value, the inner one is "never".
    pub(super) fn lifetime<K: OrNever>(&mut self, setting: Setting<K>) -> Option<Option<i64>> {
        let never = match &self.entry(setting.key)?.value {
            ValueKind::I64(value) => *value == -1,
            ValueKind::String(text) => text.trim() == "-1",
            _ => false,
        };
        if never { Some(None) } else { self.whole(&setting).map(Some) }
    }

    fn whole<K: Whole, T: TryFrom<i64>>(&mut self, setting: &Setting<K>) -> Option<T> {
        let value = match self.entry(setting.key)?.value {
            ValueKind::I64(value) => Some(value),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let range = setting.kind.range();
        let accepted = value.filter(|value| range.contains(value)).and_then(|value| T::try_from(value).ok());
        if accepted.is_none() {
            let problem =
                value.map_or("it is not a whole number".to_owned(), |v| format!("{v} is out of range"));
            self.refuse(setting.key, problem, format!("give {}", setting.kind.accepts()));
        }
        accepted
    }

    pub(super) fn ratio(&mut self, Setting { key, kind }: Setting<Ratio>) -> Option<f64> {
        let value = match self.entry(key)?.value {
            ValueKind::Float(value) => Some(value),
            ValueKind::I64(value) => i32::try_from(value).ok().map(f64::from),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let accepted = value.filter(|value| (0.0..=1.0).contains(value));
        if accepted.is_none() {
            let problem = "it is not a share of the whole".to_owned();
            self.refuse(key, problem, format!("give {}", kind.accepts()));
        }
        accepted
    }

    pub(super) fn boolean(&mut self, Setting { key, kind }: Setting<Bool>) -> Option<bool> {
        let value = match self.entry(key)?.value {
            ValueKind::Boolean(value) => Some(value),
            ValueKind::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        if value.is_none() {
            let problem = "it is neither true nor false".to_owned();
            self.refuse(key, problem, format!("write {}", kind.accepts()));
        }
        value
    }

    pub(super) fn text(&mut self, setting: Setting<Text>) -> Option<String> {
        self.string(setting.key)
    }

    fn string(&mut self, key: &str) -> Option<String> {
        match self.entry(key)?.value {
            ValueKind::String(text) => Some(text.trim().to_owned()),
            _ => {
                self.refuse(key, "it is not a text".to_owned(), "write it in quotation marks".to_owned());
                None
            }
        }
    }

    /// One of an enum's serde names.
    pub(super) fn choice<T: DeserializeOwned>(
        &mut self,
        Setting { key, kind }: Setting<Choice>,
    ) -> Option<T> {
        let text = self.string(key)?;
        self.accept(key, choice(&text, &kind.accepts()))
    }

    /// A text that `parse` turns into a type, or refuses.
    pub(super) fn parsed<T>(
        &mut self,
        Setting { key, .. }: Setting<Text>,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let text = self.string(key)?;
        self.accept(key, parse(&text))
    }

    pub(super) fn list<T>(
        &mut self,
        Setting { key, kind }: Setting<List>,
        parse: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Option<Vec<T>> {
        let texts = match self.entry(key)?.value {
            ValueKind::Array(values) => values.into_iter().map(element).collect(),
            ValueKind::String(text) => split(&text),
            _ => None,
        };
        let Some(texts) = texts else {
            let remedy = "write it as [\"first\", \"second\"]".to_owned();
            self.refuse(key, format!("it is not {}", kind.accepts()), remedy);
            return None;
        };
        let items: Vec<_> = texts.iter().map(|text| self.accept(key, parse(text))).collect();
        items.into_iter().collect()
    }

    pub(super) fn words(&mut self, Setting { key, kind }: Setting<Words>) -> Option<Vec<String>> {
        let words = match self.entry(key)?.value {
            ValueKind::Array(values) => values.into_iter().map(element).collect(),
            ValueKind::String(text) if text.trim().is_empty() => Some(Vec::new()),
            ValueKind::String(text) => serde_json::from_str(&text).ok(),
            _ => None,
        };
        if words.is_none() {
            let remedy = "write it as [\"/path/of/program\", \"argument\"]".to_owned();
            self.refuse(key, format!("it is not {}", kind.accepts()), remedy);
        }
        words
    }

    /// A secret: itself, or the trimmed content of the file that is named for it. The one from the higher source counts;
    /// both in one source are a contradiction. Empty means not set.
    pub(super) fn secret(&mut self, secret: Setting<SecretText>, file: Setting<SecretFile>) -> Option<Given> {
        let (key, file_key) = (secret.key, file.key);
        let (value, file) = (self.string(key), self.string(file_key));
        let (value, file) = (value?, file?);
        match (value.is_empty(), file.is_empty()) {
            (_, true) => Some(Given { text: value, key }),
            (true, false) => self.secret_file(file_key, file),
            (false, false) => match self.rank(key).cmp(&self.rank(file_key)) {
                std::cmp::Ordering::Greater => Some(Given { text: value, key }),
                std::cmp::Ordering::Less => self.secret_file(file_key, file),
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

    fn secret_file(&mut self, key: &'static str, path: String) -> Option<Given> {
        let path = PathBuf::from(path);
        match std::fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => Some(Given { text: text.trim().to_owned(), key }),
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

/// A secret's text, and the key that it was given by.
pub(super) struct Given {
    pub text: String,
    pub key: &'static str,
}

impl Given {
    /// The key that it was given by; none where it was not.
    pub(super) fn name(&self) -> Option<&'static str> {
        (!self.text.is_empty()).then_some(self.key)
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
