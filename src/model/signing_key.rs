//! A signing key as kept: the private part sealed, the times that say what it is for; and what stays of it in the end.

use super::{Algorithm, KeyId, Secret, Timestamp};

/// One key. It signs from `active_from` until a younger one of its algorithm does, and is published until
/// `expires_at`.
#[derive(Debug, Clone)]
pub struct SigningKey {
    pub id: KeyId,
    pub algorithm: Algorithm,
    /// PKCS#8, sealed under the master key, base64url.
    pub sealed_private_key: Secret,
    /// A JWK (RFC 7517 4).
    pub public_key: String,
    pub created_at: Timestamp,
    pub active_from: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// A key that is published no more. An ID token that it signed is still a hint (OpenID Connect Core 3.1.2.1), and nothing
/// else.
#[derive(Debug, Clone)]
pub struct RetiredKey {
    pub id: KeyId,
    pub algorithm: Algorithm,
    /// A JWK (RFC 7517 4).
    pub public_key: String,
    pub created_at: Timestamp,
    pub active_from: Timestamp,
    pub expires_at: Timestamp,
}
