//! How a client asks: response types and modes (OAuth 2.0 Multiple Response Types), request objects (RFC 9101) and pushed requests (RFC 9126).

use serde::{Deserialize, Serialize};

use crate::model::{Algorithm, ResponseType};

/// How a client sends authorization requests and gets their answers. A part of the metadata of [`Client`](super::Client).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientRequests {
    /// Empty: `code` (RFC 7591 2). Ask [`ClientRequests::may_ask_for`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_types: Vec<ResponseType>,
    /// What signs its authorization responses, and then every one of them is signed (JARM 3). None: the server's default,
    /// where the request asks for a signed response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<Algorithm>,
}

impl ClientRequests {
    pub fn may_ask_for(&self, response_type: ResponseType) -> bool {
        match self.response_types.as_slice() {
            [] => response_type == ResponseType::Code,
            registered => registered.contains(&response_type),
        }
    }
}
