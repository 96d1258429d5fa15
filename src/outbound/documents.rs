//! Documents of clients that are asked for while a request waits: fetched once for all who ask, and a failure is remembered
//! for a moment, so that a server that stalls is a way to hold nothing.

use std::sync::Arc;
use std::time::Instant;

use super::flights::Flights;
use super::{Fetched, Outbound, OutboundError};
use crate::cache::{self, Cache};
use crate::model::{ClientId, Timestamp};

/// Seconds after the end of a fetch that failed in which there is no other.
const REMEMBERED: i64 = 5;
/// Addresses whose failure is remembered.
const FAILED: u64 = 10_000;

/// What a document came to, shared by all who wait for it.
type Result<T> = std::result::Result<T, Arc<OutboundError>>;

/// The documents at addresses that clients have registered.
pub struct Documents {
    outbound: Arc<Outbound>,
    flights: Flights<Result<Arc<Fetched>>>,
    failed: Cache<String, (Timestamp, Arc<OutboundError>)>,
}

impl Documents {
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self { outbound, flights: Flights::default(), failed: cache::recent(FAILED).build() }
    }

    /// The document at `url`, of this client if it is registered.
    pub async fn get(
        &self,
        client: Option<&ClientId>,
        url: &str,
        accept: &'static str,
        now: Timestamp,
    ) -> Result<Arc<Fetched>> {
        if let Some((_, failure)) = self.failed.get(url).filter(|(until, _)| *until > now) {
            return Err(failure);
        }
        let fetch = || {
            let room = self.outbound.reserve(client)?;
            let (outbound, url, failed) = (Arc::clone(&self.outbound), url.to_owned(), self.failed.clone());
            Ok(async move {
                let begun = Instant::now();
                let fetched = outbound.get(room, &url, accept).await;
                let until = now.plus(begun.elapsed().as_secs() as i64 + REMEMBERED);
                fetched.map(Arc::new).map_err(|error| {
                    let failure = Arc::new(error);
                    if !failure.is_busy() {
                        failed.insert(url, (until, Arc::clone(&failure)));
                    }
                    failure
                })
            })
        };
        self.flights.join(url, fetch).await.map_err(Arc::new)?
    }
}
