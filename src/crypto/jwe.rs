//! JWE in its compact serialisation (RFC 7516): what only its reader can open.
//!
//! Every primitive is one of aws-lc-rs; this file and its children put them in the order of RFC 7516 5.1 and 5.2. Why
//! there is no library for it: `docs/adr/0017`.

mod agreement;
mod content;
mod decryption_key;
mod error;
mod public_key;

use aws_lc_rs::digest as sha;
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use decryption_key::{DecryptionKey, Opened};
pub use error::JweError;
pub use public_key::PublicKey;

use super::random;
use crate::model::{Encryption, KeyManagement};

/// Bytes that a wrapped key is longer than the key (RFC 3394 2.2.1).
const WRAP_OVERHEAD: usize = 8;

/// Whose key a JWE is encrypted with.
pub enum Recipient<'a> {
    Public(&'a PublicKey),
    /// A key of [`Encryption::shared_key_length`] that both sides know.
    Shared(&'a [u8]),
}

/// What is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Claims as JSON.
    Claims,
    /// A signed JWT.
    Jwt,
}

/// The key of the content, how the recipient comes by it, and what the header says of that.
struct Management {
    content_key: Zeroizing<Vec<u8>>,
    encrypted_key: Vec<u8>,
    header: Map<String, Value>,
}

/// Encrypts (RFC 7516 5.1).
pub fn encrypt(
    encryption: Encryption,
    recipient: &Recipient<'_>,
    payload: Payload,
    plain: &[u8],
) -> Result<String, JweError> {
    let Management { content_key, encrypted_key, mut header } = manage(encryption, recipient)?;
    header.insert("alg".into(), encryption.alg.as_str().into());
    header.insert("enc".into(), encryption.enc.as_str().into());
    if payload == Payload::Jwt {
        // RFC 7519 5.2: MUST be present where the content is a JWT again.
        header.insert("cty".into(), "JWT".into());
    }
    if let Recipient::Public(key) = recipient
        && let Some(kid) = key.kid()
    {
        header.insert("kid".into(), kid.into());
    }
    let mut token = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
    let sealed = content::seal(encryption.enc, &content_key, token.as_bytes(), plain)?;
    for part in [&encrypted_key, &sealed.iv, &sealed.ciphertext, &sealed.tag] {
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(part, &mut token);
    }
    Ok(token)
}

/// The key that two sides have in a client secret (OpenID Connect Core 10.2): the left of its hash.
pub fn shared_key(secret: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let hash = sha::digest(if length > 32 { &sha::SHA512 } else { &sha::SHA256 }, secret);
    Zeroizing::new(hash.as_ref().iter().copied().take(length).collect())
}

/// RFC 7518 4.1
fn manage(encryption: Encryption, recipient: &Recipient<'_>) -> Result<Management, JweError> {
    let wrong_key = || JweError::WrongKey(encryption.alg);
    let bare = |content_key, encrypted_key| Management { content_key, encrypted_key, header: Map::new() };
    match (encryption.alg, recipient) {
        (KeyManagement::RsaOaep | KeyManagement::RsaOaep256, Recipient::Public(key)) => {
            let content_key = new_key(encryption);
            let encrypted_key = key.encrypt(encryption.alg, &content_key)?;
            Ok(bare(content_key, encrypted_key))
        }
        (KeyManagement::EcdhEs, Recipient::Public(key)) => {
            let agreed = agreement::with(key, encryption).ok_or_else(wrong_key)?;
            let header = Map::from_iter([("epk".to_owned(), agreed.ephemeral)]);
            Ok(Management { content_key: agreed.key, encrypted_key: Vec::new(), header })
        }
        (KeyManagement::EcdhEsA128Kw | KeyManagement::EcdhEsA256Kw, Recipient::Public(key)) => {
            let agreed = agreement::with(key, encryption).ok_or_else(wrong_key)?;
            let header = Map::from_iter([("epk".to_owned(), agreed.ephemeral)]);
            let content_key = new_key(encryption);
            let encrypted_key = wrap(&agreed.key, &content_key)?;
            Ok(Management { content_key, encrypted_key, header })
        }
        (KeyManagement::A128Kw | KeyManagement::A256Kw, Recipient::Shared(key)) => {
            if key.len() != encryption.shared_key_length() {
                return Err(wrong_key());
            }
            let content_key = new_key(encryption);
            let encrypted_key = wrap(key, &content_key)?;
            Ok(bare(content_key, encrypted_key))
        }
        (KeyManagement::Direct, Recipient::Shared(key)) => Ok(bare(Zeroizing::new(key.to_vec()), Vec::new())),
        _ => Err(wrong_key()),
    }
}

fn new_key(encryption: Encryption) -> Zeroizing<Vec<u8>> {
    let bytes = Zeroizing::new(random::bytes::<64>());
    Zeroizing::new(bytes[..encryption.enc.key_length()].to_vec())
}

/// The kind of AES follows from the length of the key.
fn wrapping_key(key: &[u8]) -> Result<AesKek, JweError> {
    let cipher = if key.len() == 16 { &AES_128 } else { &AES_256 };
    Ok(AesKek::new(cipher, key)?)
}

fn wrap(key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, JweError> {
    let mut wrapped = vec![0; content_key.len() + WRAP_OVERHEAD];
    wrapping_key(key)?.wrap(content_key, &mut wrapped)?;
    Ok(wrapped)
}

fn unwrap(key: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(vec![0; wrapped.len().checked_sub(WRAP_OVERHEAD)?]);
    wrapping_key(key).ok()?.unwrap(wrapped, &mut plain).ok()?;
    Some(plain)
}

#[cfg(test)]
mod tests;
