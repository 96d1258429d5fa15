//! A signing key as kept: the private part sealed, the times that say what it is for.

use super::{Algorithm, KeyId, Secret, Timestamp};

/// One key. It signs from `active_from` until a younger one of its algorithm does, and is published until
/// `expires_at`.
#[derive(Debug, Clone)]
pub struct SigningKey {
    pub id: KeyId,
    pub algorithm: Algorithm,
    /// PKCS#8, sealed under the master key, base64url.
    pub sealed_private_key: Secret,
    pub created_at: Timestamp,
    pub active_from: Timestamp,
    pub expires_at: Option<Timestamp>,
}
