//! Access tokens as presented: whose signature is on them, and whether they are still good.
//!
//! Verifying a signature costs more than making it, so the server remembers a bounded number of tokens whose signature
//! it has seen. It remembers nothing else: expiry is checked each time, and whether a token is revoked is asked of the
//! database each time. Opening an opaque token takes a few microseconds, about as long as finding a remembered one, so
//! these are not remembered.

use std::sync::Arc;

use moka::sync::Cache;

use crate::app::App;
use crate::crypto::digest;
use crate::keys::TokenType;
use crate::model::Timestamp;
use crate::protocol::claims::AccessTokenClaims;

/// About a kilobyte each.
const MOST: u64 = 10_000;

/// What an opaque token begins with; the rest is sealed for this purpose.
pub(super) const OPAQUE_PREFIX: &str = "cy_at_";
pub(super) const OPAQUE_PURPOSE: &str = "access token";

/// Tokens, by their SHA-256, that bear this server's signature.
pub struct VerifiedTokens(Cache<[u8; 32], Arc<AccessTokenClaims>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl VerifiedTokens {
    /// Forgets all, because the keys changed.
    pub fn forget(&self) {
        self.0.invalidate_all();
    }
}

/// The claims of an access token that this server signed or sealed and that has not expired. Whether it was revoked is another
/// question.
pub fn verify(app: &App, token: &str, now: Timestamp) -> Option<Arc<AccessTokenClaims>> {
    signed(app, token).filter(|claims| is_current(app, claims, now))
}

/// Whether a token of ours has not expired.
pub fn is_current(app: &App, claims: &AccessTokenClaims, now: Timestamp) -> bool {
    claims.exp > now && claims.iss == app.issuer()
}

/// The claims of an access token that this server signed or sealed, expired or not.
pub fn signed(app: &App, token: &str) -> Option<Arc<AccessTokenClaims>> {
    match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => open(app, sealed),
        None => verify_signature(app, token),
    }
}

fn open(app: &App, sealed: &str) -> Option<Arc<AccessTokenClaims>> {
    let claims = app.master_key.open_token(OPAQUE_PURPOSE, sealed)?;
    serde_json::from_slice(&claims).ok().map(Arc::new)
}

fn verify_signature(app: &App, token: &str) -> Option<Arc<AccessTokenClaims>> {
    let key = digest::sha256(token.as_bytes());
    let ring = app.keys.ring();
    // A token may have been remembered at the very moment its key was withdrawn.
    if let Some(claims) = app.verified_tokens.0.get(&key).filter(|_| ring.knows(token)) {
        return Some(claims);
    }
    let claims: Arc<AccessTokenClaims> = Arc::new(ring.verify(TokenType::AccessToken, token)?);
    app.verified_tokens.0.insert(key, Arc::clone(&claims));
    Some(claims)
}
