//! Token introspection (RFC 7662): who may ask, and what is answered.

use serde::Serialize;
use serde_json::{Map, Value};

use super::claims::{AccessTokenClaims, Actor, Audience};
use crate::model::{Client, ClientId, Grant, IntrospectionPolicy, SessionId, Timestamp, TokenId};

/// RFC 7662 2.2.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Introspection {
    Active(Box<ActiveToken>),
    Inactive(InactiveToken),
}

/// The answer for a token that is not good, for whatever reason: nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct InactiveToken {
    active: bool,
}

/// The members of an active token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ActiveToken {
    active: bool,
    pub client_id: ClientId,
    pub sub: String,
    pub iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// RFC 6749 7.1; refresh tokens have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    pub iat: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<TokenId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// RFC 8693 4.1
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// RFC 8693 4.4
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_act: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub ext: Map<String, Value>,
    /// RFC 7662 2.2: the token's extra claims, which is how the server of a resource with opaque tokens sees them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Introspection {
    pub(crate) const INACTIVE: Self = Self::Inactive(InactiveToken { active: false });

    /// What is said of a good access token.
    pub(crate) fn of_access_token(claims: &AccessTokenClaims) -> Self {
        Self::Active(Box::new(ActiveToken {
            active: true,
            client_id: claims.client_id.clone(),
            sub: claims.sub.clone(),
            iss: claims.iss.clone(),
            aud: Some(claims.aud.clone()),
            scope: claims.scope.clone(),
            token_type: Some("Bearer"),
            iat: claims.iat,
            exp: Some(claims.exp),
            jti: Some(claims.jti.clone()),
            sid: claims.sid.clone(),
            auth_time: claims.auth_time,
            acr: claims.acr.clone(),
            amr: claims.amr.clone(),
            act: claims.act.clone(),
            may_act: claims.may_act.clone(),
            extra: claims.extra.clone(),
            ext: claims.ext.clone(),
        }))
    }

    /// What is said of a good refresh token.
    pub(crate) fn of_refresh_token(
        grant: &Grant,
        sub: String,
        issuer: &str,
        issued_at: Timestamp,
        exp: Option<Timestamp>,
    ) -> Self {
        Self::Active(Box::new(ActiveToken {
            active: true,
            client_id: grant.client_id.clone(),
            sub,
            iss: issuer.to_owned(),
            aud: None,
            scope: grant.scope.to_string(),
            token_type: None,
            iat: issued_at,
            exp,
            jti: None,
            sid: grant.session_id.clone(),
            auth_time: Some(grant.authentication.auth_time),
            acr: Some(super::claims::acr(grant)),
            amr: super::claims::amr(&grant.authentication.amr),
            act: None,
            may_act: None,
            extra: Map::new(),
            ext: Map::new(),
        }))
    }
}

/// An answer as a JWT for one resource server (RFC 9701 5). It has neither `sub` nor `exp` of its own, so that nobody takes
/// it for an access token, whatever its `typ` says to those who don't look at it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SignedIntrospection {
    pub iss: String,
    pub aud: ClientId,
    pub iat: Timestamp,
    pub token_introspection: Introspection,
}

/// RFC 7662 2.1, 4: the caller must be authorised for this very token, so that nobody can scan for others'. `audience`
/// is none for a refresh token, which is for its client only.
pub(crate) fn may_ask(caller: &Client, owner: &ClientId, audience: Option<&Audience>) -> bool {
    // Not even its own: a token for another resource must never look good where this one's are accepted.
    if let (Some(resource), Some(audience)) = (&caller.resource_server, audience) {
        return audience.contains(resource) || audience.contains(caller.id.as_str());
    }
    match caller.policy().introspection {
        IntrospectionPolicy::Any => true,
        IntrospectionPolicy::Audience => {
            caller.id == *owner || audience.is_some_and(|audience| audience.contains(caller.id.as_str()))
        }
    }
}
