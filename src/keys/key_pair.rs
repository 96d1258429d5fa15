//! One private key: parsed once, because parsing it costs more than signing with it.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::KeyError;
use crate::crypto::digest;
use crate::model::{Algorithm, KeyId};

pub(super) struct KeyPair {
    pub algorithm: Algorithm,
    private: Private,
}

enum Private {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl KeyPair {
    /// Makes a key and returns it as PKCS#8. RSA takes tens of milliseconds: not for an async thread.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            Algorithm::ES256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .map(|document| document.as_ref().to_vec()),
            Algorithm::ES384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random)
                .map(|document| document.as_ref().to_vec()),
            Algorithm::EdDSA => {
                Ed25519KeyPair::generate_pkcs8v1(&random).map(|document| document.as_ref().to_vec())
            }
            Algorithm::RS256 | Algorithm::PS256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| pair.as_der())
                .map(|der: aws_lc_rs::encoding::Pkcs8V1Der| der.as_ref().to_vec()),
        };
        pkcs8.map(Zeroizing::new).map_err(|_| KeyError::Library)
    }

    pub(super) fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let private = match algorithm {
            Algorithm::ES256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Private::Ecdsa)
            }
            Algorithm::ES384 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8).map(Private::Ecdsa)
            }
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(pkcs8).map(Private::Ed25519),
            Algorithm::RS256 | Algorithm::PS256 => RsaKeyPair::from_pkcs8(pkcs8).map(Private::Rsa),
        };
        Ok(Self { algorithm, private: private.map_err(|_| KeyError::Library)? })
    }

    /// The raw signature that JWS puts behind the second dot (RFC 7518 3.3 to 3.5, RFC 8037 3.1).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.private {
            Private::Ecdsa(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Private::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Private::Rsa(pair) => {
                let padding: &dyn aws_lc_rs::signature::RsaEncoding = match self.algorithm {
                    Algorithm::PS256 => &RSA_PSS_SHA256,
                    Algorithm::RS256 | Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => {
                        &RSA_PKCS1_SHA256
                    }
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).map(|()| signature)
            }
        }
        .map_err(|_| KeyError::Library)
    }

    /// The public key's required members (RFC 7518 6.2.1, 6.3.1; RFC 8037 2), which are also what RFC 7638 hashes.
    fn required_members(&self) -> Map<String, Value> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match &self.private {
            Private::Ecdsa(pair) => {
                // SEC 1 2.3.3: 0x04, then both coordinates.
                let coordinates = &pair.public_key().as_ref()[1..];
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                let curve = if self.algorithm == Algorithm::ES384 { "P-384" } else { "P-256" };
                json!({"crv": curve, "kty": "EC", "x": encode(x), "y": encode(y)})
            }
            Private::Ed25519(pair) => {
                json!({"crv": "Ed25519", "kty": "OKP", "x": encode(pair.public_key().as_ref())})
            }
            Private::Rsa(pair) => {
                let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
                json!({
                    "e": encode(exponent.big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": encode(modulus.big_endian_without_leading_zero()),
                })
            }
        };
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// The RFC 7638 thumbprint: SHA-256 over the required members in lexicographic order without white space. PS256
    /// and RS256 keys differ by their numbers, so no two keys share a `kid`.
    pub(super) fn id(&self) -> KeyId {
        // serde_json's map is sorted, and writes no white space.
        KeyId::new(digest::sha256_base64url(&Value::Object(self.required_members()).to_string()))
    }

    /// The public key as a JWK (RFC 7517 4).
    pub(super) fn jwk(&self) -> Value {
        let mut members = self.required_members();
        members.insert("kid".into(), self.id().as_str().into());
        members.insert("use".into(), "sig".into());
        members.insert("alg".into(), self.algorithm.as_str().into());
        Value::Object(members)
    }
}
