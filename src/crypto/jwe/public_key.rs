//! A public key of somebody to whom things are encrypted (RFC 7517 4).

use std::sync::Arc;

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
    PublicKeyComponents,
};
use serde_json::Value;

use super::agreement;
use super::error::JweError;
use crate::model::KeyManagement;

#[derive(Clone)]
pub struct PublicKey {
    kid: Option<String>,
    /// What its owner says it is for.
    algorithm: Option<String>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Rsa(Arc<OaepPublicEncryptingKey>),
    Agreement(agreement::Curve, Vec<u8>),
}

impl PublicKey {
    /// A key that things can be encrypted to; none for any other. `rsa` are modulus and exponent, where it is an RSA
    /// key of a good size.
    pub fn read(jwk: &Value, rsa: Option<(&[u8], &[u8])>) -> Option<Self> {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str).map(str::to_owned);
        let material = match rsa {
            Some((n, e)) => {
                let key: PublicEncryptingKey = PublicKeyComponents { n, e }.try_into().ok()?;
                Material::Rsa(Arc::new(OaepPublicEncryptingKey::new(key).ok()?))
            }
            None => {
                let (curve, point) = agreement::point(jwk)?;
                Material::Agreement(curve, point)
            }
        };
        let algorithm = text("alg");
        let key = Self { kid: text("kid"), algorithm, material };
        // A key that its owner wants used with something else only, a signature say, is none of these.
        KeyManagement::ALL.into_iter().any(|algorithm| key.fits(algorithm)).then_some(key)
    }

    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether the key is for this algorithm.
    pub fn fits(&self, algorithm: KeyManagement) -> bool {
        let kind = match algorithm {
            KeyManagement::RsaOaep | KeyManagement::RsaOaep256 => matches!(self.material, Material::Rsa(_)),
            KeyManagement::EcdhEs | KeyManagement::EcdhEsA128Kw | KeyManagement::EcdhEsA256Kw => {
                matches!(self.material, Material::Agreement(..))
            }
            KeyManagement::A128Kw | KeyManagement::A256Kw | KeyManagement::Direct => false,
        };
        kind && self.algorithm.as_deref().is_none_or(|stated| stated == algorithm.as_str())
    }

    pub(super) fn point(&self) -> Option<(agreement::Curve, &[u8])> {
        match &self.material {
            Material::Agreement(curve, point) => Some((*curve, point)),
            Material::Rsa(_) => None,
        }
    }

    /// RFC 7518 4.3
    pub(super) fn encrypt(&self, algorithm: KeyManagement, plain: &[u8]) -> Result<Vec<u8>, JweError> {
        let Material::Rsa(key) = &self.material else { return Err(JweError::WrongKey(algorithm)) };
        let padding = match algorithm {
            KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
            KeyManagement::RsaOaep256 => &OAEP_SHA256_MGF1SHA256,
            _ => return Err(JweError::WrongKey(algorithm)),
        };
        let mut encrypted = vec![0; key.ciphertext_size()];
        key.encrypt(padding, plain, &mut encrypted, None)?;
        Ok(encrypted)
    }
}
