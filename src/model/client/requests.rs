//! How a client asks: response types and modes (OAuth 2.0 Multiple Response Types), request objects (RFC 9101) and pushed requests (RFC 9126).

use serde::{Deserialize, Serialize};

use crate::model::{
    Algorithm, ContentEncryption, Encryption, KeyManagement, RequestObjectAlgorithm, ResponseType,
};

/// How a client sends authorization requests and gets their answers. A part of the metadata of [`ClientMetadata`](super::ClientMetadata).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientRequests {
    /// Empty: `code` (RFC 7591 2). Ask [`ClientRequests::may_ask_for`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_types: Vec<ResponseType>,
    /// What signs its authorization responses, and then every one of them is signed (JARM 3). None: the server's default,
    /// where the request asks for a signed response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<Algorithm>,
    /// How its authorization responses are encrypted after they were signed, and then every one of them is (JARM 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_encrypted_response_alg: Option<KeyManagement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_encrypted_response_enc: Option<ContentEncryption>,
    /// RFC 9126 6
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed_authorization_requests: bool,
    /// RFC 9101 10.5
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_signed_request_object: bool,
    /// How its request objects are signed. None: by any algorithm with a public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<RequestObjectAlgorithm>,
    /// How its request objects are encrypted, and then every one of them is. None: as it likes, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_alg: Option<KeyManagement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_enc: Option<ContentEncryption>,
    /// Where its request objects may be fetched from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
}

impl ClientRequests {
    pub fn may_ask_for(&self, response_type: ResponseType) -> bool {
        match self.response_types.as_slice() {
            [] => response_type == ResponseType::Code,
            registered => registered.contains(&response_type),
        }
    }

    /// How authorization responses are encrypted.
    pub fn response_encryption(&self) -> Option<Encryption> {
        Encryption::registered(
            self.authorization_encrypted_response_alg,
            self.authorization_encrypted_response_enc,
        )
    }

    /// How request objects have to be encrypted.
    pub fn request_object_encryption(&self) -> Option<Encryption> {
        Encryption::registered(self.request_object_encryption_alg, self.request_object_encryption_enc)
    }

    /// Whether every authorization response is a JWT (JARM 3).
    pub fn wants_signed_responses(&self) -> bool {
        self.authorization_signed_response_alg.is_some() || self.response_encryption().is_some()
    }

    /// Whether something is encrypted with the client's secret.
    pub fn encrypts_with_secret(&self) -> bool {
        self.authorization_encrypted_response_alg.is_some_and(KeyManagement::is_symmetric)
    }
}
