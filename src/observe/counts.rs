//! Counters by label.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A value with a place of its own among few.
pub trait Label: Copy + Send + Sync + 'static {
    /// How many places there are.
    const MOST: usize;

    fn index(self) -> usize;

    /// Those that are told even while their count is zero, so that the first one of them shows as an increase.
    fn shown_from_the_start() -> impl Iterator<Item = Self>;
}

/// Two labels at once: shown when they were met together.
impl<A: Label, B: Label> Label for (A, B) {
    const MOST: usize = A::MOST * B::MOST;

    fn index(self) -> usize {
        self.0.index() * B::MOST + self.1.index()
    }

    fn shown_from_the_start() -> impl Iterator<Item = Self> {
        std::iter::empty()
    }
}

/// How often each label was met.
pub struct Counts<L>(Box<[Place<L>]>);

struct Place<L> {
    label: OnceLock<L>,
    count: AtomicU64,
}

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        let place = |_| Place { label: OnceLock::new(), count: AtomicU64::new(0) };
        let counts = Self((0..L::MOST).map(place).collect());
        for label in L::shown_from_the_start() {
            counts.add(label, 0);
        }
        counts
    }
}

impl<L: Label> Counts<L> {
    pub fn one(&self, label: L) {
        self.add(label, 1);
    }

    pub fn add(&self, label: L, number: u64) {
        debug_assert!(label.index() < L::MOST, "a label without a place");
        if let Some(place) = self.0.get(label.index()) {
            place.label.get_or_init(|| label);
            place.count.fetch_add(number, Ordering::Relaxed);
        }
    }

    pub fn of(&self, label: L) -> u64 {
        self.0.get(label.index()).map_or(0, |place| place.count.load(Ordering::Relaxed))
    }

    /// The labels that are shown, each with its count.
    pub fn each(&self) -> impl Iterator<Item = (L, u64)> {
        self.0.iter().filter_map(|place| Some((*place.label.get()?, place.count.load(Ordering::Relaxed))))
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;
    use crate::observe::Login;

    #[test]
    fn every_value_of_a_label_is_shown_with_its_count() {
        let counts = Counts::<Login>::default();
        counts.one(Login::Wrong);
        counts.add(Login::Wrong, 2);
        assert_eq!(counts.each().count(), Login::ALL.len());
        assert_eq!((counts.of(Login::Wrong), counts.of(Login::Success)), (3, 0));
    }

    #[test]
    fn of_two_labels_only_what_was_met_together_is_shown() {
        let counts = Counts::<(Login, Login)>::default();
        counts.one((Login::Success, Login::Wrong));
        assert_eq!(counts.each().collect::<Vec<_>>(), [((Login::Success, Login::Wrong), 1)]);
    }
}
