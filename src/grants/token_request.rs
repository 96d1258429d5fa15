//! What every exchange gets (RFC 6749 3.2).

use crate::model::{NetworkAddress, Timestamp};
use crate::protocol::Parameters;
use crate::protocol::client_auth::AuthenticatedClient;

/// A token request (RFC 6749 3.2).
pub(crate) struct TokenRequest<'r> {
    /// Who sent it, proven.
    pub client: &'r AuthenticatedClient,
    pub parameters: &'r Parameters<'r>,
    /// Where it came from.
    pub address: NetworkAddress,
    pub now: Timestamp,
}
