//! An issuer whose assertions are taken for a user's authorization (RFC 7523 2.1).

use serde::Serialize;

use super::closed_set::closed_set;
use super::{KeySource, Timestamp};

/// One trusted issuer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrustedIssuer {
    /// Exactly what is in `iss`.
    pub issuer: String,
    #[serde(flatten)]
    pub keys: KeySource,
    pub subject_claim: SubjectClaim,
    pub created_at: Timestamp,
}

closed_set! {
    /// Which of a local user's own claims the assertion's `sub` is compared with.
    #[derive(Default)]
    pub enum SubjectClaim: Serialize + Deserialize {
        /// The user's id, the `sub` of their tokens.
        #[default]
        Sub = "sub",
        Username = "username",
        /// The mail address, where it is verified.
        Email = "email",
    }
}
