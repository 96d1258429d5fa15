//! Who may register clients, and who vouches for software (RFC 7591 1.2, 2.3).

use serde::Serialize;

use super::{KeySource, Timestamp};

/// An initial access token (RFC 7591 1.2), without the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitialAccessToken {
    pub id: String,
    /// For the operator, who finds it at the clients that came with it.
    pub name: String,
    /// How many more clients it registers; none: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl InitialAccessToken {
    /// Whether it registers a client now.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
            && self.uses_left.is_none_or(|left| left > 0)
    }
}

/// An issuer whose software statements are believed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoftwareIssuer {
    /// Exactly what is in `iss`.
    pub issuer: String,
    #[serde(flatten)]
    pub keys: KeySource,
    pub created_at: Timestamp,
}
