//! How a client is told who the user is: pairwise subjects, signed and encrypted ID tokens and UserInfo (OpenID Connect Registration 2).

use serde::{Deserialize, Serialize};

/// How a client is told who the user is. A part of the metadata of [`Client`](super::Client).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientIdentity {}
