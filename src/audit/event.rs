//! What the audit log tells: one variant an event, with the members it has beside who, when and where from. No variant
//! has a place for a secret, a token, a user name that nobody has, or a claim of a user. docs/audit.md lists them.

use serde::Serialize;

use crate::model::{
    Algorithm, AuthorizationRequestId, ClientId, Grant, GrantId, GrantType, KeyId, ScopeSet, SessionId,
    TokenId, UserId,
};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "actor", rename_all = "snake_case")]
pub enum Actor {
    User,
    Client,
    /// Somebody with the command line, by the name the operating system has for them.
    Operator {
        operator: String,
    },
    /// Whoever has the token of the admin listener.
    AdminApi,
    /// The server by itself.
    Server,
    /// Somebody who has not shown who they are.
    Unknown,
}

/// Why a password was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInProblem {
    /// All of the user's sign-ins were ended while this one was under way.
    EndedMeanwhile,
    UnknownUser,
    WrongPassword,
    UserDisabled,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    SignOut,
    AccountPage,
    /// Another sign-in in the same browser took its place.
    Replaced,
    /// The user has too many: the one used the longest ago went.
    TooMany,
}

/// What ended with the sessions of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The sessions, and access that is not for offline use; all of it, if `sessions.offline_access_stays` is off.
    Sessions,
    /// All access, and what was remembered as allowed.
    Everything,
}

/// Why a grant was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// RFC 7009
    ByClient,
    /// The right client presented the code, and failed.
    FailedExchange,
    /// The token hook said no.
    TokenHook,
    /// The user has too many with the client: the oldest went.
    TooMany,
}

/// What was used a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replayed {
    Code,
    RefreshToken,
}

/// Why no client was registered, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationProblem {
    WrongToken,
    TooMany,
}

/// One act.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event")]
pub enum Event<'a> {
    #[serde(rename = "sign_in.succeeded")]
    SignedIn { user: &'a UserId, session: &'a SessionId, amr: &'a str },
    #[serde(rename = "sign_in.failed")]
    SignInFailed {
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a UserId>,
        reason: SignInProblem,
    },
    #[serde(rename = "sign_in.throttled")]
    SignInThrottled {
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a UserId>,
    },
    #[serde(rename = "session.ended")]
    SessionEnded { user: &'a UserId, session: &'a SessionId, reason: SessionEnd },
    #[serde(rename = "password.changed")]
    PasswordChanged { user: &'a UserId, session: &'a SessionId, ended: Ended },
    #[serde(rename = "password.change_failed")]
    PasswordChangeFailed { user: &'a UserId, session: &'a SessionId },
    #[serde(rename = "password.change_throttled")]
    PasswordChangeThrottled { user: &'a UserId, session: &'a SessionId },
    #[serde(rename = "user_code.throttled")]
    UserCodeThrottled { user: &'a UserId, session: &'a SessionId },

    #[serde(rename = "consent.given")]
    ConsentGiven {
        user: &'a UserId,
        client: &'a ClientId,
        grant: &'a GrantId,
        scope: &'a ScopeSet,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        resources: &'a [String],
    },
    #[serde(rename = "consent.refused")]
    ConsentRefused { user: &'a UserId, client: &'a ClientId, scope: &'a ScopeSet },
    #[serde(rename = "consent.revoked")]
    ConsentRevoked { user: &'a UserId, session: &'a SessionId, client: &'a ClientId },

    #[serde(rename = "grant.created")]
    GrantCreated {
        #[serde(flatten)]
        granted: Granted<'a>,
        grant_type: GrantType,
        scope: &'a ScopeSet,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        resources: &'a [String],
    },
    #[serde(rename = "grant.redeemed")]
    GrantRedeemed {
        #[serde(flatten)]
        granted: Granted<'a>,
        grant_type: GrantType,
    },
    #[serde(rename = "grant.revoked")]
    GrantRevoked {
        #[serde(flatten)]
        granted: Granted<'a>,
        reason: Revocation,
    },
    #[serde(rename = "grant.replayed")]
    GrantReplayed {
        #[serde(flatten)]
        granted: Granted<'a>,
        presented: Replayed,
    },
    #[serde(rename = "grant.grace_used")]
    GraceUsed {
        #[serde(flatten)]
        granted: Granted<'a>,
    },
    #[serde(rename = "token.issued")]
    TokenIssued {
        client: &'a ClientId,
        subject: &'a str,
        grant_type: GrantType,
        scope: &'a ScopeSet,
        #[serde(skip_serializing_if = "Option::is_none")]
        acting: Option<&'a str>,
    },
    #[serde(rename = "token.revoked")]
    TokenRevoked { client: &'a ClientId, jti: &'a TokenId },

    #[serde(rename = "client.authentication_failed")]
    ClientAuthenticationFailed {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<&'a ClientId>,
    },
    #[serde(rename = "client.registered")]
    ClientRegistered {
        client: &'a ClientId,
        #[serde(skip_serializing_if = "Option::is_none")]
        registration_token: Option<&'a str>,
    },
    #[serde(rename = "client.registration_refused")]
    RegistrationRefused { reason: RegistrationProblem },
    #[serde(rename = "client.created")]
    ClientCreated { client: &'a ClientId },
    #[serde(rename = "client.updated")]
    ClientUpdated { client: &'a ClientId },
    #[serde(rename = "client.secret_rotated")]
    ClientSecretRotated { client: &'a ClientId },
    #[serde(rename = "client.access_ended")]
    ClientAccessEnded { client: &'a ClientId },
    #[serde(rename = "client.deleted")]
    ClientDeleted { client: &'a ClientId },
    #[serde(rename = "client.unused_removed")]
    UnusedClientsRemoved { count: u64 },

    #[serde(rename = "user.created")]
    UserCreated { user: &'a UserId },
    #[serde(rename = "user.updated")]
    UserUpdated { user: &'a UserId },
    #[serde(rename = "user.password_set")]
    UserPasswordSet { user: &'a UserId, ended: Ended },
    #[serde(rename = "user.signed_out")]
    UserSignedOut { user: &'a UserId, ended: Ended },
    #[serde(rename = "user.disabled")]
    UserDisabled { user: &'a UserId, ended: Ended },
    #[serde(rename = "user.enabled")]
    UserEnabled { user: &'a UserId },
    #[serde(rename = "user.deleted")]
    UserDeleted { user: &'a UserId },

    #[serde(rename = "resource.created")]
    ResourceCreated { resource: &'a str },
    #[serde(rename = "resource.updated")]
    ResourceUpdated { resource: &'a str },
    #[serde(rename = "resource.deleted")]
    ResourceDeleted { resource: &'a str },
    #[serde(rename = "scope.created")]
    ScopeCreated { scope: &'a str },
    #[serde(rename = "scope.updated")]
    ScopeUpdated { scope: &'a str },
    #[serde(rename = "scope.deleted")]
    ScopeDeleted { scope: &'a str },
    #[serde(rename = "issuer.added")]
    IssuerAdded { issuer: &'a str, purpose: &'a str },
    #[serde(rename = "issuer.removed")]
    IssuerRemoved { issuer: &'a str, purpose: &'a str },
    #[serde(rename = "registration_token.created")]
    RegistrationTokenCreated { registration_token: &'a str },
    #[serde(rename = "registration_token.deleted")]
    RegistrationTokenDeleted { registration_token: &'a str },
    #[serde(rename = "key.made")]
    KeyMade { kid: &'a KeyId, alg: Algorithm },
    #[serde(rename = "key.withdrawn")]
    KeyWithdrawn { kid: &'a KeyId },
    #[serde(rename = "secrets.master_key_replaced")]
    MasterKeyReplaced { data_key: i64, from: &'a str, to: &'a str },
    #[serde(rename = "secrets.data_key_made")]
    DataKeyMade { data_key: i64 },
    #[serde(rename = "secrets.data_key_begun")]
    DataKeyBegun { data_key: i64 },
    #[serde(rename = "secrets.data_key_ended")]
    DataKeyEnded { data_key: i64 },

    #[serde(rename = "external_page.answered")]
    ExternalPageAnswered {
        page: &'a str,
        request: &'a AuthorizationRequestId,
        client: &'a ClientId,
        accepted: bool,
    },
    #[serde(rename = "admin_api.refused")]
    AdminApiRefused,

    #[serde(rename = "audit.left_out")]
    LeftOut { of: &'a str, count: u64 },
    #[serde(rename = "audit.unsure")]
    Unsure { sequences: &'a [i64] },
    #[serde(rename = "audit.complete")]
    Complete,
    #[serde(rename = "audit.forged")]
    Forged { claimed_event: &'a str },
    #[serde(rename = "audit.restarted")]
    Restarted { after: i64 },
}

/// Who allowed whom, and the row of it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Granted<'a> {
    pub user: &'a UserId,
    pub client: &'a ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<&'a GrantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<&'a SessionId>,
}

impl<'a> From<&'a Grant> for Granted<'a> {
    fn from(grant: &'a Grant) -> Self {
        Self {
            user: &grant.user_id,
            client: &grant.client_id,
            grant: Some(&grant.id),
            session: grant.session_id.as_ref(),
        }
    }
}

impl<'a> Event<'a> {
    /// A grant has come to be.
    pub fn created(grant: &'a Grant, grant_type: GrantType) -> Self {
        let (scope, resources) = (&grant.scope, grant.resources.as_slice());
        Self::GrantCreated { granted: grant.into(), grant_type, scope, resources }
    }

    /// The user whom an event that is limited names: somebody has to know of it, whatever else happens.
    pub(super) fn user(&self) -> Option<&UserId> {
        match self {
            Self::SignInFailed { user, .. } => *user,
            Self::PasswordChangeFailed { user, .. }
            | Self::PasswordChangeThrottled { user, .. }
            | Self::UserCodeThrottled { user, .. } => Some(user),
            _ => None,
        }
    }

    /// Whether anybody can bring it about as often as they like, without having shown who they are or with one stolen
    /// token: then only so many are taken in a minute, of each event, address and user (`queue.rs`).
    pub(super) fn is_limited(&self) -> bool {
        matches!(
            self,
            Self::SignInFailed { .. }
                | Self::SignInThrottled { .. }
                | Self::PasswordChangeFailed { .. }
                | Self::PasswordChangeThrottled { .. }
                | Self::UserCodeThrottled { .. }
                | Self::GraceUsed { .. }
                | Self::ClientAuthenticationFailed { .. }
                | Self::RegistrationRefused { .. }
                | Self::AdminApiRefused
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_strangers_can_bring_about_is_bounded_as_the_documentation_says() {
        let (user, session) = (&UserId::new("u"), &SessionId::new("s"));
        let bounded = [
            Event::SignInFailed { user: None, reason: SignInProblem::UnknownUser },
            Event::SignInThrottled { user: None },
            Event::PasswordChangeFailed { user, session },
            Event::PasswordChangeThrottled { user, session },
            Event::UserCodeThrottled { user, session },
            Event::GraceUsed {
                granted: Granted { user, client: &ClientId::new("c"), grant: None, session: None },
            },
            Event::ClientAuthenticationFailed { client: None },
            Event::RegistrationRefused { reason: RegistrationProblem::WrongToken },
            Event::AdminApiRefused,
        ];
        let name =
            |event: &Event<'_>| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
        let names: BTreeSet<_> = bounded.iter().filter(|event| event.is_limited()).map(name).collect();
        let rows = include_str!("../../docs/audit.md").lines().filter(|line| line.ends_with("| bounded |"));
        let documented: BTreeSet<_> =
            rows.filter_map(|row| Some(row.split('`').nth(1)?.to_owned())).collect();
        assert_eq!(names, documented);
    }
}
