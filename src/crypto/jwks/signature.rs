//! Whether a key or a secret made a signature.

use jsonwebtoken::DecodingKey;

use crate::model::{AssertionAlgorithm, Secret};

/// Whether this secret made this signature, an HMAC.
pub fn verify_with_secret(
    secret: &Secret,
    algorithm: AssertionAlgorithm,
    signed: &str,
    signature: &str,
) -> bool {
    let octets = secret.expose().as_bytes();
    // RFC 7518 3.2: the key MUST be as long as the hash.
    let shortest = match algorithm {
        AssertionAlgorithm::HS256 => 32,
        AssertionAlgorithm::HS384 => 48,
        AssertionAlgorithm::HS512 => 64,
        _ => return false,
    };
    if octets.len() < shortest {
        return false;
    }
    DecodingKey::from_secret(octets).is_ok_and(|key| verify(&key, algorithm, signed, signature))
}

pub(super) fn verify(
    key: &DecodingKey,
    algorithm: AssertionAlgorithm,
    signed: &str,
    signature: &str,
) -> bool {
    jsonwebtoken::crypto::verify(signature, signed.as_bytes(), key, jose(algorithm)).unwrap_or(false)
}

fn jose(algorithm: AssertionAlgorithm) -> jsonwebtoken::Algorithm {
    use jsonwebtoken::Algorithm as Jose;
    match algorithm {
        AssertionAlgorithm::HS256 => Jose::HS256,
        AssertionAlgorithm::HS384 => Jose::HS384,
        AssertionAlgorithm::HS512 => Jose::HS512,
        AssertionAlgorithm::RS256 => Jose::RS256,
        AssertionAlgorithm::RS384 => Jose::RS384,
        AssertionAlgorithm::RS512 => Jose::RS512,
        AssertionAlgorithm::PS256 => Jose::PS256,
        AssertionAlgorithm::PS384 => Jose::PS384,
        AssertionAlgorithm::PS512 => Jose::PS512,
        AssertionAlgorithm::ES256 => Jose::ES256,
        AssertionAlgorithm::ES384 => Jose::ES384,
        AssertionAlgorithm::EdDSA => Jose::EdDSA,
    }
}
