//! Access tokens as presented: whose signature is on them, and whether they are still good.
//!
//! Verifying a signature costs more than making it, so the server remembers a bounded number of tokens whose signature
//! it has seen. It remembers nothing else: expiry is checked each time, and whether a token is revoked is asked of the
//! database each time. Opening an opaque token takes a few microseconds, about as long as finding a remembered one, so
//! these are not remembered.

use std::borrow::Cow;
use std::sync::Arc;

use super::subject;
use crate::app::App;
use crate::crypto::digest;
use crate::keys::TokenType;
use crate::model::{Client, ClientId, Timestamp, User, UserId};
use crate::protocol::claims::{AccessTokenClaims, SubjectKind};
use crate::protocol::left;
use crate::storage::{StorageError, TokenState};

/// What an opaque token begins with; the rest is sealed for this purpose.
pub(super) const OPAQUE_PREFIX: &str = "cy_at_";
pub(super) const OPAQUE_PURPOSE: &str = "access token";

/// The claims of an access token that this server signed or sealed and that has not expired. Whether it was revoked is another
/// question.
pub(crate) fn verify(app: &App, token: &str, now: Timestamp) -> Option<Arc<AccessTokenClaims>> {
    signed(app, token).filter(|claims| is_current(app, claims, now))
}

/// Whether a token of ours has not expired.
pub(crate) fn is_current(app: &App, claims: &AccessTokenClaims, now: Timestamp) -> bool {
    claims.exp > now && claims.iss == app.issuer()
}

/// The claims of an access token that this server signed or sealed, expired or not.
pub(crate) fn signed(app: &App, token: &str) -> Option<Arc<AccessTokenClaims>> {
    match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => open(app, sealed),
        None => verify_signature(app, token),
    }
}

fn open(app: &App, sealed: &str) -> Option<Arc<AccessTokenClaims>> {
    let claims = app.master_key.open_token(OPAQUE_PURPOSE, sealed)?;
    serde_json::from_slice(&claims).ok().map(Arc::new)
}

fn verify_signature(app: &App, token: &str) -> Option<Arc<AccessTokenClaims>> {
    let key = digest::sha256(token.as_bytes());
    let ring = app.keys.ring();
    // A token may have been remembered at the very moment its key was withdrawn.
    if let Some(claims) = app.verified_tokens.find(&key).filter(|_| ring.knows(token)) {
        return Some(claims);
    }
    let claims: Arc<AccessTokenClaims> = Arc::new(ring.verify(TokenType::AccessToken, token)?);
    app.verified_tokens.remember(key, &claims);
    Some(claims)
}

/// What a token of ours still says: none where its clients are not there any more, or may not have such a token any more.
/// Whether it was revoked is another question. `at_hand` is a client that was found for this request, often the token's own.
pub(crate) async fn left(
    app: &App,
    claims: &Arc<AccessTokenClaims>,
    at_hand: &Client,
) -> Result<Option<Arc<AccessTokenClaims>>, StorageError> {
    let found;
    let client = if at_hand.id == claims.client_id {
        at_hand
    } else {
        found = app.clients.find(&claims.client_id).await?;
        let Some(registered) = &found else { return Ok(None) };
        &registered.client
    };
    if !subject_is_registered(app, claims).await? {
        return Ok(None);
    }
    let left = left::of_token(claims, client, &app.registry.catalogue(), app.issuer());
    Ok(left.map(|left| match left {
        Cow::Borrowed(_) => Arc::clone(claims),
        Cow::Owned(left) => Arc::new(left),
    }))
}

/// Whether a token that has not expired, of which something is left, is still good: one question to the database.
pub(super) async fn state(app: &App, claims: &AccessTokenClaims) -> Result<TokenState, StorageError> {
    match (&claims.grant, claims.subject_kind()) {
        (Some(grant), _) => app.storage.token_state(grant, &claims.jti).await,
        // A user's token of the JWT bearer grant: it dies with the user.
        (None, SubjectKind::User) => {
            app.storage.user_token_state(&user_of(app, claims), &claims.jti, claims.iat).await
        }
        (None, SubjectKind::Client) => app.storage.lone_token_state(&claims.jti).await,
    }
}

/// Who a token speaks for, as of now.
pub(super) enum Subject {
    User(Box<User>),
    Client(ClientId),
}

impl Subject {
    pub(super) fn sub(&self) -> &str {
        match self {
            Self::User(user) => user.id.as_str(),
            Self::Client(id) => id.as_str(),
        }
    }
}

/// The subject of a token, where [`state`] would call it good: one question to the database.
pub(super) async fn subject(app: &App, claims: &AccessTokenClaims) -> Result<Option<Subject>, StorageError> {
    let user = match (&claims.grant, claims.subject_kind()) {
        (Some(grant), _) => app.storage.token_user(grant, &claims.jti).await?.map(|(user, _)| user),
        (None, SubjectKind::User) => {
            app.storage.user_of_token(&user_of(app, claims), &claims.jti, claims.iat).await?
        }
        (None, SubjectKind::Client) => {
            let good = app.storage.lone_token_state(&claims.jti).await? == TokenState::Good;
            return Ok(good.then(|| Subject::Client(ClientId::new(&*claims.sub))));
        }
    };
    Ok(user.map(|user| Subject::User(Box::new(user))))
}

/// The user that a token without a grant speaks for; one who is nobody where it names none.
fn user_of(app: &App, claims: &AccessTokenClaims) -> UserId {
    subject::user_of(app, claims).unwrap_or_else(|| UserId::new(""))
}

/// Whether the client that a token speaks for is there: one that was exchanged may speak for another than its own.
async fn subject_is_registered(app: &App, claims: &AccessTokenClaims) -> Result<bool, StorageError> {
    let speaks_for_client = claims.exchanged == Some(SubjectKind::Client);
    let other = speaks_for_client && claims.sub != claims.client_id.as_str();
    Ok(!other || app.clients.find(&ClientId::new(&*claims.sub)).await?.is_some())
}
