//! The key that others encrypt to this server with.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{agreement, content, unwrap};
use crate::crypto::digest;
use crate::crypto::master_key::{MasterKey, MasterKeyError};
use crate::model::{ContentEncryption, Encryption, KeyManagement};

/// Attempts at a number below the order of the curve. One in 2^32 is not.
const ATTEMPTS: u8 = 4;

/// A private key of P-256.
pub struct DecryptionKey {
    private: PrivateKey,
    kid: String,
    jwk: Value,
}

/// What was in a JWE, and what its sender said about it.
pub struct Opened {
    pub plain: Zeroizing<Vec<u8>>,
    pub encryption: Encryption,
    /// What the content is (RFC 7516 4.1.12).
    pub cty: Option<String>,
}

/// The protected header (RFC 7516 4). What is not read here changes nothing.
#[derive(Deserialize)]
struct Header {
    alg: KeyManagement,
    enc: ContentEncryption,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    cty: Option<String>,
    epk: Value,
    #[serde(default)]
    apu: String,
    #[serde(default)]
    apv: String,
    #[serde(default)]
    zip: Option<Value>,
    #[serde(default)]
    crit: Option<Value>,
}

impl DecryptionKey {
    /// The keys of this installation: derived from each data key that counts, so that all replicas have the same without
    /// asking. The one to publish is the first.
    pub fn derive_all(master: &MasterKey) -> Result<Vec<Self>, MasterKeyError> {
        let mut keys: Vec<Option<Self>> = Vec::new();
        for attempt in 0..ATTEMPTS {
            let numbers = master.derive_all(&[b"decryption key", &[attempt]]);
            keys.resize_with(numbers.len().max(keys.len()), || None);
            for (key, number) in keys.iter_mut().zip(numbers.into_iter().map(Zeroizing::new)) {
                if key.is_none() {
                    let private = PrivateKey::from_private_key(&ECDH_P256, &*number);
                    *key = private.ok().and_then(Self::new);
                }
            }
            if keys.iter().all(Option::is_some) {
                break;
            }
        }
        keys.into_iter().map(|key| key.ok_or(MasterKeyError::Library)).collect()
    }

    fn new(private: PrivateKey) -> Option<Self> {
        let mut jwk = agreement::jwk(&private)?;
        // RFC 7638 3: the members are those it wants, and serde_json writes them sorted.
        let kid = digest::sha256_base64url(&jwk.to_string());
        jwk["kid"] = kid.as_str().into();
        jwk["use"] = "enc".into();
        Some(Self { private, kid, jwk })
    }

    /// The public half. It names no `alg`, because it is for all three of [`KeyManagement::AGREEMENT`].
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Decrypts what was encrypted to this key (RFC 7516 5.2). None, whatever is wrong with it, so that a sender
    /// learns nothing by asking often (RFC 7516 11.5).
    pub fn decrypt(&self, token: &str) -> Option<Opened> {
        let (head, rest) = token.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
        // RFC 7516 4.1.13: nothing critical is understood here. Nor is anything inflated: what is short may get long.
        if header.crit.is_some() || header.zip.is_some() {
            return None;
        }
        if header.kid.as_ref().is_some_and(|kid| *kid != self.kid) {
            return None;
        }
        let mut parts = rest.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let mut part = || parts.next().flatten();
        let (encrypted_key, iv, ciphertext, tag) = (part()?, part()?, part()?, part()?);
        if parts.next().is_some() {
            return None;
        }
        let key = self.content_key(&header, &encrypted_key)?;
        let plain =
            content::open(header.enc, &key, head.as_bytes(), content::Sealed { iv, ciphertext, tag })?;
        let encryption = Encryption { alg: header.alg, enc: header.enc };
        Some(Opened { plain, encryption, cty: header.cty })
    }

    fn content_key(&self, header: &Header, encrypted_key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (curve, point) = agreement::point(&header.epk)?;
        if agreement::Curve::of(&self.private) != Some(curve) {
            return None;
        }
        let encryption = Encryption { alg: header.alg, enc: header.enc };
        let info = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let (apu, apv) = (info(&header.apu)?, info(&header.apv)?);
        let agreed = agreement::agree(&self.private, curve, &point, encryption, &apu, &apv)?;
        match header.alg {
            // RFC 7516 5.2 10: MUST be empty.
            KeyManagement::EcdhEs => encrypted_key.is_empty().then_some(agreed),
            _ => unwrap(&agreed, encrypted_key),
        }
    }

    /// A key of the standards' examples.
    #[cfg(test)]
    pub(super) fn from_jwk(jwk: &Value) -> Self {
        let number = URL_SAFE_NO_PAD.decode(jwk["d"].as_str().unwrap()).unwrap();
        let curve = if jwk["crv"] == "P-384" { &aws_lc_rs::agreement::ECDH_P384 } else { &ECDH_P256 };
        let key = Self::new(PrivateKey::from_private_key(curve, &number).unwrap()).unwrap();
        Self { kid: jwk["kid"].as_str().unwrap_or(&key.kid).to_owned(), ..key }
    }
}
