//! What a user allowed a client to do, through its whole life: `code issued -> active -> revoked`.

use super::{ClientId, GrantContext, GrantId, ScopeSet, SessionId, Timestamp, User, UserId};

/// One grant. Codes and refresh tokens are handles to it; access tokens carry its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub id: GrantId,
    pub client_id: ClientId,
    pub user_id: UserId,
    pub session_id: Option<SessionId>,
    pub scope: ScopeSet,
    /// The URIs of the resources that were granted (RFC 8707); tokens may be for fewer, never for others.
    pub resources: Vec<String>,
    pub authentication: Authentication,
    pub context: GrantContext,
    /// Random, part of every handle's tag: the master key alone forges nothing.
    pub salt: String,
    pub created_at: Timestamp,
    /// The end of everything that comes from this grant; none: it has no end.
    pub expires_at: Option<Timestamp>,
    pub state: GrantState,
}

/// How and when the user proved who they are, at the time of the grant.
#[derive(Debug, Clone, PartialEq)]
pub struct Authentication {
    pub auth_time: Timestamp,
    /// RFC 8176 values, space-separated.
    pub amr: String,
}

/// Where a grant is in its life.
#[derive(Debug, Clone, PartialEq)]
pub enum GrantState {
    CodeIssued(CodeConditions),
    Active { refresh: Option<Refresh> },
    Revoked,
}

/// What must hold when the code is redeemed (RFC 6749 4.1.3, RFC 7636 4.6).
#[derive(Debug, Clone, PartialEq)]
pub struct CodeConditions {
    pub expires_at: Timestamp,
    /// The redirect URI of the authorization request.
    pub redirect_uri: String,
    /// S256 challenge, where the request had one.
    pub code_challenge: Option<String>,
    pub nonce: Option<String>,
    /// Whether redeeming it also starts a chain of refresh tokens.
    pub refreshable: bool,
    /// Whether an access token went out with it, through the browser (OpenID Connect Core 3.3).
    pub access_token_issued: bool,
}

/// What a code is bound to (RFC 6749 4.1.3, RFC 7636 4.6). A grant keeps it when the code is used, to judge who presents it
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBinding {
    pub redirect_uri: String,
    pub code_challenge: Option<String>,
    /// Whether the code was redeemed.
    pub redeemed: bool,
}

/// A grant that is about to give its first tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGrant {
    pub grant: Grant,
    pub user: User,
    pub code: CodeBinding,
    /// How many others with refresh tokens the user has with the client.
    pub others: i64,
}

/// The chain of refresh tokens: which generation is the valid one, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    pub generation: u32,
    pub rotated_at: Timestamp,
}
