//! HS256 (RFC 7518 3.2): a JWS under a secret that two parties share.

use crate::model::AssertionAlgorithm;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;

/// Bytes of a key: RFC 7518 3.2 demands at least the size of the hash.
const SHORTEST_KEY: usize = 32;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Hs256Error {
    #[error("the secret is shorter than {SHORTEST_KEY} bytes")]
    ShortKey,
    #[error("the claims cannot be written: {0}")]
    Claims(#[from] serde_json::Error),
}

/// The claims as a compact JWS of this type (RFC 7515 7.1).
pub(crate) fn sign(kind: &str, claims: &impl Serialize, key: &[u8]) -> Result<String, Hs256Error> {
    if key.len() < SHORTEST_KEY {
        return Err(Hs256Error::ShortKey);
    }
    let mut token =
        URL_SAFE_NO_PAD.encode(json!({"alg": AssertionAlgorithm::HS256.as_str(), "typ": kind}).to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag.as_ref(), &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    use serde_json::{Value, json};

    use super::sign;

    #[test]
    fn another_implementation_verifies_it() {
        let key = [7; 32];
        let token = sign("some+jwt", &json!({"sub": "ada"}), &key).unwrap();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        let found = decode::<Value>(&token, &DecodingKey::from_secret(&key).unwrap(), &validation).unwrap();
        assert_eq!(found.header.typ.as_deref(), Some("some+jwt"));
        assert_eq!(found.claims, json!({"sub": "ada"}));
        assert!(decode::<Value>(&token, &DecodingKey::from_secret(&[8; 32]).unwrap(), &validation).is_err());
    }

    #[test]
    fn a_short_key_signs_nothing() {
        assert!(sign("some+jwt", &json!({}), &[7; 31]).is_err());
    }
}
