//! The content of a JWE: authenticated encryption (RFC 7518 5).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

use super::error::JweError;
use crate::crypto::{digest, random};
use crate::model::ContentEncryption;

/// Bytes of the GCM tag (RFC 7518 5.3).
const GCM_TAG: usize = 16;

/// The last three parts of a JWE.
pub(super) struct Sealed {
    pub iv: Vec<u8>,
    pub ciphertext: Vec<u8>,
    pub tag: Vec<u8>,
}

/// Encrypts `plain`, and authenticates `aad` with it.
pub(super) fn seal(enc: ContentEncryption, key: &[u8], aad: &[u8], plain: &[u8]) -> Result<Sealed, JweError> {
    // The key has to fit, and not only to be long enough for a slice of it.
    if key.len() != enc.key_length() {
        return Err(JweError::Library);
    }
    match enc {
        ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => {
            let iv = random::bytes();
            let mut ciphertext = plain.to_vec();
            let nonce = Nonce::assume_unique_for_key(iv);
            let tag = gcm(key)?.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut ciphertext)?;
            Ok(Sealed { iv: iv.to_vec(), ciphertext, tag: tag.as_ref().to_vec() })
        }
        ContentEncryption::A128CbcHs256 | ContentEncryption::A256CbcHs512 => {
            let (mac_key, cipher_key) = key.split_at(key.len() / 2);
            let mut ciphertext = plain.to_vec();
            let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cbc(cipher_key)?)?;
            let DecryptionContext::Iv128(iv) = cipher.encrypt(&mut ciphertext)? else {
                return Err(JweError::Library);
            };
            let iv = iv.as_ref().to_vec();
            let tag = cbc_tag(mac_key, aad, &iv, &ciphertext);
            Ok(Sealed { iv, ciphertext, tag })
        }
    }
}

/// Decrypts. None, whatever is wrong with it.
pub(super) fn open(
    enc: ContentEncryption,
    key: &[u8],
    aad: &[u8],
    sealed: Sealed,
) -> Option<Zeroizing<Vec<u8>>> {
    if key.len() != enc.key_length() {
        return None;
    }
    let Sealed { iv, ciphertext, tag } = sealed;
    let mut bytes = Zeroizing::new(ciphertext);
    match enc {
        ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => {
            if tag.len() != GCM_TAG {
                return None;
            }
            bytes.extend_from_slice(&tag);
            let nonce = Nonce::try_assume_unique_for_key(&iv).ok()?;
            let length = gcm(key).ok()?.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
            bytes.truncate(length);
        }
        ContentEncryption::A128CbcHs256 | ContentEncryption::A256CbcHs512 => {
            let (mac_key, cipher_key) = key.split_at(key.len() / 2);
            let iv: [u8; 16] = iv.try_into().ok()?;
            // RFC 7518 5.2.2.2: the tag before anything of the padding is looked at.
            if !digest::equal(&cbc_tag(mac_key, aad, &iv, &bytes), &tag) {
                return None;
            }
            let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(cbc(cipher_key).ok()?).ok()?;
            let context = DecryptionContext::Iv128(FixedLength::from(iv));
            let length = cipher.decrypt(&mut bytes, context).ok()?.len();
            bytes.truncate(length);
        }
    }
    Some(bytes)
}

fn gcm(key: &[u8]) -> Result<LessSafeKey, JweError> {
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    Ok(LessSafeKey::new(UnboundKey::new(algorithm, key)?))
}

fn cbc(key: &[u8]) -> Result<UnboundCipherKey, JweError> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    Ok(UnboundCipherKey::new(algorithm, key)?)
}

/// RFC 7518 5.2.2.1: an HMAC over the data that is only authenticated, the IV, the ciphertext, and the length of the
/// first in bits; the left half of it.
fn cbc_tag(key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let algorithm = if key.len() == 16 { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA512 };
    let mut mac = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
    for part in [aad, iv, ciphertext, &(aad.len() as u64 * 8).to_be_bytes()] {
        mac.update(part);
    }
    mac.sign().as_ref()[..key.len()].to_vec()
}
