//! The switches of a client, as registered. What follows from them is its policy (`client_policy.rs`).

use serde::{Deserialize, Serialize};

use super::ProfileName;

/// Who gets a refresh token. Never a client that acts for itself (RFC 6749 4.4.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenPolicy {
    /// Who asked for `offline_access` and got it (OpenID Connect Core 11).
    #[default]
    OfflineAccess,
    /// That, and whoever has a client secret. A client with a key asks for `offline_access` like one without either.
    OfflineOrSecret,
    Always,
    /// Whoever proves who it is, by a secret or a key, and nobody else.
    ConfidentialOnly,
    Never,
}

/// What a refresh does to the refresh token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotationPolicy {
    /// It is replaced, and a replay is noticed (RFC 9700 4.14.2).
    #[default]
    Rotate,
    /// It stays, and so does its end. For confidential clients only, whose secret protects it instead.
    Reuse,
}

/// Whether something may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Required,
    Optional,
}

/// Which status codes the client expects where they differ from the standards'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusProfile {
    /// RFC 6749 5.2, RFC 6750 3.1.
    #[default]
    Standard,
    /// 401 for `invalid_grant`.
    #[serde(rename = "invalid_grant_401")]
    InvalidGrant401,
    /// 403 at UserInfo for a token that is missing or not good.
    #[serde(rename = "userinfo_403")]
    Userinfo403,
}

/// What UserInfo answers with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserinfoProfile {
    /// OpenID Connect Core 5.3.2.
    #[default]
    Standard,
    /// A JWT, by GET only, signed with the client's secret: `sub` is the user's name, `iss` the server's.
    #[serde(rename = "legacy_hs256")]
    LegacyHs256,
}

/// Whether an allowed application is asked about again when the request does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPolicy {
    /// Not again, unless anybody could be the application: a public one on a loopback address or a private-use scheme
    /// (RFC 6749 10.2, RFC 8252 8.6).
    #[default]
    Proven,
    /// Not again, whoever it is.
    Remember,
    /// The request says `approval_prompt=auto` where once is enough.
    Always,
}

/// What the token response says a second time, or in other letters, for clients that read it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenResponseAlias {
    /// `scopes` beside `scope`.
    Scopes,
    /// `expire_in` beside `expires_in`.
    ExpireIn,
    /// `token_type` is `bearer`; it is compared without regard to case (RFC 6749 5.1).
    Bearer,
}

/// What the `aud` of an assertion may be (RFC 7523 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// The server's issuer and nothing else, as draft-ietf-oauth-rfc7523bis demands.
    Issuer,
    /// Also the endpoint that the assertion is sent to, as older libraries write it.
    IssuerOrTokenEndpoint,
}

/// The switches as registered; one that is absent is the profile's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Switches {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// An application of the operator: it may be trusted with passwords and with silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_party: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_policy: Option<RefreshTokenPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationPolicy>,
    /// Whether a client with a secret has to send it to refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_authentication: Option<Presence>,
    /// Seconds that have to pass between two refreshes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<i64>,
    /// Grants with refresh tokens that a user can have with the client; the oldest are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_refresh_grants: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_response_aliases: Option<Vec<TokenResponseAlias>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_profile: Option<StatusProfile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_profile: Option<UserinfoProfile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_policy: Option<ConsentPolicy>,
    /// Whether it may say `offline` for `offline_access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_alias: Option<bool>,
    /// `state` in authorization requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Presence>,
    /// `redirect_uri` in token requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_redirect_uri: Option<Presence>,
    /// The word `Basic` before the credentials in the `Authorization` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_scheme: Option<Presence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_audience: Option<AssertionAudience>,
}
