//! The master key: 256 bits that everything recoverable in the database is sealed under.
//!
//! Two keys are derived from it (HKDF-SHA256, RFC 5869), one to seal with (AES-256-GCM), one for the tags of handles
//! and forms (HMAC-SHA256), so that neither use can help an attack on the other.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::random;
use crate::model::Secret;

/// The keys derived from the master key. The master key itself is not kept.
pub struct MasterKey {
    sealing: RandomizedNonceKey,
    tagging: hmac::Key,
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
        let tagging = derive(&bytes, b"chancery tagging v1")?;
        Ok(Self {
            sealing: RandomizedNonceKey::new(&AES_256_GCM, &*sealing).map_err(|_| MasterKeyError::Library)?,
            tagging: hmac::Key::new(hmac::HMAC_SHA256, &*tagging),
        })
    }

    /// A new master key, in the form that [`MasterKey::parse`] reads.
    pub fn generate() -> Secret {
        Secret::new(STANDARD.encode(random::bytes::<32>()))
    }

    /// Encrypts `plain` for the place named `purpose`; it opens only for the same purpose.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Secret, MasterKeyError> {
        let mut data = Zeroizing::new(plain.to_vec());
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut *data)
            .map_err(|_| MasterKeyError::Library)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&data);
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens what [`MasterKey::seal`] made.
    pub fn open(&self, purpose: &str, sealed: &Secret) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        let mut bytes =
            Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed.expose()).map_err(|_| MasterKeyError::WrongKey)?);
        if bytes.len() < NONCE_LEN {
            return Err(MasterKeyError::WrongKey);
        }
        let nonce =
            Nonce::try_assume_unique_for_key(&bytes[..NONCE_LEN]).map_err(|_| MasterKeyError::WrongKey)?;
        let plain = self
            .sealing
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut bytes[NONCE_LEN..])
            .map_err(|_| MasterKeyError::WrongKey)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    /// HMAC-SHA256 over `parts`, each preceded by its length, so that no two lists give the same input.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.tagging);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
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
        let flipped = if text.ends_with('A') { "B" } else { "A" };
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
}
