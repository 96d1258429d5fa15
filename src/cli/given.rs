//! What was given on the command line for something that has a preset.

use std::fmt::Debug;

use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::model::ScopeSet;
use crate::protocol::registration::InvalidMetadata;

/// A value, or the empty text, which goes back to what the profile presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given<T> {
    Preset,
    Is(T),
}

/// Puts what was given into `place`; what was not given stays.
pub(super) fn set<T>(place: &mut Option<T>, given: Option<Given<T>>) {
    match given {
        None => {}
        Some(Given::Preset) => *place = None,
        Some(Given::Is(value)) => *place = Some(value),
    }
}

/// A registered word, as it is written in the metadata.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<Given<T>, String> {
    if text.is_empty() {
        return Ok(Given::Preset);
    }
    let name: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(name).map(Given::Is).map_err(|error| error.to_string())
}

/// What `parse` reads, or the preset.
pub(super) fn or_preset<T: 'static, E: ToString + 'static>(
    parse: fn(&str) -> Result<T, E>,
) -> impl Fn(&str) -> Result<Given<T>, String> + Clone + Send + Sync + 'static {
    move |text| match text {
        "" => Ok(Given::Preset),
        text => parse(text).map(Given::Is).map_err(|error| error.to_string()),
    }
}

pub(super) fn within<const LEAST: i64, const MOST: i64>(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("write a number from {LEAST} to {MOST}"))
}

/// What was not given stays.
pub(super) fn put<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// An empty text clears.
pub(super) fn set_text(place: &mut Option<String>, given: Option<String>) {
    if let Some(given) = given {
        *place = Some(given).filter(|text| !text.is_empty());
    }
}

/// A list of scopes; what is wrong with it, if anything is.
pub(super) fn put_scope(
    place: &mut ScopeSet,
    given: Option<&str>,
    member: &'static str,
) -> Option<InvalidMetadata> {
    match given?.parse() {
        Ok(scope) => {
            *place = scope;
            None
        }
        Err(error) => Some(InvalidMetadata { member, problem: ToString::to_string(&error) }),
    }
}

/// One empty text clears.
pub(super) fn replace(place: &mut Vec<String>, given: Vec<String>) {
    if !given.is_empty() {
        *place = given.into_iter().filter(|text| !text.is_empty()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StatusProfile;

    #[test]
    fn a_word_that_is_not_known_names_those_that_are() {
        assert_eq!(word::<StatusProfile>(""), Ok(Given::Preset));
        assert!(word::<StatusProfile>("userinfo").unwrap_err().contains("userinfo_403"));
        assert_eq!(word::<StatusProfile>("userinfo_403"), Ok(Given::Is(StatusProfile::Userinfo403)));
    }

    #[test]
    fn an_empty_text_is_the_preset_of_anything() {
        let number = or_preset(str::parse::<i64>);
        assert_eq!(number("-1"), Ok(Given::Is(-1)));
        assert_eq!(number(""), Ok(Given::Preset));
        assert!(number("1h").is_err());
    }
}
