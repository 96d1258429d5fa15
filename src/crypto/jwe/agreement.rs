//! Key agreement with an ephemeral key (RFC 7518 4.6, RFC 8037 3.2).

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::public_key::PublicKey;
use crate::model::{Encryption, KeyManagement};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    X25519,
}

impl Curve {
    fn algorithm(self) -> &'static agreement::Algorithm {
        match self {
            Self::P256 => &ECDH_P256,
            Self::P384 => &ECDH_P384,
            Self::X25519 => &X25519,
        }
    }

    pub(super) fn of(key: &PrivateKey) -> Option<Self> {
        [Self::P256, Self::P384, Self::X25519].into_iter().find(|curve| curve.algorithm() == key.algorithm())
    }
}

/// A public point as the members of a JWK write it, and as the library reads it (SEC 1 2.3.3).
pub(super) fn point(jwk: &Value) -> Option<(Curve, Vec<u8>)> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    let bytes = |member: &str| text(member).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let (curve, length) = match (text("kty")?, text("crv")?) {
        ("EC", "P-256") => (Curve::P256, 32),
        ("EC", "P-384") => (Curve::P384, 48),
        ("OKP", "X25519") => (Curve::X25519, 32),
        _ => return None,
    };
    let x = bytes("x").filter(|x| x.len() == length)?;
    if curve == Curve::X25519 {
        return Some((curve, x));
    }
    // RFC 7518 6.2.1.3: the coordinates have the full size of the curve.
    let y = bytes("y").filter(|y| y.len() == length)?;
    Some((curve, [&[4], &*x, &*y].concat()))
}

/// The members of a public JWK.
pub(super) fn jwk(key: &PrivateKey) -> Option<Value> {
    let public = key.compute_public_key().ok()?;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (name, length) = match Curve::of(key)? {
        Curve::P256 => ("P-256", 32),
        Curve::P384 => ("P-384", 48),
        Curve::X25519 => {
            return Some(json!({"kty": "OKP", "crv": "X25519", "x": encode(public.as_ref())}));
        }
    };
    let (x, y) = public.as_ref().get(1..)?.split_at_checked(length)?;
    Some(json!({"kty": "EC", "crv": name, "x": encode(x), "y": encode(y)}))
}

/// A key that nobody but the recipient finds again, with the public key that it takes.
pub(super) struct Agreed {
    pub key: Zeroizing<Vec<u8>>,
    pub ephemeral: Value,
}

/// Agrees on a key with the holder of a public key. None: it is no key for that.
pub(super) fn with(recipient: &PublicKey, encryption: Encryption) -> Option<Agreed> {
    let (curve, point) = recipient.point()?;
    // A new one each time: RFC 7518 4.6.
    let ephemeral = PrivateKey::generate(curve.algorithm()).ok()?;
    let key = agree(&ephemeral, curve, point, encryption, &[], &[])?;
    Some(Agreed { key, ephemeral: jwk(&ephemeral)? })
}

/// The key between a private key and a public one. A point that is not on the curve is refused by the library.
pub(super) fn agree(
    private: &PrivateKey,
    curve: Curve,
    point: &[u8],
    encryption: Encryption,
    apu: &[u8],
    apv: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    // RFC 7518 4.6.2: the key of the content, or the one that wraps it; each says in the derivation which.
    let (name, length) = match encryption.alg {
        KeyManagement::EcdhEs => (encryption.enc.as_str(), encryption.enc.key_length()),
        KeyManagement::EcdhEsA128Kw => (encryption.alg.as_str(), 16),
        KeyManagement::EcdhEsA256Kw => (encryption.alg.as_str(), 32),
        _ => return None,
    };
    let public = UnparsedPublicKey::new(curve.algorithm(), point);
    agreement::agree(private, public, (), |secret| derive(secret, name, length, apu, apv).ok_or(())).ok()
}

/// RFC 7518 4.6.2: the Concat KDF with SHA-256.
fn derive(secret: &[u8], name: &str, length: usize, apu: &[u8], apv: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut other_info = Vec::new();
    for part in [name.as_bytes(), apu, apv] {
        other_info.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        other_info.extend_from_slice(part);
    }
    other_info.extend_from_slice(&u32::try_from(length * 8).ok()?.to_be_bytes());
    let algorithm = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256)?;
    let mut key = Zeroizing::new(vec![0; length]);
    sskdf_digest(algorithm, secret, &other_info, &mut key).ok()?;
    Some(key)
}
