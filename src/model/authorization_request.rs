//! A validated authorization request, and one that waits for a person.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::closed_set::closed_set;
use super::{
    AuthorizationRequestId, ClaimsRequest, ClientId, ResponseMode, ResponseType, ScopeSet, SessionId,
    Timestamp,
};

/// An authorization request whose every parameter has been checked (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    pub client_id: ClientId,
    pub redirect_uri: String,
    #[serde(default)]
    pub response_type: ResponseType,
    #[serde(default)]
    pub response_mode: ResponseMode,
    pub scope: ScopeSet,
    /// RFC 8707 2.1: what the tokens will be for; empty: the client's default audience.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// S256 (RFC 7636 4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    #[serde(default)]
    pub prompt: Vec<Prompt>,
    /// Seconds since the last proof of identity that are still good enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// The only user whom the answer may be about (`sub` of `id_token_hint`, or of `claims` by its value).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the client would like `acr` to be, the best first. For the pages of somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr_values: Option<String>,
    /// One of these has to be `acr`, or the request fails (OpenID Connect Core 5.5.1.1); empty: whatever it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub essential_acr: Vec<String>,
    /// `page`, `popup`, `touch` or `wap`. For the pages of somebody else: ours fit all of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// OpenID Connect Core 5.2
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_locales: Option<String>,
    #[serde(default, skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    /// The parameters as the client sent them, as a query. For the pages of somebody else, where the client has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
}

impl AuthorizationRequest {
    pub fn prompts(&self, prompt: Prompt) -> bool {
        self.prompt.contains(&prompt)
    }

    /// Whether somebody has to prove who they are, however well they are known: with `create` by making an account.
    pub fn prompts_sign_in(&self) -> bool {
        self.prompts(Prompt::Login) || self.prompts(Prompt::Create)
    }

    /// The scopes that the user has to allow: those that are asked for, and those of the single claims.
    pub fn permissions(&self) -> Cow<'_, ScopeSet> {
        if self.claims.is_empty() {
            return Cow::Borrowed(&self.scope);
        }
        Cow::Owned(self.scope.union(&self.claims.scope()))
    }
}

closed_set! {
    /// `prompt` (OpenID Connect Core 3.1.2.1; `create`: Initiating User Registration 4.1).
    pub enum Prompt: Serialize + Deserialize {
        None = "none",
        Login = "login",
        Consent = "consent",
        SelectAccount = "select_account",
        Create = "create",
    }
}

/// A request that waits for someone to sign in or to decide. Pages carry only its id.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingRequest {
    pub id: AuthorizationRequestId,
    pub request: AuthorizationRequest,
    pub owner: RequestOwner,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Whose a waiting request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOwner {
    /// It was pushed (RFC 9126), and no browser has come with its address yet.
    Nobody,
    /// It is one browser's: another one cannot go on with it.
    Browser {
        /// SHA-256 of the browser's cookie.
        digest: String,
        /// The account that somebody signed in with, or chose, for this very request.
        account: Option<RequestAccount>,
    },
}

impl PendingRequest {
    pub fn belongs_to(&self, browser: &str) -> bool {
        matches!(&self.owner, RequestOwner::Browser { digest, .. } if digest == browser)
    }

    /// Who goes on with it.
    pub fn account(&self) -> Option<&RequestAccount> {
        match &self.owner {
            RequestOwner::Browser { account, .. } => account.as_ref(),
            RequestOwner::Nobody => None,
        }
    }

    /// In the browser that it belongs to, this account goes on with it.
    pub fn set_account(&mut self, account: Option<RequestAccount>) {
        if let RequestOwner::Browser { account: before, .. } = &mut self.owner {
            *before = account;
        }
    }
}

/// Who goes on with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAccount {
    pub session_id: SessionId,
    pub by: Means,
}

/// How a person became the one who goes on with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    SignIn,
    /// They were signed in before, and chose this account.
    Choice,
}
