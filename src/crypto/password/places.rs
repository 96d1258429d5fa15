//! The places before the threads that hash: so many in all, a quarter of them for one account and for one network, and two
//! for an account at one network. Whoever has none is told at once, and what others do leaves them a place.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Checks at a time of who is one person as far as is known: one, and another one of somebody who guesses, or of a second
/// browser.
const OF_ONE: usize = 2;
/// The share of an account or a network is one part of so many.
const PARTS: usize = 4;

/// So many memories of when somebody's place was given back: two share one now and then, at the cost of a statement.
const STRIPES: usize = 1024;

/// Who wants a password hashed.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who is one person as far as is known: an account at a network, in a browser, in a session.
    pub one: &'a str,
    pub account: &'a str,
    pub network: &'a str,
}

/// All places.
#[derive(Clone)]
pub(super) struct Places {
    most: usize,
    share: usize,
    taken: Arc<Mutex<Taken>>,
}

struct Taken {
    all: usize,
    by: HashMap<Key, usize>,
    /// How many were given back so far, and how many when one of the same stripe was last.
    given_back: u64,
    last: Vec<u64>,
    stripes: RandomState,
}

/// A moment in the life of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u64);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    One(String),
    Account(String),
    Network(String),
}

/// One place. It is free again when the last of its clones is dropped.
#[derive(Clone)]
pub struct Place(Arc<Held>);

struct Held {
    /// None: it is not counted.
    of: Option<(Places, [Key; 3])>,
    alone: bool,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        let taken = Taken {
            all: 0,
            by: HashMap::new(),
            given_back: 0,
            last: vec![0; STRIPES],
            stripes: RandomState::new(),
        };
        Self { most, share: (most / PARTS).max(OF_ONE), taken: Arc::new(Mutex::new(taken)) }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.taken().given_back)
    }

    /// None: there are too many, of all or of this asker, who knows what was so at that moment.
    pub(super) fn take(&self, asker: &Asker<'_>, since: Moment) -> Option<Place> {
        let keys = [
            Key::One(asker.one.to_owned()),
            Key::Account(asker.account.to_owned()),
            Key::Network(asker.network.to_owned()),
        ];
        let mut taken = self.taken();
        let [one, account, network] =
            keys.each_ref().map(|key| taken.by.get(key).copied().unwrap_or_default());
        if taken.all >= self.most || one >= OF_ONE || account.max(network) >= self.share {
            return None;
        }
        taken.all += 1;
        for key in &keys {
            *taken.by.entry(key.clone()).or_default() += 1;
        }
        let stripe = taken.stripe(asker.one);
        let alone = one == 0 && taken.last.get(stripe).is_some_and(|last| *last <= since.0);
        Some(Place(Arc::new(Held { of: Some((self.clone(), keys)), alone })))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn stripe(&self, one: &str) -> usize {
        self.stripes.hash_one(one) as usize % STRIPES
    }
}

impl Place {
    /// For an operator, who is nobody's neighbour.
    pub(super) fn uncounted() -> Self {
        Self(Arc::new(Held { of: None, alone: true }))
    }

    /// Whether the same one had no other place when this one was taken, and none was given back after the moment since
    /// which the asker knows how things are.
    pub fn was_alone(&self) -> bool {
        self.0.alone
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some((places, keys)) = &self.of else { return };
        let mut taken = places.taken();
        taken.all = taken.all.saturating_sub(1);
        taken.given_back += 1;
        if let [Key::One(one), ..] = keys {
            let (stripe, now) = (taken.stripe(one), taken.given_back);
            if let Some(last) = taken.last.get_mut(stripe) {
                *last = now;
            }
        }
        for key in keys {
            match taken.by.get_mut(key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(taken.by.remove(key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account at a network.
    fn take(places: &Places, account: &str, network: &str) -> Option<Place> {
        places.take(&Asker { one: &format!("{account} {network}"), account, network }, places.moment())
    }

    #[test]
    fn an_account_has_two_places_at_a_network_and_gets_back_what_it_gives_up() {
        let places = Places::new(100);
        let (first, second) = (take(&places, "ada", "1").unwrap(), take(&places, "ada", "1").unwrap());
        assert!(first.was_alone() && !second.was_alone());
        assert!(take(&places, "ada", "1").is_none());
        assert!(take(&places, "ada", "2").is_some() && take(&places, "bob", "1").is_some());
        let job = first.clone();
        drop(first);
        assert!(take(&places, "ada", "1").is_none(), "it is still being hashed");
        drop(job);
        assert!(take(&places, "ada", "1").is_some());
        drop(second);
        assert!(places.taken().by.is_empty(), "what nobody holds takes no memory");
        assert_eq!(places.taken().all, 0);
    }

    #[test]
    fn whoever_looked_before_another_one_was_done_was_not_alone() {
        let places = Places::new(100);
        let ada = Asker { one: "ada", account: "ada", network: "1" };
        let before = places.moment();
        let first = places.take(&ada, before).unwrap();
        let meanwhile = places.moment();
        drop(first);
        for (looked, alone) in [(before, false), (meanwhile, false), (places.moment(), true)] {
            assert_eq!(places.take(&ada, looked).unwrap().was_alone(), alone);
        }
    }

    #[test]
    fn an_account_and_a_network_have_a_quarter_and_all_of_them_no_more_than_there_are() {
        let places = Places::new(65);
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let network: Vec<_> = names.iter().filter_map(|name| take(&places, name, "one")).collect();
        let account: Vec<_> = names.iter().filter_map(|name| take(&places, "ada", name)).collect();
        assert_eq!((network.len(), account.len()), (16, 16));
        let others: Vec<_> = names.iter().filter_map(|name| take(&places, name, name)).collect();
        assert_eq!(others.len(), 65 - 32);
    }
}
