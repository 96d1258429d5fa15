//! How a client learns that a session has ended (OpenID Connect Back-Channel Logout 2.2, Front-Channel Logout 2).

use serde::{Deserialize, Serialize};

/// How a client learns that a session has ended. A part of the metadata of [`Client`](super::Client).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientLogout {}
