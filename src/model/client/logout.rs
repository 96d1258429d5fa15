//! How a client learns that a session has ended (OpenID Connect Back-Channel Logout 2.2, Front-Channel Logout 2).

use serde::{Deserialize, Serialize};

/// How a client learns that a session has ended. A part of the metadata of [`ClientMetadata`](super::ClientMetadata).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientLogout {
    /// Where the server posts logout tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs `sid` in them. They always have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_session_required: bool,
    /// The page that is shown in a frame when the browser's session ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// Whether it needs `iss` and `sid` there. It always gets them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frontchannel_logout_session_required: bool,
}
