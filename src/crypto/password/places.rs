//! The places before the threads that hash: so many in all, a share of them for one network, and two for one account.
//! Whoever has none is told at once, and what others do leaves them a place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Checks of one account at a time: one, and another one of somebody who guesses or of a person with two browsers.
const OF_ACCOUNT: usize = 2;
/// The share of one network.
const NETWORKS: usize = 4;

/// Who wants a password hashed.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// An account, or a part of what is done with it that has places of its own.
    pub account: &'a str,
    pub network: &'a str,
}

/// All places.
#[derive(Clone)]
pub(super) struct Places {
    most: usize,
    of_network: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    accounts: HashMap<String, usize>,
    networks: HashMap<String, usize>,
}

/// One place. It is free again when the last of its clones is dropped.
#[derive(Clone)]
pub struct Place(Arc<Held>);

struct Held {
    /// None: it is not counted.
    of: Option<(Places, String, String)>,
    alone: bool,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, of_network: (most / NETWORKS).max(OF_ACCOUNT), taken: Arc::default() }
    }

    /// None: there are too many, of all or of this asker.
    pub(super) fn take(&self, asker: &Asker<'_>) -> Option<Place> {
        let mut taken = self.taken();
        let of_account = taken.accounts.get(asker.account).copied().unwrap_or_default();
        let of_network = taken.networks.get(asker.network).copied().unwrap_or_default();
        if taken.all >= self.most || of_account >= OF_ACCOUNT || of_network >= self.of_network {
            return None;
        }
        taken.all += 1;
        let (account, network) = (asker.account.to_owned(), asker.network.to_owned());
        *taken.accounts.entry(account.clone()).or_default() += 1;
        *taken.networks.entry(network.clone()).or_default() += 1;
        let of = Some((self.clone(), account, network));
        Some(Place(Arc::new(Held { of, alone: of_account == 0 })))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// For an operator, who is nobody's neighbour.
    pub(super) fn uncounted() -> Self {
        Self(Arc::new(Held { of: None, alone: true }))
    }

    /// Whether the account had no other place when this one was taken.
    pub fn was_alone(&self) -> bool {
        self.0.alone
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some((places, account, network)) = &self.of else { return };
        let mut taken = places.taken();
        taken.all = taken.all.saturating_sub(1);
        give_back(&mut taken.accounts, account);
        give_back(&mut taken.networks, network);
    }
}

fn give_back(of: &mut HashMap<String, usize>, who: &str) {
    match of.get_mut(who) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(of.remove(who)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Places, account: &str, network: &str) -> Option<Place> {
        places.take(&Asker { account, network })
    }

    #[test]
    fn an_account_has_two_places_and_gets_back_what_it_gives_up() {
        let places = Places::new(100);
        let (first, second) = (take(&places, "ada", "1").unwrap(), take(&places, "ada", "2").unwrap());
        assert!(first.was_alone() && !second.was_alone());
        assert!(take(&places, "ada", "3").is_none());
        assert!(take(&places, "bob", "1").is_some());
        let job = first.clone();
        drop(first);
        assert!(take(&places, "ada", "3").is_none(), "it is still being hashed");
        drop(job);
        assert!(take(&places, "ada", "3").is_some());
        drop(second);
        assert!(places.taken().accounts.is_empty() && places.taken().networks.is_empty());
        assert_eq!(places.taken().all, 0, "what nobody holds takes no memory");
    }

    #[test]
    fn a_network_has_a_quarter_and_all_of_them_no_more_than_there_are() {
        let places = Places::new(65);
        let held: Vec<_> = (0..100).filter_map(|n| take(&places, &format!("a{n}"), "1")).collect();
        assert_eq!(held.len(), 16);
        let others: Vec<_> =
            (0..100).filter_map(|n| take(&places, &format!("b{n}"), &format!("{n}"))).collect();
        assert_eq!(held.len() + others.len(), 65);
    }
}
