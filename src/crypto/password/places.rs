//! The places before the threads that hash: so many in all, a quarter of them for one account and for one network, and two
//! for an account at one network. Whoever has none is told at once, and what others do leaves them a place.
//!
//! A place is taken in two steps. The first one needs only what came with the request, so that who is too much costs the
//! database nothing; the second one is about the account, once it is known.

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

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// What was typed at a network.
    Typed(String, String),
    Network(String),
    /// Who is one person as far as is known: an account at a network, in a browser, in a session.
    One(String),
    Account(String),
}

/// A place of somebody who is not known yet.
pub struct Entry {
    held: Held,
    /// How many had been given back.
    since: u64,
}

/// One place. It is free again when the last of its clones is dropped.
#[derive(Clone)]
pub struct Place(Arc<Seat>);

struct Seat {
    _entry: Option<Held>,
    _account: Option<Held>,
    alone: bool,
}

/// What is given back when it is dropped.
struct Held {
    places: Places,
    keys: [Key; 2],
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

    /// None: there are too many, of all, of this network, or of what was typed there.
    pub(super) fn enter(&self, network: &str, typed: &str) -> Option<Entry> {
        let mut taken = self.taken();
        let keys = [Key::Typed(network.to_owned(), typed.to_owned()), Key::Network(network.to_owned())];
        if taken.all >= self.most || !taken.add(&keys, self.share) {
            return None;
        }
        taken.all += 1;
        let since = taken.given_back;
        Some(Entry { held: Held { places: self.clone(), keys }, since })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Adds one to both, the first of which has few and the second one a share; false where one has no more.
    fn add(&mut self, keys: &[Key; 2], share: usize) -> bool {
        let [few, many] = keys.each_ref().map(|key| self.by.get(key).copied().unwrap_or_default());
        if few >= OF_ONE || many >= share {
            return false;
        }
        for key in keys {
            *self.by.entry(key.clone()).or_default() += 1;
        }
        true
    }

    fn stripe(&self, one: &str) -> usize {
        self.stripes.hash_one(one) as usize % STRIPES
    }
}

impl Entry {
    /// The place of somebody who is known now. None: there are too many of the account.
    pub(super) fn known(self, one: &str, account: &str) -> Option<Place> {
        let places = self.held.places.clone();
        let mut taken = places.taken();
        let keys = [Key::One(one.to_owned()), Key::Account(account.to_owned())];
        let stripe = taken.stripe(one);
        let others = taken.by.contains_key(&keys[0]);
        let alone = !others && taken.last.get(stripe).is_some_and(|last| *last <= self.since);
        let added = taken.add(&keys, places.share);
        drop(taken);
        added.then(|| {
            let account = Held { places, keys };
            Place(Arc::new(Seat { _entry: Some(self.held), _account: Some(account), alone }))
        })
    }
}

impl Place {
    /// For an operator, who is nobody's neighbour.
    pub(super) fn uncounted() -> Self {
        Self(Arc::new(Seat { _entry: None, _account: None, alone: true }))
    }

    /// Whether the same one had no other place since this one entered.
    pub fn was_alone(&self) -> bool {
        self.0.alone
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.given_back += 1;
        match &self.keys {
            [Key::One(one), _] => {
                let (stripe, now) = (taken.stripe(one), taken.given_back);
                if let Some(last) = taken.last.get_mut(stripe) {
                    *last = now;
                }
            }
            _ => taken.all = taken.all.saturating_sub(1),
        }
        for key in &self.keys {
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

    /// An account at a network, by its name.
    fn take(places: &Places, account: &str, network: &str) -> Option<Place> {
        places.enter(network, account)?.known(&format!("{account} {network}"), account)
    }

    #[test]
    fn an_account_has_two_places_at_a_network_and_gets_back_what_it_gives_up() {
        let places = Places::new(100);
        let (first, second) = (take(&places, "ada", "1").unwrap(), take(&places, "ada", "1").unwrap());
        assert!(first.was_alone() && !second.was_alone());
        assert!(take(&places, "ada", "1").is_none());
        assert!(take(&places, "ada", "2").is_some() && take(&places, "bob", "1").is_some());
        let mail = places.enter("1", "ada@mail.example").unwrap();
        assert!(mail.known("ada 1", "ada").is_none(), "by another name");
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
    fn what_was_typed_at_a_network_enters_twice_at_a_time() {
        let places = Places::new(100);
        let held: Vec<_> = (0..9).filter_map(|_| places.enter("1", "ada")).collect();
        assert_eq!(held.len(), 2);
        assert!(places.enter("2", "ada").is_some() && places.enter("1", "bob").is_some());
    }

    #[test]
    fn whoever_entered_before_another_one_was_done_was_not_alone() {
        let places = Places::new(100);
        let first = take(&places, "ada", "1").unwrap();
        let early = places.enter("1", "ada").unwrap();
        drop(first);
        let late = places.enter("1", "ada@mail.example").unwrap();
        assert!(!early.known("ada 1", "ada").unwrap().was_alone());
        drop(late);
        assert!(take(&places, "ada", "1").unwrap().was_alone());
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
