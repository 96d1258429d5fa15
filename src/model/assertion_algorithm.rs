//! The signature algorithms of assertions that others sign (RFC 7518 3.1, RFC 8037 3.1).

use std::str::FromStr;

use super::closed_set::closed_set;

closed_set! {
    /// A JWS `alg` value of an assertion. `none` is not in this type, so nothing unsigned can be read into it.
    #[derive(Hash)]
    pub enum AssertionAlgorithm: Serialize + Deserialize {
        HS256 = "HS256",
        HS384 = "HS384",
        HS512 = "HS512",
        RS256 = "RS256",
        RS384 = "RS384",
        RS512 = "RS512",
        PS256 = "PS256",
        PS384 = "PS384",
        PS512 = "PS512",
        ES256 = "ES256",
        ES384 = "ES384",
        EdDSA = "EdDSA",
    }
}

impl AssertionAlgorithm {
    /// Whether it is made with a secret that both sides know, not with a private key.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

impl FromStr for AssertionAlgorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || format!("write one of {}", Self::ALL.map(Self::as_str).join(", "));
        Self::named(name).ok_or_else(unknown)
    }
}
