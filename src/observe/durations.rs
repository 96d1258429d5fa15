//! Histograms of seconds by label, each made when its label is first met.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

use super::Label;

/// How long something took, by label.
pub struct Durations<L> {
    buckets: &'static [f64],
    places: Box<[OnceLock<(L, Histogram)>]>,
}

impl<L: Label> Durations<L> {
    pub fn new(buckets: &'static [f64]) -> Self {
        let durations = Self { buckets, places: (0..L::MOST).map(|_| OnceLock::new()).collect() };
        for label in L::shown_from_the_start() {
            durations.of(label);
        }
        durations
    }

    pub fn note(&self, label: L, took: Duration) {
        if let Some(histogram) = self.of(label) {
            histogram.observe(took.as_secs_f64());
        }
    }

    pub fn of(&self, label: L) -> Option<&Histogram> {
        let place = self.places.get(label.index())?;
        Some(&place.get_or_init(|| (label, Histogram::new(self.buckets.iter().copied()))).1)
    }

    /// The labels that were met, each with its histogram.
    pub fn each(&self) -> impl Iterator<Item = (L, &Histogram)> {
        self.places.iter().filter_map(|place| place.get().map(|(label, histogram)| (*label, histogram)))
    }
}
