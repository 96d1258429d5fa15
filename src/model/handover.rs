//! An authorization request that was handed to login and consent pages of somebody else.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::closed_set::closed_set;
use super::{ClaimsRequest, ConsentGeneration, RequestId, SessionId, SignInGeneration, Timestamp, UserId};

closed_set! {
    /// Where a request is on its way through external pages.
    pub enum HandoverStep {
        /// The login page has it.
        Login = "login",
        /// The login page has answered; the browser has yet to come back with the verifier.
        LoginAnswered = "login_answered",
        Consent = "consent",
        ConsentAnswered = "consent_answered",
        Over = "over",
    }
}

/// One handed-over request. Its id is the challenge that the pages know.
#[derive(Debug, Clone, PartialEq)]
pub struct Handover {
    pub request_id: RequestId,
    pub step: HandoverStep,
    /// Random, part of the verifiers' tags.
    pub salt: String,
    /// The session that was live when it began, so that nobody has to sign in again.
    pub session_id: Option<SessionId>,
    /// Whose session that is; once the login is taken, who signed in.
    pub subject: Option<UserId>,
    /// JSON: what the page said at this step.
    pub answer: Option<String>,
    pub answered_at: Option<Timestamp>,
    /// What the login counts for that the page accepted, and what the consent does.
    pub sign_in: Option<SignInGeneration>,
    pub consent: Option<ConsentGeneration>,
    pub login: LoginFacts,
}

/// What the login page said that the consent page and the tokens need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoginFacts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Value>,
}

/// What was said about a grant beside its scope; empty where nothing was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GrantContext {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// The languages that the client wants claims in (OpenID Connect Core 5.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_locales: Option<String>,
    /// The single claims that were granted (OpenID Connect Core 5.5).
    #[serde(default, skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    /// The granted audience; none: the client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Vec<String>>,
    /// Claims of the access token, below `ext`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub access_token: Map<String, Value>,
    /// Further claims of the ID token and of UserInfo.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub id_token: Map<String, Value>,
}
