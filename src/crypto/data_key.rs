//! A data key: one to seal with (AES-256-GCM), one to derive the keys of single tokens with, one for the tags of handles,
//! forms and the audit log, one to derive names and keys with (all HMAC-SHA256), so that no use can help an attack on
//! another.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::master_key_error::MasterKeyError;
use super::random;
use crate::model::{DataKeyState, Secret};

/// Bytes of the salt of one token's key: 128 bits, so that none comes twice.
const TOKEN_SALT: usize = 16;
/// Bytes of one of the four keys.
const KEY: usize = 32;
/// Bytes of all of them.
pub(super) const LENGTH: usize = 4 * KEY;

/// What a data key is made of.
pub(super) type Material = Zeroizing<[u8; LENGTH]>;

/// 1,024 random bits.
pub(super) fn random_material() -> Material {
    Zeroizing::new(random::bytes::<LENGTH>())
}

pub(super) struct DataKey {
    pub number: i64,
    pub state: DataKeyState,
    parts: Arc<Parts>,
}

struct Parts {
    sealing: RandomizedNonceKey,
    tokens: hmac::Key,
    tagging: hmac::Key,
    deriving: hmac::Key,
}

impl DataKey {
    pub(super) fn new(number: i64, state: DataKeyState, material: &Material) -> Result<Self, MasterKeyError> {
        let part = |index: usize| &material[index * KEY..][..KEY];
        let mac = |index: usize| hmac::Key::new(hmac::HMAC_SHA256, part(index));
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, part(0)).map_err(|_| MasterKeyError::Library)?;
        let parts = Parts { sealing, tokens: mac(1), tagging: mac(2), deriving: mac(3) };
        Ok(Self { number, state, parts: Arc::new(parts) })
    }

    /// The same key in another state.
    pub(super) fn in_state(&self, state: DataKeyState) -> Self {
        Self { number: self.number, state, parts: Arc::clone(&self.parts) }
    }

    /// Whether what was made with it counts.
    pub(super) fn counts(&self) -> bool {
        self.state != DataKeyState::Ended
    }

    pub(super) fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Secret, MasterKeyError> {
        seal(&self.parts.sealing, purpose, plain)
    }

    pub(super) fn open(&self, purpose: &str, sealed: &Secret) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        open(&self.parts.sealing, purpose, sealed)
    }

    /// Encrypts a token for `purpose`. Random nonces are good for some 2^32 messages under one key (NIST SP 800-38D
    /// 8.3), which a busy server seals in weeks; so each token has a key of its own, derived with a random salt.
    pub(super) fn seal_apart(&self, purpose: &str, plain: &[u8]) -> Result<String, MasterKeyError> {
        let salt = random::bytes::<TOKEN_SALT>();
        let mut sealed = Vec::with_capacity(TOKEN_SALT + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&salt);
        encrypt(&self.token_key(purpose, &salt)?, purpose, plain, &mut sealed)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(super) fn open_apart(&self, purpose: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let (salt, body) = sealed.split_first_chunk_mut::<TOKEN_SALT>()?;
        let key = self.token_key(purpose, salt).ok()?;
        decrypt(&key, purpose, body).ok().map(|plain| plain.to_vec())
    }

    fn token_key(&self, purpose: &str, salt: &[u8]) -> Result<RandomizedNonceKey, MasterKeyError> {
        let key = Zeroizing::new(mac(&self.parts.tokens, &[purpose.as_bytes(), salt]));
        RandomizedNonceKey::new(&AES_256_GCM, &*key).map_err(|_| MasterKeyError::Library)
    }

    pub(super) fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.parts.tagging, parts)
    }

    pub(super) fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.parts.deriving, parts)
    }
}

fn mac(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// Encrypts `plain` for the place named `purpose`; it opens only for the same purpose.
pub(super) fn seal(key: &RandomizedNonceKey, purpose: &str, plain: &[u8]) -> Result<Secret, MasterKeyError> {
    let mut sealed = Vec::new();
    encrypt(key, purpose, plain, &mut sealed)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(sealed)))
}

/// Opens what [`seal`] made.
pub(super) fn open(
    key: &RandomizedNonceKey,
    purpose: &str,
    sealed: &Secret,
) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
    let mut bytes =
        Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed.expose()).map_err(|_| MasterKeyError::WrongKey)?);
    Ok(Zeroizing::new(decrypt(key, purpose, &mut bytes)?.to_vec()))
}

/// Appends nonce, ciphertext and tag to `sealed`.
fn encrypt(
    key: &RandomizedNonceKey,
    purpose: &str,
    plain: &[u8],
    sealed: &mut Vec<u8>,
) -> Result<(), MasterKeyError> {
    let mut data = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    data.extend_from_slice(plain);
    let nonce = key
        .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut *data)
        .map_err(|_| MasterKeyError::Library)?;
    sealed.extend_from_slice(nonce.as_ref());
    sealed.extend_from_slice(&data);
    Ok(())
}

/// Decrypts in place what [`encrypt`] appended.
fn decrypt<'d>(
    key: &RandomizedNonceKey,
    purpose: &str,
    sealed: &'d mut [u8],
) -> Result<&'d [u8], MasterKeyError> {
    let (nonce, body) = sealed.split_first_chunk_mut::<NONCE_LEN>().ok_or(MasterKeyError::WrongKey)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| MasterKeyError::WrongKey)?;
    let plain = key.open_in_place(nonce, Aad::from(purpose.as_bytes()), body);
    plain.map(|plain| &*plain).map_err(|_| MasterKeyError::WrongKey)
}
