//! Key sets fetched from a `jwks_uri`, cached as their headers say.
//!
//! Every URI has one place with a lock, so that requests that come at once share one fetch. A fetch that fails changes
//! nothing: the last good copy counts for a while. A key that is not in the copy is worth one fetch, but not more
//! than one a minute, because anybody can make up a `kid`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument as _;

use crate::cache::{self, Cache};
use crate::crypto::jwks::{InvalidKeySet, KeySet};
use crate::model::Timestamp;
use crate::outbound::{Outbound, OutboundError};
use crate::request;

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
}

#[derive(Default)]
struct Place {
    copy: Option<Copy>,
    /// When a fetch was tried last.
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
        Self { outbound, known }
    }

    /// How many are cached.
    pub fn entries(&self) -> u64 {
        cache::entries(&self.known)
    }

    /// The keys at `uri`, with the one named `kid` if it can be had. None: nothing could be fetched.
    pub async fn find(&self, uri: &str, kid: Option<&str>, now: Timestamp) -> Option<Arc<KeySet>> {
        self.find_suited(uri, |keys| kid.is_none_or(|kid| keys.holds(kid)), now).await
    }

    /// The keys at `uri`, such as suit if they can be had. None: nothing could be fetched.
    pub async fn find_suited(
        &self,
        uri: &str,
        suits: impl Fn(&KeySet) -> bool,
        now: Timestamp,
    ) -> Option<Arc<KeySet>> {
        let place = self.known.get_with_by_ref(uri, Arc::default);
        let mut place = place.lock_owned().await;
        if place.wants_fetch(suits, now) && place.may_fetch(now) {
            // In a task of its own: a caller that hangs up must not take the one attempt of the minute with it.
            let fetch = refresh(Arc::clone(&self.outbound), uri.to_owned(), place, now);
            place = tokio::spawn(request::carried(fetch.in_current_span())).await.ok()?;
        }
        let copy = place.copy.as_ref().filter(|copy| copy.fresh_until.plus(LAST_GOOD) > now)?;
        Some(Arc::clone(&copy.keys))
    }
}

/// Puts a new copy in its place, if one can be fetched.
async fn refresh(
    outbound: Arc<Outbound>,
    uri: String,
    mut place: OwnedMutexGuard<Place>,
    now: Timestamp,
) -> OwnedMutexGuard<Place> {
    place.tried_at = Some(now);
    match fetch(&outbound, &uri, now).await {
        Ok(copy) => place.copy = Some(copy),
        Err(error) => tracing::warn!(uri, %error, "could not fetch a jwks_uri; its last good copy stays"),
    }
    place
}

async fn fetch(outbound: &Outbound, uri: &str, now: Timestamp) -> Result<Copy, FetchError> {
    let fetched = outbound.get(uri, ACCEPT).await?;
    let keys = KeySet::parse(&fetched.body)?;
    let fresh = fetched.freshness.unwrap_or(UNSAID).clamp(SHORTEST, LONGEST);
    Ok(Copy { keys: Arc::new(keys), fresh_until: now.plus(fresh) })
}

impl Place {
    fn wants_fetch(&self, suits: impl Fn(&KeySet) -> bool, now: Timestamp) -> bool {
        let Some(copy) = &self.copy else { return true };
        copy.fresh_until <= now || !suits(&copy.keys)
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let pause = if self.copy.is_some() { PAUSE } else { PAUSE_WITHOUT_COPY };
        self.tried_at.is_none_or(|tried_at| now.since(tried_at) >= pause)
    }
}
