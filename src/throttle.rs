//! Guessing is slow. After a number of wrong passwords an account is refused to an address, an address to all accounts,
//! and at last an account to everybody; after a number of wrong user codes (RFC 8628 5.1) a user and an address; each for
//! the rest of a quarter of an hour. Registrations of clients are counted as well.
//!
//! The counts are in the memory of this process: with several replicas the limits multiply by their number.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::cache::{self, Cache};
use crate::crypto::digest;
use crate::model::{Household, Timestamp, UserId};

/// Seconds after which a count begins anew.
const WINDOW: i64 = 900;
/// Counts kept at once; what was used the longest ago goes first.
const MOST: u64 = 100_000;
/// Wrong passwords in a window, for one account from one address.
const PER_PAIR: u32 = 10;
/// From one address, for all accounts: an office may share one.
const PER_ADDRESS: u32 = 100;
/// For one account, from all addresses.
const PER_ACCOUNT: u32 = 100;
/// Wrong user codes in a window, of one user, whatever sessions they make, and from one address.
const USER_CODES: u32 = 10;

/// Counts what was wrong.
pub struct Throttle(Cache<[u8; 32], Arc<Window>>);

struct Window {
    since: Timestamp,
    failures: AtomicU32,
}

/// What is guessed.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The password of the account with this name, as it was typed.
    Account(&'a str),
    /// A device's user code, by this user.
    UserCode(&'a UserId),
    /// A client's registration, of which an address may ask for this many.
    Registration { most: u32 },
}

/// One attempt that may be a guess.
pub struct Attempt<'a> {
    pub subject: Subject<'a>,
    pub address: &'a str,
    pub now: Timestamp,
}

impl Default for Throttle {
    fn default() -> Self {
        Self(cache::recent(MOST).time_to_live(Duration::from_secs(WINDOW as u64)).build())
    }
}

impl Throttle {
    /// Whether an attempt may be made at all.
    pub fn allows(&self, attempt: &Attempt<'_>) -> bool {
        attempt.limits().iter().all(|(key, most)| self.failures(key, attempt.now) < *most)
    }

    /// Notes that an attempt failed.
    pub fn failed(&self, attempt: &Attempt<'_>) {
        self.admits(attempt);
    }

    /// For what is limited whether or not it works out: counts the attempt and says whether it may be made.
    pub fn admits(&self, attempt: &Attempt<'_>) -> bool {
        let mut within = true;
        for (key, most) in attempt.limits() {
            let current = self.0.get(&key).filter(|window| window.is_open(attempt.now));
            let window = current.unwrap_or_else(|| {
                let fresh = Arc::new(Window { since: attempt.now, failures: AtomicU32::new(0) });
                self.0.insert(key, Arc::clone(&fresh));
                fresh
            });
            within &= window.failures.fetch_add(1, Ordering::Relaxed) < most;
        }
        within
    }

    /// How many are cached.
    pub fn entries(&self) -> u64 {
        cache::entries(&self.0)
    }

    fn failures(&self, key: &[u8; 32], now: Timestamp) -> u32 {
        let open = self.0.get(key).filter(|window| window.is_open(now));
        open.map_or(0, |window| window.failures.load(Ordering::Relaxed))
    }
}

impl Window {
    fn is_open(&self, now: Timestamp) -> bool {
        now.since(self.since) < WINDOW
    }
}

impl Attempt<'_> {
    fn limits(&self) -> Vec<([u8; 32], u32)> {
        let network = network(self.address);
        let key = |parts: [&str; 3]| digest::sha256(parts.join("\n").as_bytes());
        match self.subject {
            Subject::Account(typed) => {
                let account = typed.trim().to_lowercase();
                vec![
                    (key(["pair", &account, &network]), PER_PAIR),
                    (key(["address", "", &network]), PER_ADDRESS),
                    (key(["account", &account, ""]), PER_ACCOUNT),
                ]
            }
            Subject::UserCode(user) => vec![
                (key(["user codes of a user", user.as_str(), ""]), USER_CODES),
                (key(["user codes of an address", "", &network]), USER_CODES),
            ],
            Subject::Registration { most } => {
                vec![(key(["registrations of an address", "", &network]), most)]
            }
        }
    }
}

/// Those whose address cannot be read are one.
fn network(address: &str) -> String {
    let address: Option<IpAddr> = address.parse().ok();
    address.map(|address| Household::of(address).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{Attempt, MOST, PER_ACCOUNT, PER_ADDRESS, PER_PAIR, Subject, Throttle, USER_CODES, WINDOW};
    use crate::model::{Timestamp, UserId};

    fn attempt<'a>(account: &'a str, address: &'a str, second: i64) -> Attempt<'a> {
        Attempt { subject: Subject::Account(account), address, now: Timestamp::from_unix(second) }
    }

    #[test]
    fn user_codes_are_refused_to_a_user_and_to_an_address_after_ten_failures() {
        let throttle = Throttle::default();
        let (ada, bob) = (UserId::new("ada"), UserId::new("bob"));
        let attempt = |user, address, second| Attempt {
            subject: Subject::UserCode(user),
            address,
            now: Timestamp::from_unix(second),
        };
        for _ in 0..USER_CODES {
            assert!(throttle.allows(&attempt(&ada, "192.0.2.1", 0)));
            throttle.failed(&attempt(&ada, "192.0.2.1", 0));
        }
        assert!(!throttle.allows(&attempt(&ada, "192.0.2.2", 0)));
        assert!(!throttle.allows(&attempt(&bob, "192.0.2.1", WINDOW - 1)));
        assert!(throttle.allows(&attempt(&bob, "192.0.2.2", 0)));
        assert!(throttle.allows(&attempt(&ada, "192.0.2.1", WINDOW)));
        assert!(
            throttle.allows(&self::attempt("ada", "192.0.2.1", 0)),
            "passwords are counted by themselves"
        );
    }

    #[test]
    fn an_account_is_refused_to_an_address_after_ten_failures_until_the_window_ends() {
        let throttle = Throttle::default();
        for _ in 0..PER_PAIR {
            assert!(throttle.allows(&attempt("ada", "192.0.2.1", 0)));
            throttle.failed(&attempt("ada", "192.0.2.1", 0));
        }
        assert!(!throttle.allows(&attempt("ADA ", "192.0.2.1", WINDOW - 1)));
        assert!(throttle.allows(&attempt("ada", "192.0.2.2", 0)));
        assert!(throttle.allows(&attempt("bob", "192.0.2.1", 0)));
        assert!(throttle.allows(&attempt("ada", "192.0.2.1", WINDOW)));
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_refused() {
        let throttle = Throttle::default();
        for number in 0..PER_ADDRESS {
            throttle.failed(&attempt(&format!("user-{number}"), "2001:db8:0:1::1", 0));
        }
        assert!(!throttle.allows(&attempt("another", "2001:db8:0:1:ffff::2", 0)));
        assert!(throttle.allows(&attempt("another", "2001:db8:0:2::1", 0)));
    }

    #[test]
    fn an_account_that_many_addresses_try_is_refused() {
        let throttle = Throttle::default();
        for number in 0..PER_ACCOUNT {
            throttle.failed(&attempt("ada", &format!("192.0.2.{number}"), 0));
        }
        assert!(!throttle.allows(&attempt("ada", "198.51.100.1", 0)));
    }

    #[test]
    fn somebody_new_is_counted_however_many_others_were_and_however_often() {
        let throttle = Throttle::default();
        let now = Timestamp::from_unix(0);
        let others: Vec<String> = (0..MOST as u32).map(|number| Ipv4Addr::from(number).to_string()).collect();
        let register = |address, most| {
            let within = throttle.admits(&Attempt { subject: Subject::Registration { most }, address, now });
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
