//! One public key of somebody else (RFC 7517 4): what it may be used for, and whether it is strong enough and no dearer than
//! any has to be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::Value;

use crate::crypto::jwe::PublicKey;
use crate::model::AssertionAlgorithm;

/// Bits of an RSA key. RFC 7518 3.3, 4.3: of 2048 bits or larger MUST be used. Above 4096 a signature costs more to
/// check than it is worth.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// The one public exponent, 65537. Each bit of a larger one is work for whoever verifies.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

#[derive(Clone)]
pub(super) struct Key {
    pub kid: Option<String>,
    pub algorithm: Option<String>,
    pub family: Family,
    pub key: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Family {
    /// A key is used with the algorithms of its kind and no other.
    pub(super) fn fits(self, algorithm: AssertionAlgorithm) -> bool {
        use AssertionAlgorithm as Alg;
        match algorithm {
            Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => self == Self::Rsa,
            Alg::ES256 => self == Self::P256,
            Alg::ES384 => self == Self::P384,
            Alg::EdDSA => self == Self::Ed25519,
            Alg::HS256 | Alg::HS384 | Alg::HS512 => false,
        }
    }
}

/// A key that signatures can be verified with; none for any other.
pub(super) fn key(jwk: &Value) -> Option<Key> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    // RFC 7517 4.2, 4.3
    let operations = jwk.get("key_ops").and_then(Value::as_array);
    let to_verify = operations.is_none_or(|operations| operations.iter().any(|each| each == "verify"));
    if text("use").is_some_and(|usage| usage != "sig") || !to_verify {
        return None;
    }
    let bytes = |member: &str| text(member).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let (family, key) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let modulus = rsa(jwk)?;
            (Family::Rsa, DecodingKey::from_rsa_raw_components(&modulus, &RSA_EXPONENT))
        }
        ("EC", Some("P-256")) => (Family::P256, ec(&bytes("x")?, &bytes("y")?, 32)?),
        ("EC", Some("P-384")) => (Family::P384, ec(&bytes("x")?, &bytes("y")?, 48)?),
        ("OKP", Some("Ed25519")) => (Family::Ed25519, ed(&bytes("x")?)?),
        _ => return None,
    };
    Some(Key { kid: text("kid").map(str::to_owned), algorithm: text("alg").map(str::to_owned), family, key })
}

/// A key that things can be encrypted to; none for any other.
pub(super) fn encryption_key(jwk: &Value) -> Option<PublicKey> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    // RFC 7517 4.2, 4.3
    let operations = jwk.get("key_ops").and_then(Value::as_array);
    let to_verify = operations.is_some_and(|operations| operations.iter().any(|each| each == "verify"));
    if text("use").is_some_and(|usage| usage != "enc") || to_verify {
        return None;
    }
    if text("kty")? != "RSA" {
        return PublicKey::read(jwk, None);
    }
    PublicKey::read(jwk, Some((&rsa(jwk)?, &RSA_EXPONENT)))
}

/// The modulus of an RSA key, without leading zeros; none for a key whose size or exponent makes it dear or weak.
pub(super) fn rsa(jwk: &Value) -> Option<Vec<u8>> {
    let number = |member: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(jwk.get(member)?.as_str()?).ok()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    let modulus = number("n")?;
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    (RSA_BITS.contains(&bits) && number("e")? == RSA_EXPONENT).then_some(modulus)
}

/// RFC 7518 6.2.1.2: the coordinates have the full size of the curve.
fn ec(x: &[u8], y: &[u8], length: usize) -> Option<DecodingKey> {
    if x.len() != length || y.len() != length {
        return None;
    }
    DecodingKey::from_ec_components(&URL_SAFE_NO_PAD.encode(x), &URL_SAFE_NO_PAD.encode(y)).ok()
}

fn ed(x: &[u8]) -> Option<DecodingKey> {
    (x.len() == 32).then(|| DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(x)).ok()).flatten()
}
