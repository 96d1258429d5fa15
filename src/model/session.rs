//! A browser's sign-in.

use super::{AuthorizationRequestId, NetworkAddress, SessionId, Timestamp, UserId};

/// A live session of one user in one browser.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    /// When the user last proved who they are (`auth_time`).
    pub auth_time: Timestamp,
    /// How (`amr`, RFC 8176), space-separated.
    pub amr: String,
    /// How well (`acr`), where an external login page said so.
    pub acr: Option<String>,
    /// It counts for this authorization request only: its user did not want to be remembered.
    pub only_for: Option<AuthorizationRequestId>,
    /// Whether its cookie outlives the run of the browser.
    pub persistent: bool,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    /// The browser's own words about itself, for the account page.
    pub user_agent: String,
    pub address: NetworkAddress,
}
