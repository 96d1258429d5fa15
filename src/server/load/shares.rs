//! How much of something each household holds, so that none takes it all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::time::Instant;

use crate::model::Household;

/// The log says that an address wants more than its share, but not each time.
const A_LINE_EVERY: Duration = Duration::from_secs(60);

/// What every household may hold of one thing.
pub(crate) struct Shares {
    most: usize,
    /// Every request is in it for a while, so its hash is a fast one. It has a seed, and no more entries than there are
    /// connections.
    held: Mutex<HashMap<Household, usize, RandomState>>,
    told: Mutex<Option<Instant>>,
}

/// One more that a household holds, until it is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    of: Household,
}

impl Shares {
    /// At most so many for each.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default(), told: Mutex::default() })
    }

    /// One more for this household; none when it holds as many as one may.
    pub(crate) fn take(self: &Arc<Self>, of: Household) -> Option<Share> {
        self.add(of, self.most).then(|| Share { shares: Arc::clone(self), of })
    }

    /// The same of so many, to be given back by [`Self::remove`].
    pub(super) fn add(&self, of: Household, most: usize) -> bool {
        let mut held = self.held();
        let count = held.entry(of).or_default();
        let within = *count < most;
        *count += usize::from(within);
        within
    }

    /// One more whether or not it is one too many: it had been taken on before.
    pub(super) fn add_again(&self, of: Household) {
        *self.held().entry(of).or_default() += 1;
    }

    pub(super) fn remove(&self, of: Household) {
        if let Entry::Occupied(mut count) = self.held().entry(of) {
            match count.get() {
                0 | 1 => drop(count.remove()),
                _ => *count.get_mut() -= 1,
            }
        }
    }

    /// Whether it is time to say again that somebody wanted more than their share.
    pub(crate) fn is_to_be_told(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = told.is_none_or(|told| told.elapsed() > A_LINE_EVERY);
        if is_time {
            *told = Some(Instant::now());
        }
        is_time
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Household, usize, RandomState>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.remove(self.of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Household {
        Household::of(text.parse().unwrap())
    }

    #[test]
    fn a_household_has_its_share_and_gets_back_what_it_gives_up() {
        let shares = Shares::new(2);
        let held: Vec<_> = (0..2).map(|_| shares.take(of("192.0.2.1")).unwrap()).collect();
        assert!(shares.take(of("192.0.2.1")).is_none());
        assert!(shares.take(of("::ffff:192.0.2.1")).is_none());
        assert!(shares.take(of("192.0.2.2")).is_some());
        drop(held);
        assert!(shares.take(of("192.0.2.1")).is_some());
        assert!(shares.held().is_empty(), "what nobody holds takes no memory");
    }

    #[test]
    fn the_addresses_of_one_household_share() {
        let shares = Shares::new(1);
        let _held = shares.take(of("2001:db8:1:2::1")).unwrap();
        assert!(shares.take(of("2001:db8:1:2:ffff::9")).is_none());
        assert!(shares.take(of("2001:db8:1:3::1")).is_some());
    }
}
