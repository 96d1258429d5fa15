//! How a client asks: response types and modes (OAuth 2.0 Multiple Response Types), request objects (RFC 9101) and pushed requests (RFC 9126).

use serde::{Deserialize, Serialize};

/// How a client sends authorization requests and gets their answers. A part of the metadata of [`Client`](super::Client).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientRequests {}
