//! Where somebody's public keys are (RFC 7517): given, or to be fetched. RFC 7591 2: never both.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// `jwks` or `jwks_uri`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    Jwks(Value),
    JwksUri(String),
}

/// There are both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give jwks or jwks_uri, not both")]
pub struct BothKeySources;

impl KeySource {
    /// Of two members of which one may be there.
    pub fn of(jwks: Option<Value>, jwks_uri: Option<String>) -> Result<Option<Self>, BothKeySources> {
        match (jwks, jwks_uri) {
            (Some(_), Some(_)) => Err(BothKeySources),
            (Some(jwks), None) => Ok(Some(Self::Jwks(jwks))),
            (None, Some(uri)) => Ok(Some(Self::JwksUri(uri))),
            (None, None) => Ok(None),
        }
    }

    /// The keys themselves.
    pub fn jwks(&self) -> Option<&Value> {
        match self {
            Self::Jwks(jwks) => Some(jwks),
            Self::JwksUri(_) => None,
        }
    }

    /// Where to fetch them.
    pub fn jwks_uri(&self) -> Option<&String> {
        match self {
            Self::JwksUri(uri) => Some(uri),
            Self::Jwks(_) => None,
        }
    }
}

/// Reads the two members of a document that has more than these.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(document: D) -> Result<Option<KeySource>, D::Error> {
    #[derive(Deserialize)]
    struct Members {
        #[serde(default)]
        jwks: Option<Value>,
        #[serde(default)]
        jwks_uri: Option<String>,
    }
    let Members { jwks, jwks_uri } = Members::deserialize(document)?;
    KeySource::of(jwks, jwks_uri).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BothKeySources, KeySource};

    #[test]
    fn one_member_or_the_other_is_a_source_and_both_are_an_error() {
        let (keys, uri) = (json!({"keys": []}), "https://app.example/jwks");
        for (document, source) in [
            (json!({"name": "App"}), None),
            (json!({"jwks": null, "jwks_uri": null}), None),
            (json!({"jwks": keys, "name": "App"}), Some(KeySource::Jwks(keys.clone()))),
            (json!({"jwks_uri": uri}), Some(KeySource::JwksUri(uri.to_owned()))),
        ] {
            assert_eq!(super::deserialize(document).unwrap(), source);
        }
        let both = super::deserialize(json!({"jwks": keys, "jwks_uri": uri})).unwrap_err();
        assert_eq!(both.to_string(), BothKeySources.to_string());
        assert!(super::deserialize(json!({"jwks_uri": 1})).is_err());
    }
}
