//! Fetches that several wait for: one at a time for each place, in a task of its own, and few who wait.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::Instrument as _;

use super::OutboundError;
use crate::request;
use crate::server::load;

/// Who may wait for one fetch.
const WAITERS: usize = 32;

/// What is on its way, by where it comes from.
pub struct Flights<T>(Arc<Mutex<UnderWay<T>>>);

/// Each with those who wait for it.
type UnderWay<T> = HashMap<String, watch::Sender<Option<T>>>;

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// What `fetch` comes to, or, where one for the same place is on its way, that one. It is not cut short when its callers
    /// hang up: what it learned is worth having.
    pub async fn join<F>(
        &self,
        place: &str,
        fetch: impl FnOnce() -> Result<F, OutboundError>,
    ) -> Result<T, OutboundError>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut landed = self.board(place, fetch)?;
        let landed = load::aside(landed.wait_for(Option::is_some)).await.map_err(|_| OutboundError::Busy)?;
        // It is gone without a result only when the process ends, or it panicked.
        landed.ok().and_then(|value| value.clone()).ok_or(OutboundError::Timeout)
    }

    fn board<F>(
        &self,
        place: &str,
        fetch: impl FnOnce() -> Result<F, OutboundError>,
    ) -> Result<watch::Receiver<Option<T>>, OutboundError>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = lock(&self.0);
        if let Some(flight) = under_way.get(place) {
            return match flight.receiver_count() < WAITERS {
                true => Ok(flight.subscribe()),
                false => Err(OutboundError::Busy),
            };
        }
        let fetch = fetch()?;
        let (flight, landed) = watch::channel(None);
        under_way.insert(place.to_owned(), flight);
        drop(under_way);
        let landing = Landing { under_way: Arc::clone(&self.0), place: Some(place.to_owned()) };
        tokio::spawn(request::carried(async move { landing.with(fetch.await) }.in_current_span()));
        Ok(landed)
    }
}

/// The end of a flight, also of one that does not arrive.
struct Landing<T> {
    under_way: Arc<Mutex<UnderWay<T>>>,
    /// None once it has landed.
    place: Option<String>,
}

impl<T> Landing<T> {
    fn with(mut self, value: T) {
        if let Some(flight) = self.end() {
            flight.send_replace(Some(value));
        }
    }

    fn end(&mut self) -> Option<watch::Sender<Option<T>>> {
        let place = self.place.take()?;
        lock(&self.under_way).remove(&place)
    }
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

fn lock<T>(under_way: &Mutex<UnderWay<T>>) -> MutexGuard<'_, UnderWay<T>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn many_share_one_fetch_and_too_many_are_turned_away() {
        let (flights, fetched) = (Arc::new(Flights::default()), Arc::new(AtomicUsize::new(0)));
        let ask = |place: &'static str| {
            let (flights, fetched) = (Arc::clone(&flights), Arc::clone(&fetched));
            tokio::spawn(async move {
                let fetch = || {
                    Ok(async move {
                        sleep(Duration::from_millis(50)).await;
                        fetched.fetch_add(1, Ordering::SeqCst) + 1
                    })
                };
                flights.join(place, fetch).await
            })
        };
        let asked: Vec<_> = (0..WAITERS + 5).map(|_| ask("a")).collect();
        let mut turned_away = 0;
        for one in asked {
            match one.await.unwrap() {
                Ok(value) => assert_eq!(value, 1),
                Err(error) => {
                    assert!(matches!(error, OutboundError::Busy));
                    turned_away += 1;
                }
            }
        }
        assert_eq!(turned_away, 5);
        assert_eq!(ask("a").await.unwrap().unwrap(), 2, "the next one is fetched anew");
        let hung_up = ask("b");
        tokio::task::yield_now().await;
        hung_up.abort();
        assert_eq!(ask("b").await.unwrap().unwrap(), 3, "it went on without its caller");
    }

    #[tokio::test]
    async fn a_fetch_that_panics_or_may_not_begin_is_in_nobodys_way() {
        let flights = Flights::<u8>::default();
        let refused = flights.join("a", || Err::<std::future::Ready<u8>, _>(OutboundError::Busy)).await;
        assert!(matches!(refused, Err(OutboundError::Busy)));
        let panicked = flights.join("a", || Ok(async { panic!("on purpose") })).await;
        assert!(panicked.is_err());
        assert_eq!(flights.join("a", || Ok(async { 7 })).await.unwrap(), 7);
    }
}
