//! What is kept for somebody of whom nothing is known yet: authorization requests that wait for a person, pushed ones that
//! wait for a browser, device authorizations that wait for an answer. Each takes a place of whoever brought it before it is
//! stored, and gives it back when a person has taken it up. So nobody fills the database by asking.
//!
//! The places are counted in the memory of this process, in quarters of an hour; with several replicas they multiply by
//! their number.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderValue;

use crate::model::{Client, ClientId, Household, NetworkAddress, Share, Timestamp};

/// Seconds after which all places are free again: what was stored before is gone soon after.
pub(crate) const WINDOW: i64 = 900;
pub(crate) const RETRY_AFTER: HeaderValue = HeaderValue::from_static("900");

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For one address; an IPv6 /64 is one.
    pub per_address: u32,
    /// For a client that has proven who it is, whatever its address.
    pub per_client: u32,
    pub all: u32,
}

/// Who takes a place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Somebody at an address. None: it could not be read.
    Address(Option<Household>),
    Client(ClientId),
}

/// The places that are taken.
pub struct Waiting {
    limits: Limits,
    /// What there are places for, and the settings that say how many.
    what: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: i64,
    taken: HashMap<Holder, u32>,
    all: u32,
    /// What was taken up, so that a form that is sent again and again frees no more than the one place. Each of these has
    /// taken a place before, so they are no more than those.
    given_back: HashSet<(Holder, String)>,
    told: bool,
}

/// There is no place left for this holder.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Holder {
    /// Whoever is at this address.
    pub fn at(address: NetworkAddress) -> Self {
        Self::Address(address.household())
    }

    /// The client where it has proven who it is; anybody can say to be a public one.
    pub fn of(client: &Client, address: NetworkAddress) -> Self {
        if client.is_confidential() { Self::Client(client.id.clone()) } else { Self::at(address) }
    }
}

impl Waiting {
    pub fn new(limits: Limits, what: &'static str) -> Self {
        Self { limits, what, state: Mutex::default() }
    }

    /// What `store` keeps, in a place of this holder that is taken before; it is free again where nothing was kept.
    pub async fn with_place<T, E>(
        &self,
        holder: Holder,
        now: impl Fn() -> Timestamp,
        store: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Full> {
        self.take(holder.clone(), now())?;
        let stored = store.await;
        if stored.is_err() {
            self.undo(&holder, now());
        }
        Ok(stored)
    }

    fn take(&self, holder: Holder, now: Timestamp) -> Result<(), Full> {
        let most = match holder {
            Holder::Address(_) => self.limits.per_address,
            Holder::Client(_) => self.limits.per_client,
        };
        self.take_of(holder, most, now)
    }

    /// The same for one who has so many.
    pub fn take_of(&self, holder: Holder, most: u32, now: Timestamp) -> Result<(), Full> {
        let mut state = self.state(now);
        let own = state.taken.get(&holder).copied().unwrap_or_default();
        let share = Share { own: most.into(), all: self.limits.all.into() };
        if !share.has_room(own.into(), state.all.into()) {
            state.tell(&holder, self.what);
            return Err(Full);
        }
        // Only what was taken is remembered, so that this memory is bounded as well.
        *state.taken.entry(holder).or_default() += 1;
        state.all += 1;
        Ok(())
    }

    /// A person has taken up what waited, the request of this id: that gives its place back, once. Where it was stored by
    /// another process, one of its places is free later and one of this process sooner, which evens out.
    pub fn give_back(&self, holder: &Holder, id: &str, now: Timestamp) {
        let mut state = self.state(now);
        if state.taken.contains_key(holder) && state.given_back.insert((holder.clone(), id.to_owned())) {
            state.free(holder);
        }
    }

    /// Nothing was stored after all.
    pub fn undo(&self, holder: &Holder, now: Timestamp) {
        self.state(now).free(holder);
    }

    /// How many places are taken.
    #[cfg(test)]
    fn taken(&self, now: Timestamp) -> u32 {
        self.state(now).all
    }

    fn state(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let window = now.unix().div_euclid(WINDOW);
        if state.window != window {
            *state = State { window, ..State::default() };
        }
        state
    }
}

impl State {
    fn free(&mut self, holder: &Holder) {
        let Some(own) = self.taken.get_mut(holder) else { return };
        *own -= 1;
        if *own == 0 {
            self.taken.remove(holder);
        }
        self.all = self.all.saturating_sub(1);
    }

    /// Once in a window.
    fn tell(&mut self, holder: &Holder, what: &str) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                ?holder,
                "no place is left for {what}; if it is a reverse proxy, name it in server.trusted_proxies"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { per_address: 20, per_client: 40, all: 100 };
    const NOW: Timestamp = Timestamp::from_unix(WINDOW * 10);

    fn address(number: u32) -> Holder {
        Holder::at(std::net::IpAddr::from(number.to_be_bytes()).into())
    }

    fn taken(waiting: &Waiting, holder: &Holder, times: u32) -> u32 {
        (0..times).filter(|_| waiting.take(holder.clone(), NOW).is_ok()).count() as u32
    }

    #[test]
    fn an_address_has_its_places_and_another_has_its_own() {
        let waiting = Waiting::new(LIMITS, "requests");
        assert_eq!(taken(&waiting, &address(1), 50), 20);
        assert_eq!(taken(&waiting, &address(2), 5), 5);
        assert_eq!(taken(&waiting, &Holder::at(NetworkAddress::written("2001:db8::1")), 15), 15);
        assert_eq!(
            taken(&waiting, &Holder::at(NetworkAddress::written("2001:db8::2")), 15),
            5,
            "one household"
        );
        assert_eq!(taken(&waiting, &Holder::Client(ClientId::new("app")), 5), 5);
    }

    #[test]
    fn the_last_quarter_of_all_places_is_for_those_who_have_hardly_any() {
        let waiting = Waiting::new(LIMITS, "requests");
        for number in 1..5 {
            taken(&waiting, &address(number), 20);
        }
        assert_eq!(waiting.taken(NOW), 75, "the fourth got fifteen");
        assert_eq!(taken(&waiting, &address(9), 20), 2);
        assert_eq!((10..100).map(|number| taken(&waiting, &address(number), 20)).sum::<u32>(), 23);
        assert_eq!(waiting.taken(NOW), 100);
    }

    #[tokio::test]
    async fn what_is_not_stored_takes_no_place_and_who_has_none_stores_nothing() {
        let waiting = Waiting::new(LIMITS, "requests");
        let ask =
            async |stored: Result<u32, ()>| waiting.with_place(address(1), || NOW, async { stored }).await;
        for _ in 0..50 {
            assert_eq!(ask(Err(())).await, Ok(Err(())));
        }
        for number in 0..20 {
            assert_eq!(ask(Ok(number)).await, Ok(Ok(number)));
        }
        let begun = std::cell::Cell::new(false);
        let store = async {
            begun.set(true);
            Ok::<(), ()>(())
        };
        assert_eq!(waiting.with_place(address(1), || NOW, store).await, Err(Full));
        assert!(!begun.get());
    }

    #[test]
    fn a_place_is_given_back_once_a_person_is_there_and_all_are_after_a_quarter_of_an_hour() {
        let waiting = Waiting::new(LIMITS, "requests");
        assert_eq!(taken(&waiting, &address(1), 50), 20);
        for _ in 0..5 {
            waiting.give_back(&address(1), "request", NOW);
            waiting.give_back(&address(2), "request", NOW);
        }
        assert_eq!(taken(&waiting, &address(1), 50), 1);
        assert_eq!(waiting.take(address(1), NOW.plus(WINDOW - 1)), Err(Full));
        assert_eq!(waiting.take(address(1), NOW.plus(WINDOW)), Ok(()));
        assert_eq!(waiting.taken(NOW.plus(WINDOW)), 1);
    }
}
