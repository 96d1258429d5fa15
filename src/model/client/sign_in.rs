//! What a client expects of a sign-in: its age, its strength, who may begin it (OpenID Connect Registration 2).

use serde::{Deserialize, Serialize};

/// What a client expects of a sign-in. A part of the metadata of [`ClientMetadata`](super::ClientMetadata).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientSignIn {
    /// Where a sign-in begins that somebody else starts (OpenID Connect Core 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// `max_age` of its requests that have none, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<i64>,
    /// Whether its ID tokens need `auth_time`. All have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_auth_time: bool,
    /// `acr_values` of its requests that have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
}
