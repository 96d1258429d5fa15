//! A device's request for access (RFC 8628 3.1), which waits for a person at another device.

use super::{ClientId, DeviceAuthorizationId, NetworkAddress, ScopeSet, Timestamp, UserId};

/// One device authorization. The device code is a handle to it; the user code is only known as a tag.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceAuthorization {
    pub id: DeviceAuthorizationId,
    /// Random, part of the device code's tag.
    pub salt: String,
    pub client_id: ClientId,
    pub scope: ScopeSet,
    /// The URIs of the resources that were asked for (RFC 8707).
    pub resources: Vec<String>,
    pub state: DeviceState,
    /// Seconds the device has to wait between two polls.
    pub interval: i64,
    /// Where the request came from, shown to whoever decides.
    pub address: NetworkAddress,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Where a device authorization is in its life. `user_id` is who decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody has decided yet.
    Pending {
        last_polled_at: Option<Timestamp>,
    },
    /// Allowed; there is a grant of the same id, and the device has not come for its tokens.
    Approved {
        user_id: UserId,
    },
    Denied {
        user_id: UserId,
    },
    /// The device has got its tokens.
    Consumed {
        user_id: UserId,
    },
}
