//! The master key: 256 bits that everything recoverable in the database is sealed under.
//!
//! Keys are derived from it (HKDF-SHA256, RFC 5869): one to seal with (AES-256-GCM), one to derive the keys of single
//! tokens with, one for the tags of handles and forms (both HMAC-SHA256), so that no use can help an attack on another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::random;
use crate::model::Secret;

/// Bytes of the salt of one token's key: 128 bits, so that none comes twice.
const TOKEN_SALT: usize = 16;

/// The keys derived from the master key. The master key itself is not kept.
pub struct MasterKey {
    sealing: RandomizedNonceKey,
    tokens: hmac::Key,
    tagging: hmac::Key,
    deriving: hmac::Key,
}

/// Why a master key or a sealed value was refused. Says nothing about its content.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("the master key is not the base64 of 32 bytes; make one with `openssl rand -base64 32`")]
    Malformed,
    #[error("a value in the database was not sealed under this master key")]
    WrongKey,
    #[error("the cryptographic library failed")]
    Library,
}

struct Length32;

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

impl MasterKey {
    /// Reads the base64 (standard or URL-safe, padded or not) of 32 bytes.
    pub fn parse(text: &Secret) -> Result<Self, MasterKeyError> {
        let bare = text.expose().trim().trim_end_matches('=').replace('-', "+").replace('_', "/");
        let bytes = Zeroizing::new(
            base64::engine::general_purpose::STANDARD_NO_PAD
                .decode(bare)
                .map_err(|_| MasterKeyError::Malformed)?,
        );
        if bytes.len() != 32 {
            return Err(MasterKeyError::Malformed);
        }
        let sealing = derive(&bytes, b"chancery sealing v1")?;
        let tokens = derive(&bytes, b"chancery sealing tokens v1")?;
        let tagging = derive(&bytes, b"chancery tagging v1")?;
        let deriving = derive(&bytes, b"chancery deriving v1")?;
        Ok(Self {
            sealing: RandomizedNonceKey::new(&AES_256_GCM, &*sealing).map_err(|_| MasterKeyError::Library)?,
            tokens: hmac::Key::new(hmac::HMAC_SHA256, &*tokens),
            tagging: hmac::Key::new(hmac::HMAC_SHA256, &*tagging),
            deriving: hmac::Key::new(hmac::HMAC_SHA256, &*deriving),
        })
    }

    /// A new master key, in the form that [`MasterKey::parse`] reads.
    pub fn generate() -> Secret {
        Secret::new(STANDARD.encode(random::bytes::<32>()))
    }

    /// Encrypts `plain` for the place named `purpose`; it opens only for the same purpose.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Secret, MasterKeyError> {
        let mut sealed = Vec::new();
        encrypt(&self.sealing, purpose, plain, &mut sealed)?;
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens what [`MasterKey::seal`] made.
    pub fn open(&self, purpose: &str, sealed: &Secret) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        let mut bytes =
            Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed.expose()).map_err(|_| MasterKeyError::WrongKey)?);
        Ok(Zeroizing::new(decrypt(&self.sealing, purpose, &mut bytes)?.to_vec()))
    }

    /// Encrypts a token for `purpose`. Random nonces are good for some 2^32 messages under one key (NIST SP 800-38D
    /// 8.3), which a busy server seals in weeks; so each token has a key of its own, derived with a random salt.
    pub fn seal_token(&self, purpose: &str, plain: &[u8]) -> Result<String, MasterKeyError> {
        let salt = random::bytes::<TOKEN_SALT>();
        let mut sealed = Vec::with_capacity(TOKEN_SALT + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&salt);
        encrypt(&self.token_key(purpose, &salt)?, purpose, plain, &mut sealed)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what [`MasterKey::seal_token`] made for the same purpose.
    pub fn open_token(&self, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (salt, body) = bytes.split_first_chunk_mut::<TOKEN_SALT>()?;
        let key = self.token_key(purpose, salt).ok()?;
        decrypt(&key, purpose, body).ok().map(|plain| plain.to_vec())
    }

    fn token_key(&self, purpose: &str, salt: &[u8]) -> Result<RandomizedNonceKey, MasterKeyError> {
        let key = Zeroizing::new(mac(&self.tokens, &[purpose.as_bytes(), salt]));
        RandomizedNonceKey::new(&AES_256_GCM, &*key).map_err(|_| MasterKeyError::Library)
    }

    /// HMAC-SHA256 over `parts`, each preceded by its length, so that no two lists give the same input.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.tagging, parts)
    }

    /// 256 bits that are the same for the same `parts` as long as this is the master key: a key, or a name that nobody
    /// can trace back. The first part says what for.
    pub fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.deriving, parts)
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

fn derive(master: &[u8], label: &[u8]) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, b"chancery")
        .extract(master)
        .expand(&[label], Length32)
        .and_then(|okm| okm.fill(&mut *key))
        .map_err(|_| MasterKeyError::Library)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::MasterKey;
    use crate::model::Secret;

    fn key() -> MasterKey {
        MasterKey::parse(&MasterKey::generate()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_the_same_purpose_only() {
        let key = key();
        let sealed = key.seal("signing key", b"private").unwrap();
        assert_eq!(&**key.open("signing key", &sealed).unwrap(), b"private");
        assert!(key.open("client secret", &sealed).is_err());
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let sealed = key().seal("signing key", b"private").unwrap();
        assert!(key().open("signing key", &sealed).is_err());
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let key = key();
        let sealed = key.seal("signing key", b"private").unwrap();
        let mut text = sealed.expose().to_owned();
        let flipped = if text[20..].starts_with('A') { "B" } else { "A" };
        text.replace_range(20..21, flipped);
        assert!(key.open("signing key", &Secret::new(text)).is_err());
    }

    #[test]
    fn tags_depend_on_where_one_part_ends_and_the_next_begins() {
        let key = key();
        assert_ne!(key.tag(&[b"ab", b"c"]), key.tag(&[b"a", b"bc"]));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert!(MasterKey::parse(&Secret::new("c2hvcnQ=")).is_err());
        assert!(MasterKey::parse(&Secret::new("not base64!")).is_err());
    }

    #[test]
    fn a_sealed_token_opens_whole_for_its_purpose_and_its_key_only() {
        let key = key();
        let sealed = key.seal_token("access token", b"claims").unwrap();
        assert_eq!(key.open_token("access token", &sealed).as_deref(), Some(&b"claims"[..]));
        assert_ne!(key.seal_token("access token", b"claims").unwrap(), sealed);
        assert_eq!(key.open_token("another purpose", &sealed), None);
        assert_eq!(self::key().open_token("access token", &sealed), None);
        // What is sealed for the database is no token.
        let stored = key.seal("access token", b"claims").unwrap();
        assert_eq!(key.open_token("access token", stored.expose()), None);
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(key.open_token("access token", &URL_SAFE_NO_PAD.encode(&changed)), None, "{at}");
            assert_eq!(key.open_token("access token", &URL_SAFE_NO_PAD.encode(&bytes[..at])), None, "{at}");
        }
    }
}
