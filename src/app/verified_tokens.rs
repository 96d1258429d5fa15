//! Access tokens whose signature was verified: `grants/access_tokens.rs` says what for.

use std::sync::Arc;

use crate::cache::{self, Cache};
use crate::protocol::claims::AccessTokenClaims;

/// About a kilobyte each.
const MOST: u64 = 10_000;

/// Tokens, by their SHA-256, that bear this server's signature.
pub struct VerifiedTokens(Cache<[u8; 32], Arc<AccessTokenClaims>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(cache::recent(MOST).build())
    }
}

impl VerifiedTokens {
    /// How many are cached.
    pub fn entries(&self) -> u64 {
        cache::entries(&self.0)
    }

    /// Forgets all, because the keys changed.
    pub fn forget(&self) {
        self.0.invalidate_all();
    }

    pub fn find(&self, digest: &[u8; 32]) -> Option<Arc<AccessTokenClaims>> {
        self.0.get(digest)
    }

    pub fn remember(&self, digest: [u8; 32], claims: &Arc<AccessTokenClaims>) {
        self.0.insert(digest, Arc::clone(claims));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::digest;

    #[test]
    fn a_token_is_remembered_however_often_an_older_one_was_asked_about() {
        let remembered = VerifiedTokens::default().0;
        let claims = json!({"iss": "", "sub": "", "aud": [], "client_id": "", "iat": 0, "exp": 0, "jti": ""});
        let claims: Arc<AccessTokenClaims> = Arc::new(serde_json::from_value(claims).unwrap());
        let ask = |number: u64| {
            let key = digest::sha256(&number.to_be_bytes());
            let known = remembered.get(&key).is_some();
            if !known {
                remembered.insert(key, Arc::clone(&claims));
            }
            remembered.run_pending_tasks();
            known
        };
        let often = |number| std::iter::repeat_n(number, 100);
        for number in (0..MOST).chain(often(0)).chain(1..MOST).chain(often(MOST)) {
            ask(number);
        }
        assert!(ask(MOST));
    }
}
