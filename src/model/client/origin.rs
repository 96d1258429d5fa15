//! Where a registration comes from and what it says of the software (RFC 7591 2).

use serde::{Deserialize, Serialize};

/// Where a registration comes from and what it says of the software. A part of the metadata of [`Client`](super::Client).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientOrigin {}
