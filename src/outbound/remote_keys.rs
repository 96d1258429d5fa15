//! Key sets fetched from a `jwks_uri`, cached as their headers say.
//!
//! Every URI has one place, and requests that come at once share one fetch. A fetch that fails changes
//! nothing: the last good copy counts for a while. A key that is not in the copy is worth one fetch, but not more
//! than one a minute, because anybody can make up a `kid`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cache::{self, Cache};
use crate::crypto::jwks::{InvalidKeySet, KeySet};
use crate::model::{ClientId, KeySource, Timestamp};
use crate::outbound::{Flights, Outbound, OutboundError, Room};
use crate::server::load::Crowded;

const MOST: u64 = 10_000;
/// A URI that nobody asks for is forgotten.
const UNUSED: Duration = Duration::from_secs(2 * 24 * 3600);
/// Seconds a copy counts at least and at most, whatever its headers say, and where they say nothing.
const SHORTEST: i64 = 60;
const LONGEST: i64 = 24 * 3600;
const UNSAID: i64 = 600;
/// Seconds between two fetches of one URI, while there is a copy to go on with, and while there is none.
const PAUSE: i64 = 60;
const PAUSE_WITHOUT_COPY: i64 = 5;
/// Seconds that a copy counts beyond its end while no new one can be fetched. A key that its owner has withdrawn must
/// not count for ever because the URI is kept from answering.
const LAST_GOOD: i64 = 24 * 3600;

/// RFC 7517 8.5.2, and what many serve instead.
const ACCEPT: &str = "application/jwk-set+json, application/json";

/// The key sets of others.
pub struct RemoteKeys {
    outbound: Arc<Outbound>,
    known: Cache<String, Arc<Mutex<Place>>>,
    flights: Flights<Landed>,
}

/// What came of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Landed {
    /// There is a new copy, or a reason why not.
    Tried,
    /// Too much was asked of that host.
    Crowded,
}

#[derive(Default)]
struct Place {
    copy: Option<Copy>,
    /// When the last fetch ended.
    tried_at: Option<Timestamp>,
}

struct Copy {
    keys: Arc<KeySet>,
    fresh_until: Timestamp,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error(transparent)]
    Invalid(#[from] InvalidKeySet),
}

impl RemoteKeys {
    pub fn new(outbound: Arc<Outbound>) -> Self {
        let known = cache::recent(MOST).time_to_idle(UNUSED).build();
        Self { outbound, known, flights: Flights::default() }
    }

    /// How many are cached.
    pub fn entries(&self) -> u64 {
        cache::entries(&self.known)
    }

    /// The keys at `uri`, which this client registered or the operator, with the one named `kid` if it can be had. None:
    /// nothing could be fetched.
    pub async fn find(
        &self,
        client: Option<&ClientId>,
        uri: &str,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Arc<KeySet>>, Crowded> {
        self.find_suited(client, uri, |keys| kid.is_none_or(|kid| keys.holds(kid)), now).await
    }

    /// The keys of an issuer whom the operator trusts, with the one named `kid` if it can be had.
    pub async fn of(
        &self,
        issuer: &KeySource,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Arc<KeySet>>, Crowded> {
        match issuer {
            KeySource::Jwks(jwks) => Ok(KeySet::read(jwks).ok().map(Arc::new)),
            KeySource::JwksUri(uri) => self.find(None, uri, kid, now).await,
        }
    }

    /// The keys at `uri`, such as suit if they can be had. None: nothing could be fetched.
    pub async fn find_suited(
        &self,
        client: Option<&ClientId>,
        uri: &str,
        suits: impl Fn(&KeySet) -> bool,
        now: Timestamp,
    ) -> Result<Option<Arc<KeySet>>, Crowded> {
        let place = self.known.get_with_by_ref(uri, Arc::default);
        let is_due = {
            let place = lock(&place);
            place.wants_fetch(&suits, now) && place.may_fetch(now)
        };
        let landed = if is_due { self.fetch(client, uri, &place, now).await } else { Landed::Tried };
        let copy = lock(&place).copy_at(now);
        match copy {
            Some(copy) if landed == Landed::Tried || suits(&copy) => Ok(Some(copy)),
            None if landed == Landed::Tried => Ok(None),
            _ => Err(Crowded),
        }
    }

    async fn fetch(
        &self,
        client: Option<&ClientId>,
        uri: &str,
        place: &Arc<Mutex<Place>>,
        now: Timestamp,
    ) -> Landed {
        let refresh = || {
            let room = self.outbound.reserve(client)?;
            Ok(refresh(Arc::clone(&self.outbound), room, uri.to_owned(), Arc::clone(place), now))
        };
        self.flights.join(uri, refresh).await.unwrap_or(Landed::Crowded)
    }
}

/// Puts a new copy in its place, if one can be fetched.
async fn refresh(
    outbound: Arc<Outbound>,
    room: Room,
    uri: String,
    place: Arc<Mutex<Place>>,
    now: Timestamp,
) -> Landed {
    // Another fetch may have ended since somebody saw that one was due.
    if !lock(&place).may_fetch(now) {
        return Landed::Tried;
    }
    let begun = Instant::now();
    let fetched = fetch(&outbound, room, &uri, now).await;
    if matches!(&fetched, Err(FetchError::Outbound(error)) if error.is_busy()) {
        return Landed::Crowded;
    }
    let mut place = lock(&place);
    // A server that stalls is left alone from the end of its time on.
    place.tried_at = Some(now.plus(begun.elapsed().as_secs() as i64));
    match fetched {
        Ok(copy) => place.copy = Some(copy),
        Err(error) => tracing::warn!(uri, %error, "could not fetch a jwks_uri; its last good copy stays"),
    }
    Landed::Tried
}

fn lock(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn fetch(outbound: &Outbound, room: Room, uri: &str, now: Timestamp) -> Result<Copy, FetchError> {
    let fetched = outbound.get(room, uri, ACCEPT).await?;
    let keys = KeySet::parse(&fetched.body)?;
    let fresh = fetched.freshness.unwrap_or(UNSAID).clamp(SHORTEST, LONGEST);
    Ok(Copy { keys: Arc::new(keys), fresh_until: now.plus(fresh) })
}

impl Place {
    /// The copy, as long as it counts.
    fn copy_at(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let copy = self.copy.as_ref().filter(|copy| copy.fresh_until.plus(LAST_GOOD) > now)?;
        Some(Arc::clone(&copy.keys))
    }

    fn wants_fetch(&self, suits: impl Fn(&KeySet) -> bool, now: Timestamp) -> bool {
        let Some(copy) = &self.copy else { return true };
        copy.fresh_until <= now || !suits(&copy.keys)
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let pause = if self.copy.is_some() { PAUSE } else { PAUSE_WITHOUT_COPY };
        self.tried_at.is_none_or(|tried_at| now.since(tried_at) >= pause)
    }
}
