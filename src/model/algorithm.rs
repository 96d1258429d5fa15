//! The signature algorithms the server signs with (RFC 7518 3.1, RFC 8037 3.1).

use std::str::FromStr;

use super::closed_set::closed_set;

closed_set! {
    /// A JWS `alg` value. `none` and the HMAC algorithms are not in this type, so no key can be asked for them.
    #[derive(Hash, PartialOrd, Ord)]
    pub enum Algorithm: Serialize + Deserialize {
        ES256 = "ES256",
        ES384 = "ES384",
        RS256 = "RS256",
        PS256 = "PS256",
        EdDSA = "EdDSA",
    }
}

/// A name that is not one of [`Algorithm::ALL`].
#[derive(Debug, thiserror::Error)]
#[error("unknown signature algorithm; use one of {}", Algorithm::ALL.map(Algorithm::as_str).join(", "))]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::named(name).ok_or(UnknownAlgorithm)
    }
}
