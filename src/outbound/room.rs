//! Who may have a document fetched: reserved before anything is done, and bounded by who asks.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::OutboundError;
use crate::cache::{self, Cache};
use crate::model::ClientId;
use crate::server::load::{self, Share, Shares};

/// Fetches from one host at once; a few more wait, within their timeout.
pub(super) const AT_ONCE_PER_HOST: usize = 2;
/// Those that are under way to one host or wait for it.
pub(super) const PER_HOST: usize = 16;
/// Fetches at once altogether.
pub(super) const AT_ONCE: usize = 64;
/// Of all fetches, those that requests from one address may have begun; others find room beside them.
const PER_ADDRESS: usize = AT_ONCE / 4;
/// Those of the documents of one client.
const PER_CLIENT: usize = 4;
/// Clients whose fetches are counted.
const CLIENTS: u64 = 10_000;

/// The room for fetches.
pub(super) struct Rooms {
    all: Arc<Semaphore>,
    addresses: Arc<Shares>,
    by_client: Cache<ClientId, Arc<Semaphore>>,
}

/// The room at one host.
pub(super) struct RoomOfHost {
    pub at_once: Semaphore,
    /// Also of those who wait for it.
    pub waiting: Semaphore,
}

impl Default for RoomOfHost {
    fn default() -> Self {
        Self { at_once: Semaphore::new(AT_ONCE_PER_HOST), waiting: Semaphore::new(PER_HOST) }
    }
}

/// The place of one fetch, until it is dropped.
pub struct Room {
    _of_all: OwnedSemaphorePermit,
    _of_address: Option<Share>,
    _of_client: Option<OwnedSemaphorePermit>,
}

impl Rooms {
    pub(super) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            addresses: Shares::new(PER_ADDRESS),
            by_client: cache::recent(CLIENTS).build(),
        }
    }

    /// For a document of this client; of nobody's where the operator has named it.
    pub(super) fn reserve(&self, client: Option<&ClientId>) -> Result<Room, OutboundError> {
        let of_client = match client {
            Some(client) => {
                let all = self.by_client.get_with_by_ref(client, || Arc::new(Semaphore::new(PER_CLIENT)));
                Some(all.try_acquire_owned().map_err(|_| OutboundError::Busy)?)
            }
            None => None,
        };
        let of_address = match load::household() {
            Some(household) => Some(self.addresses.take(household).ok_or(OutboundError::Busy)?),
            None => None,
        };
        let of_all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| OutboundError::Busy)?;
        Ok(Room { _of_all: of_all, _of_address: of_address, _of_client: of_client })
    }
}
