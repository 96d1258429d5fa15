//! An issuer whose assertions are taken for a user's authorization (RFC 7523 2.1).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Timestamp;

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

/// Which of a local user's own claims the assertion's `sub` is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectClaim {
    /// The user's id, the `sub` of their tokens.
    #[default]
    Sub,
    Username,
    /// The mail address, where it is verified.
    Email,
}

impl SubjectClaim {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sub => "sub",
            Self::Username => "username",
            Self::Email => "email",
        }
    }
}
