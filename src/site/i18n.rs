//! The message catalogue: every text a person reads, one TOML file a language, embedded.

use std::collections::HashMap;
use std::sync::LazyLock;

use time::OffsetDateTime;

/// The languages we speak; the first is the one for everybody else.
const FILES: [&str; 2] = [include_str!("../../messages/en.toml"), include_str!("../../messages/de.toml")];

/// A file that does not parse is left out here; a test makes sure that none is.
static LANGUAGES: LazyLock<Vec<Messages>> =
    LazyLock::new(|| FILES.iter().filter_map(|file| Messages::parse(file).ok()).collect());

static NOTHING: LazyLock<Messages> = LazyLock::new(Messages::default);

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// All texts of one language, by key (`login.title`).
#[derive(Debug, Default)]
pub struct Messages {
    texts: HashMap<String, String>,
}

/// A stretch of a message: our own words, or a value put in for a placeholder.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub is_value: bool,
}

impl Messages {
    fn parse(file: &str) -> Result<Self, toml::de::Error> {
        let mut texts = HashMap::new();
        flatten("", &toml::from_str(file)?, &mut texts);
        Ok(Self { texts })
    }

    /// The text of a key. An unknown key is shown as it is: ugly, but the page still works.
    pub fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.texts.get(key).map_or(key, String::as_str)
    }

    /// The text of a key with its placeholders filled in.
    pub fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.phrase(key, values).into_iter().map(|piece| piece.text).collect()
    }

    /// The same in pieces, so that a page can set the values apart (in `<bdi>`, because a name may run
    /// in the other direction than the sentence around it).
    pub fn phrase(&self, key: &str, values: &[(&str, &str)]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = self.get(key);
        while let Some((before, name, after)) = next_placeholder(rest) {
            push(&mut pieces, before, false);
            match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => push(&mut pieces, value, true),
                None => push(&mut pieces, name, false),
            }
            rest = after;
        }
        push(&mut pieces, rest, false);
        pieces
    }

    /// The language tag (BCP 47), for `<html lang>`.
    pub fn tag(&self) -> &str {
        self.get("meta.tag")
    }

    /// `ltr` or `rtl`, for `<html dir>`.
    pub fn direction(&self) -> &str {
        self.get("meta.direction")
    }

    /// A day in the order and words of the language. Days are UTC: we don't know where the reader is.
    pub fn date(&self, unix_seconds: i64) -> String {
        let Ok(at) = OffsetDateTime::from_unix_timestamp(unix_seconds) else {
            return String::new();
        };
        let month = format!("date.month_{}", u8::from(at.month()));
        let (day, year) = (at.day().to_string(), at.year().to_string());
        self.with("date.pattern", &[("day", &day), ("month", self.get(&month)), ("year", &year)])
    }

    /// How long ago something was, as roughly as a person needs it: no seconds, no time zones.
    pub fn when(&self, unix_seconds: i64, now: i64) -> String {
        match now.saturating_sub(unix_seconds) {
            ..HOUR => self.get("date.hour").to_owned(),
            HOUR..DAY => self.get("date.today").to_owned(),
            _ => self.with("date.on", &[("date", &self.date(unix_seconds))]),
        }
    }

    /// A number of seconds to wait; of minutes, if there are many.
    pub fn wait(&self, seconds: i64) -> String {
        let (one, many, count) = match seconds {
            ..=90 => ("wait.second", "wait.seconds", seconds.max(1)),
            _ => ("wait.minute", "wait.minutes", seconds.saturating_add(MINUTE - 1) / MINUTE),
        };
        if count == 1 { self.get(one).to_owned() } else { self.with(many, &[("count", &count.to_string())]) }
    }

    /// How long ago something was that lives for minutes.
    pub fn minutes_ago(&self, unix_seconds: i64, now: i64) -> String {
        match now.saturating_sub(unix_seconds) / MINUTE {
            ..2 => self.get("date.now").to_owned(),
            minutes => self.with("date.minutes", &[("count", &minutes.to_string())]),
        }
    }
}

fn flatten(prefix: &str, table: &toml::Table, texts: &mut HashMap<String, String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            toml::Value::String(text) => {
                texts.insert(key, text.clone());
            }
            _ => {}
        }
    }
}

fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn push(pieces: &mut Vec<Piece>, text: &str, is_value: bool) {
    if !text.is_empty() {
        pieces.push(Piece { text: text.to_owned(), is_value });
    }
}

/// The language for a page: `ui_locales` (OpenID Connect Core 3.1.2.1) first, then `Accept-Language`
/// (RFC 9110 12.5.4), then English.
pub(crate) fn choose(ui_locales: Option<&str>, accept_language: Option<&str>) -> &'static Messages {
    let asked = ui_locales.unwrap_or_default().split_whitespace();
    asked
        .chain(accepted(accept_language.unwrap_or_default()))
        .find_map(find)
        .or_else(|| LANGUAGES.first())
        .unwrap_or(&NOTHING)
}

/// The tags of the languages we speak.
pub(crate) fn languages() -> impl Iterator<Item = &'static str> {
    LANGUAGES.iter().map(Messages::tag)
}

/// Longer tags match the language they begin with: `de-CH` is served by `de` (RFC 4647 3.4).
fn find(tag: &str) -> Option<&'static Messages> {
    let primary = tag.split(['-', '_']).next().unwrap_or(tag);
    let same = |wanted: &str| LANGUAGES.iter().find(|messages| messages.tag().eq_ignore_ascii_case(wanted));
    same(tag).or_else(|| same(primary))
}

/// The tags of an `Accept-Language` header, best first; those with `q=0` are not wanted.
fn accepted(header: &str) -> Vec<&str> {
    let mut tags: Vec<(f32, &str)> = header.split(',').take(32).filter_map(weighted).collect();
    tags.sort_by(|one, other| other.0.total_cmp(&one.0));
    tags.into_iter().map(|(_, tag)| tag).collect()
}

fn weighted(item: &str) -> Option<(f32, &str)> {
    let (tag, parameter) = item.split_once(';').unwrap_or((item, "q=1"));
    let weight = parameter.trim().strip_prefix("q=")?.trim().parse::<f32>().ok()?;
    (weight > 0.0).then_some((weight, tag.trim()))
}

#[cfg(test)]
impl Messages {
    /// English written from right to left, to look at the pages in that direction.
    pub fn mirrored() -> Self {
        let mut mirrored = Self::parse(FILES[0]).unwrap();
        for text in mirrored.texts.values_mut() {
            *text = format!("\u{200f}\u{202e}{text}\u{202c}\u{200f}")
                .replace('{', "\u{202c}{")
                .replace('}', "}\u{202e}");
        }
        mirrored.texts.insert("meta.tag".into(), "ar".into());
        mirrored.texts.insert("meta.direction".into(), "rtl".into());
        mirrored
    }

    pub fn all() -> &'static [Self] {
        &LANGUAGES
    }

    pub fn keys(&self) -> std::collections::BTreeSet<&str> {
        self.texts.keys().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(mut text: &str) -> Vec<&str> {
        let mut names = Vec::new();
        while let Some((_, name, after)) = next_placeholder(text) {
            names.push(name);
            text = after;
        }
        names.sort_unstable();
        names
    }

    #[test]
    fn every_language_has_the_same_keys_and_placeholders() {
        assert_eq!(LANGUAGES.len(), FILES.len(), "a message file does not parse");
        let english = &LANGUAGES[0];
        for other in LANGUAGES.iter() {
            assert_eq!(english.keys(), other.keys(), "keys of {}", other.tag());
            for key in english.keys() {
                let (ours, theirs) = (placeholders(english.get(key)), placeholders(other.get(key)));
                assert_eq!(ours, theirs, "placeholders of {key} in {}", other.tag());
                assert!(!other.get(key).trim().is_empty(), "{key} is empty in {}", other.tag());
            }
        }
    }

    #[test]
    fn the_request_decides_the_language_before_the_browser() {
        let tag = |ui, accept| choose(ui, accept).tag();
        assert_eq!(tag(None, None), "en");
        assert_eq!(tag(Some("fr-CA de-AT en"), Some("en")), "de");
        assert_eq!(tag(Some("xx"), Some("en;q=0.5, DE-ch;q=0.8")), "de");
        assert_eq!(tag(None, Some("de;q=0, *")), "en");
        assert_eq!(tag(Some(""), Some("; ;;q=,,q=1,de;q=nonsense")), "en");
    }

    #[test]
    fn a_value_is_never_read_for_placeholders() {
        let english = choose(None, None);
        assert_eq!(english.with("login.continue", &[("app", "{app}")]), "to continue to {app}");
        let pieces = english.phrase("login.continue", &[("app", "Acme")]);
        assert_eq!(pieces[1], Piece { text: "Acme".into(), is_value: true });
    }

    #[test]
    fn dates_follow_the_language() {
        let at = 1_772_539_200; // 3 March 2026, noon
        assert_eq!(choose(Some("en"), None).date(at), "3 March 2026");
        assert_eq!(choose(Some("de"), None).date(at), "3. März 2026");
        assert_eq!(choose(None, None).when(at, at + 60), "within the last hour");
        assert_eq!(choose(None, None).when(at, at + 7200), "within the last 24 hours");
        assert_eq!(choose(None, None).when(at, at + 2 * DAY), "on 3 March 2026");
        assert_eq!(choose(None, None).date(i64::MAX), "");
        let waits = [0, 1, 2, 90, 91, 120, 121, 900].map(|seconds| choose(None, None).wait(seconds));
        let minutes = ["one second", "one second", "2 seconds", "90 seconds", "2 minutes", "2 minutes"];
        assert_eq!(
            (&waits[..6], &*waits[6], &*waits[7]),
            (&minutes.map(String::from)[..], "3 minutes", "15 minutes")
        );
    }
}
