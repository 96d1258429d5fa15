//! How a client is told who the user is: pairwise subjects, signed and encrypted ID tokens and UserInfo (OpenID Connect Registration 2).

use serde::{Deserialize, Serialize};

use super::Algorithm;

/// How a client is told who the user is. A part of the metadata of [`Client`](super::Client).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientIdentity {
    /// Of introspection answers that are asked for as a JWT (RFC 9701 6). None: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<Algorithm>,
}
