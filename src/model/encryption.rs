//! How a JWT is encrypted to its reader (RFC 7518 4.1, 5.1).

use super::closed_set::closed_set;

closed_set! {
    /// A JWE `alg` value: how the reader comes by the key of the content. `RSA1_5` is not in this type, because its padding
    /// can be asked about (RFC 8725 3.2), so no client can register it.
    pub enum KeyManagement: Serialize + Deserialize {
        RsaOaep = "RSA-OAEP",
        RsaOaep256 = "RSA-OAEP-256",
        EcdhEs = "ECDH-ES",
        EcdhEsA128Kw = "ECDH-ES+A128KW",
        EcdhEsA256Kw = "ECDH-ES+A256KW",
        A128Kw = "A128KW",
        A256Kw = "A256KW",
        Direct = "dir",
    }
}

impl KeyManagement {
    /// With what the server itself is written to.
    pub const AGREEMENT: [Self; 3] = [Self::EcdhEs, Self::EcdhEsA128Kw, Self::EcdhEsA256Kw];

    /// Whether the key comes from the client's secret (OpenID Connect Core 10.2) instead of its public keys.
    pub fn is_symmetric(self) -> bool {
        match self {
            Self::A128Kw | Self::A256Kw | Self::Direct => true,
            Self::RsaOaep | Self::RsaOaep256 | Self::EcdhEs | Self::EcdhEsA128Kw | Self::EcdhEsA256Kw => {
                false
            }
        }
    }
}

closed_set! {
    /// A JWE `enc` value.
    #[derive(Default)]
    pub enum ContentEncryption: Serialize + Deserialize {
        /// OpenID Connect Registration 2: what a client means that registers an `alg` only.
        #[default]
        A128CbcHs256 = "A128CBC-HS256",
        A256CbcHs512 = "A256CBC-HS512",
        A128Gcm = "A128GCM",
        A256Gcm = "A256GCM",
    }
}

impl ContentEncryption {
    /// Bytes of its key.
    pub fn key_length(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A128CbcHs256 | Self::A256Gcm => 32,
            Self::A256CbcHs512 => 64,
        }
    }
}

/// What a client registered about one kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encryption {
    pub alg: KeyManagement,
    pub enc: ContentEncryption,
}

impl Encryption {
    /// None: the answer is not encrypted. An `enc` without `alg` is refused at registration.
    pub fn registered(alg: Option<KeyManagement>, enc: Option<ContentEncryption>) -> Option<Self> {
        alg.map(|alg| Self { alg, enc: enc.unwrap_or_default() })
    }

    /// Bytes of the key that both sides know beforehand, where `alg` is symmetric.
    pub fn shared_key_length(self) -> usize {
        match self.alg {
            KeyManagement::A128Kw => 16,
            KeyManagement::A256Kw => 32,
            _ => self.enc.key_length(),
        }
    }
}
