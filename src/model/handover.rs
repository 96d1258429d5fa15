//! An authorization request that was handed to login and consent pages of somebody else.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::closed_set::closed_set;
use super::{
    AuthorizationRequestId, ClaimsRequest, ConsentGeneration, SessionId, SignInGeneration, Timestamp, UserId,
};

closed_set! {
    /// One of the two pages that somebody else may have.
    pub enum ExternalPage {
        Login = "login",
        Consent = "consent",
    }
}

impl ExternalPage {
    /// What Hydra calls the challenge of this page.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Login => "login_challenge",
            Self::Consent => "consent_challenge",
        }
    }
}

/// One handed-over request. Its id is the challenge that the pages know.
#[derive(Debug, Clone, PartialEq)]
pub struct Handover {
    pub request_id: AuthorizationRequestId,
    /// Random, part of the verifiers' tags.
    pub salt: String,
    pub step: HandoverStep,
}

/// Where a request is on its way through external pages, and what is known of it there.
#[derive(Debug, Clone, PartialEq)]
pub enum HandoverStep {
    /// The login page has it.
    Login {
        live: Option<LiveSession>,
    },
    /// The login page has answered; the browser has yet to come back with the verifier.
    LoginAnswered {
        live: Option<LiveSession>,
        answer: PageAnswer<SignInGeneration>,
    },
    /// The consent page has it.
    Consent {
        login: TakenLogin,
    },
    ConsentAnswered {
        login: TakenLogin,
        answer: PageAnswer<ConsentGeneration>,
    },
    Over,
}

/// The session that was live when a request was handed over, so that nobody has to sign in again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    pub session_id: SessionId,
    pub user_id: UserId,
}

/// What a page has said at its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAnswer<Generation> {
    pub json: String,
    pub at: Timestamp,
    /// What it counts for, where the page accepted. None: it did not, or a server of the version before took the answer.
    pub counts: Option<Generation>,
}

/// The login page's answer, once the browser has come back with it.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenLogin {
    pub subject: UserId,
    pub facts: LoginFacts,
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
