//! What the server notes about itself: numbers for a scrape (`metrics`), and where the time of one request went, for the
//! log of slow ones.
//!
//! Every number has a fixed place that is found by an enum's index, so that noting something costs an addition: no
//! lookup by name, no allocation. Labels are a few words of ours; what a client or a stranger sends never becomes one.

mod connections;
mod counts;
mod durations;
mod endpoint;
mod events;
mod requests;
pub(crate) mod span;
mod spent;

pub use connections::{Connections, Listener, Open};
pub use counts::{Counts, Label};
pub use durations::Durations;
pub use endpoint::Endpoint;
pub use events::{Attempt, Delivery, Events, Login, Purge, Replay, Table};
pub use requests::{Observed, Outcome, Requests, Watch};
pub use spent::{Spent, swap};

use std::time::Duration;

/// Seconds between the buckets of what a person or another server waits for.
pub const WAITS: [f64; 13] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// The same for what a computer does by itself.
pub const WORK: [f64; 10] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1];

/// An enum whose values are labels: its places in order, and the word for each.
macro_rules! labels {
    ($(#[$note:meta])* $name:ident { $($(#[$about:meta])* $value:ident => $text:literal,)+ }) => {
        $(#[$note])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $value,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            pub fn text(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl $crate::observe::Label for $name {
            const MOST: usize = Self::ALL.len();

            fn index(self) -> usize {
                self as usize
            }

            fn shown_from_the_start() -> impl Iterator<Item = Self> {
                Self::ALL.iter().copied()
            }
        }
    };
}
pub(crate) use labels;

/// A hash of a password was made or checked; `waited` is what the request waited for it, its queue included.
pub fn hashed(waited: Duration) {
    spent::note(|spent| spent.hashing += nanoseconds(waited));
}

/// A token was signed.
pub fn signed(took: Duration) {
    spent::note(|spent| spent.signing += nanoseconds(took));
}

/// A statement was answered.
pub fn stated(took: Duration) {
    spent::note(|spent| {
        spent.database += nanoseconds(took);
        spent.statements += 1;
    });
}

/// A connection to the database was waited for.
pub fn waited_for_connection(waited: Duration) {
    spent::note(|spent| spent.pool += nanoseconds(waited));
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
