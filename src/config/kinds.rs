//! What the value of a setting may be. Each kind is a type, so that a setting is read as what the table says it is.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A line of the table.
pub(super) struct Setting<K> {
    pub key: &'static str,
    pub kind: K,
}

pub(super) trait Kind {
    /// What is accepted, as an error and docs/settings.md say it.
    fn accepts(&self) -> String;
}

/// A whole number within a range.
pub(super) trait Whole: Kind {
    fn range(&self) -> &RangeInclusive<i64>;
}

/// How long something is: so many of a unit.
pub(super) trait Span: Whole {
    fn of(number: u64) -> Duration;
}

/// How long something is, in the unit of its key, or -1 for never.
pub(super) trait OrNever: Whole {}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $accepts:literal,)+) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl Kind for $name {
            fn accepts(&self) -> String {
                $accepts.to_owned()
            }
        }
    )+};
}

texts! {
    /// Further rules are where it is read.
    Text: "a text",
    /// The one of a secret that may be in a file instead.
    SecretText: "a text",
    /// That file.
    SecretFile: "a text",
    Bool: "true or false",
    /// A share of the whole.
    Ratio: "a number from 0 to 1, like 0.05",
    /// In the environment separated by commas, or a JSON array.
    List: "a list of texts",
    /// A program and its arguments; in the environment a JSON array, as arguments may hold commas.
    Words: "a list of texts",
}

/// One of some words.
pub(super) struct Choice(pub &'static str);

impl Kind for Choice {
    fn accepts(&self) -> String {
        self.0.to_owned()
    }
}

macro_rules! numbers {
    ($($name:ident $(: $never:literal)?,)+) => {$(
        pub(super) struct $name(pub RangeInclusive<i64>);

        impl Kind for $name {
            fn accepts(&self) -> String {
                let range = format!("a whole number from {} to {}", self.0.start(), self.0.end());
                range $(+ $never)?
            }
        }

        impl Whole for $name {
            fn range(&self) -> &RangeInclusive<i64> {
                &self.0
            }
        }
    )+};
}

numbers! {
    Number,
    Seconds,
    Milliseconds,
    SecondsOrNever: ", or -1 for never",
    DaysOrNever: ", or -1 for never",
}

impl Span for Seconds {
    fn of(number: u64) -> Duration {
        Duration::from_secs(number)
    }
}

impl Span for Milliseconds {
    fn of(number: u64) -> Duration {
        Duration::from_millis(number)
    }
}

impl OrNever for SecondsOrNever {}

impl OrNever for DaysOrNever {}
