//! An issuer whose assertions are taken for a user's authorization (RFC 7523 2.1).

use serde::Serialize;
use serde_json::Value;

use super::Timestamp;
use super::closed_set::closed_set;

/// One trusted issuer. Exactly one of `jwks` and `jwks_uri` is set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrustedIssuer {
    /// Exactly what is in `iss`.
    pub issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
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
