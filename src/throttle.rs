//! Registrations of clients are counted: an address may ask for so many in a quarter of an hour. Wrong passwords and user
//! codes are counted elsewhere (`tries.rs`).
//!
//! The counts are in the memory of this process: with several replicas the limits multiply by their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::cache::{self, Cache};
use crate::model::{Household, Timestamp};

/// Seconds after which a count begins anew.
const WINDOW: i64 = 900;
/// Counts kept at once; what was used the longest ago goes first.
const MOST: u64 = 100_000;

/// Counts attempts.
pub struct Throttle(Cache<Option<Household>, Arc<Window>>);

struct Window {
    since: Timestamp,
    attempts: AtomicU32,
}

/// A client's registration, of which an address may ask for so many.
pub struct Attempt<'a> {
    pub most: u32,
    pub address: &'a str,
    pub now: Timestamp,
}

impl Default for Throttle {
    fn default() -> Self {
        Self(cache::recent(MOST).time_to_live(Duration::from_secs(WINDOW as u64)).build())
    }
}

impl Throttle {
    /// Counts an attempt, whether or not it works out, and says whether it may be made.
    pub fn admits(&self, attempt: &Attempt<'_>) -> bool {
        // Those whose address cannot be read are one.
        let key = Household::at(attempt.address);
        let current = self.0.get(&key).filter(|window| window.is_open(attempt.now));
        let window = current.unwrap_or_else(|| {
            let fresh = Arc::new(Window { since: attempt.now, attempts: AtomicU32::new(0) });
            self.0.insert(key, Arc::clone(&fresh));
            fresh
        });
        window.attempts.fetch_add(1, Ordering::Relaxed) < attempt.most
    }

    /// How many are cached.
    pub fn entries(&self) -> u64 {
        cache::entries(&self.0)
    }
}

impl Window {
    fn is_open(&self, now: Timestamp) -> bool {
        now.since(self.since) < WINDOW
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{Attempt, MOST, Throttle, WINDOW};
    use crate::model::Timestamp;

    #[test]
    fn a_household_is_admitted_so_often_until_its_window_ends() {
        let throttle = Throttle::default();
        let admits = |address, second| {
            throttle.admits(&Attempt { most: 2, address, now: Timestamp::from_unix(second) })
        };
        assert!(admits("2001:db8:0:1::1", 0) && admits("2001:db8:0:1:ffff::2", 0));
        assert!(!admits("2001:db8:0:1::3", WINDOW - 1) && admits("2001:db8:0:2::1", 0));
        assert!(admits("2001:db8:0:1::1", WINDOW));
    }

    #[test]
    fn somebody_new_is_counted_however_many_others_were_and_however_often() {
        let throttle = Throttle::default();
        let now = Timestamp::from_unix(0);
        let others: Vec<String> = (0..MOST as u32).map(|number| Ipv4Addr::from(number).to_string()).collect();
        let register = |address, most| {
            let within = throttle.admits(&Attempt { most, address, now });
            throttle.0.run_pending_tasks();
            within
        };
        let often = std::iter::repeat_n(&others[0], 100);
        for address in others.iter().chain(often).chain(&others[1..]) {
            register(address, 1);
        }
        assert!((0..3).all(|_| register("2001:db8::1", 3)));
        assert!(!register("2001:db8::1", 3));
    }
}
