//! Latencies in constant memory: 64 steps for each doubling, so a figure is exact to within 1.6 %.

use std::time::Duration;

const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = ((64 - STEP_BITS as usize) + 1) * STEPS as usize;

#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u32>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latency that `share` (0 to 1) of the requests did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return Duration::from_nanos(upper_bound(index));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEP_BITS;
    // The leading bit is implied by the shift, so each doubling takes STEPS buckets.
    (u64::from(shift + 1) * STEPS + ((nanos >> shift) - STEPS)) as usize
}

fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    ((index % STEPS + STEPS) << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..2000).chain([4_095, 4_096, 999_999, 1_000_000, 10_000_000_000, u64::MAX]) {
            let upper = upper_bound(bucket(value));
            assert!(upper >= value, "{value} above {upper}");
            assert!(upper - value <= value / STEPS, "{value} too far below {upper}");
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_of_a_known_set() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|millis| histogram.record(Duration::from_millis(millis)));
        let close = |share, millis: f64| {
            let found = histogram.quantile(share).as_secs_f64() * 1000.0;
            assert!((found - millis).abs() <= millis * 0.016, "{share}: {found} instead of {millis}");
        };
        close(0.5, 500.0);
        close(0.99, 990.0);
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
