//! `request_object_signing_alg` (OpenID Connect Registration 2).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AssertionAlgorithm;

/// How a client's request objects are signed. An HMAC is not in this type: its secret would have to be kept for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum RequestObjectAlgorithm {
    /// Not at all: for a client that is registered for it, and no other.
    None,
    Signed(AssertionAlgorithm),
}

impl RequestObjectAlgorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Signed(algorithm) => algorithm.as_str(),
        }
    }
}

impl From<RequestObjectAlgorithm> for &'static str {
    fn from(algorithm: RequestObjectAlgorithm) -> Self {
        algorithm.as_str()
    }
}

impl FromStr for RequestObjectAlgorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "none" {
            return Ok(Self::None);
        }
        match name.parse::<AssertionAlgorithm>() {
            Ok(algorithm) if !algorithm.is_symmetric() => Ok(Self::Signed(algorithm)),
            _ => Err("write none, or an algorithm with a public key like ES256".to_owned()),
        }
    }
}

impl TryFrom<String> for RequestObjectAlgorithm {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}
