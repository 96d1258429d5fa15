//! One master key: what is derived from it, and sealing data keys under it.

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::crypto::data_key::{self, LENGTH, Material};
use crate::crypto::master_key_error::MasterKeyError;
use crate::model::{DataKeyState, SealedDataKey, Secret};

/// Bytes of the id of a master key.
const ID: usize = 6;

/// One master key: what is derived from it. It is not kept itself.
pub(super) struct Master {
    pub id: String,
    sealing: RandomizedNonceKey,
    /// The first data key of an installation that had none.
    pub derived: Material,
}

impl Master {
    /// Reads the base64 (standard or URL-safe, padded or not) of 32 bytes.
    pub(super) fn parse(text: &Secret) -> Result<Self, MasterKeyError> {
        let bare = text.expose().trim().trim_end_matches('=').replace('-', "+").replace('_', "/");
        let bytes = Zeroizing::new(STANDARD_NO_PAD.decode(bare).map_err(|_| MasterKeyError::Malformed)?);
        if bytes.len() != 32 {
            return Err(MasterKeyError::Malformed);
        }
        let sealing = derive::<32>(&bytes, b"chancery data keys v1")?;
        let id = derive::<ID>(&bytes, b"chancery master key id v1")?;
        let mut derived = Zeroizing::new([0; LENGTH]);
        // In the order in which a data key has its parts.
        let labels: [&[u8]; 4] = [
            b"chancery sealing v1",
            b"chancery sealing tokens v1",
            b"chancery tagging v1",
            b"chancery deriving v1",
        ];
        for (part, label) in derived.chunks_exact_mut(32).zip(labels) {
            part.copy_from_slice(&*derive::<32>(&bytes, label)?);
        }
        let sealing =
            RandomizedNonceKey::new(&AES_256_GCM, &*sealing).map_err(|_| MasterKeyError::Library)?;
        Ok(Self { id: URL_SAFE_NO_PAD.encode(*id), sealing, derived })
    }

    pub(super) fn seal(
        &self,
        number: i64,
        state: DataKeyState,
        material: &Material,
    ) -> Result<Secret, MasterKeyError> {
        data_key::seal(&self.sealing, &purpose(number, state), &**material)
    }

    pub(super) fn open(&self, key: &SealedDataKey) -> Option<Material> {
        let plain = data_key::open(&self.sealing, &purpose(key.number, key.state), &key.sealed).ok()?;
        let mut material = Zeroizing::new([0; LENGTH]);
        (plain.len() == LENGTH).then(|| material.copy_from_slice(&plain)).map(|()| material)
    }
}

/// What a data key is sealed for. An ended one is sealed as that: whoever has the database alone cannot make it count again.
fn purpose(number: i64, state: DataKeyState) -> String {
    match state {
        DataKeyState::Ended => format!("ended data key {number}"),
        _ => format!("data key {number}"),
    }
}

struct Length<const N: usize>;

impl<const N: usize> KeyType for Length<N> {
    fn len(&self) -> usize {
        N
    }
}

fn derive<const N: usize>(master: &[u8], label: &[u8]) -> Result<Zeroizing<[u8; N]>, MasterKeyError> {
    let mut key = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, b"chancery")
        .extract(master)
        .expand(&[label], Length::<N>)
        .and_then(|okm| okm.fill(&mut *key))
        .map_err(|_| MasterKeyError::Library)?;
    Ok(key)
}
