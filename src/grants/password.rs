//! `grant_type=password` (RFC 6749 4.3): for the operator's own applications that cannot open a browser. Off for the
//! server and off for each client; every use is logged.

use super::draft::{Draft, ForGrant};
use super::issue::TokenResponse;
use super::password_check::{self, Recognised, Typed, Unrecognised};
use super::token_request::TokenRequest;
use super::{granted, issue};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::crypto::random;
use crate::model::{
    Authentication, Client, Grant, GrantContext, GrantId, GrantState, GrantType, Lifetime, Refresh, ScopeSet,
    Timestamp, User,
};
use crate::protocol::password_grant;
use crate::protocol::resource::{self, Target};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Authority, Insertion};
use crate::tries::Wait;

/// RFC 8176 2.
const PASSWORD: &str = "pwd";

pub(super) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { client, parameters, address, now } = *request;
    let (catalogue, resources) = (app.registry.catalogue(), resource::asked(parameters)?);
    let asked = parameters.get("scope");
    let scope = password_grant::scope(client, asked, &catalogue)?;
    let target = Target::new(&resources, client, &catalogue)?.must_agree(client)?;
    if asked.is_some() {
        target.must_admit(&scope)?;
    }
    let (username, password) = (parameters.require("username")?, parameters.require("password")?);
    let typed = Typed { username, password, address, browser: None };
    let Recognised { user, proof, .. } = password_check::recognise(app, &typed).await.map_err(refused)?;
    let grant = grant(app, client, &user, (scope, resources), now);
    let asked = ForGrant {
        grant_type: GrantType::Password,
        grant: &grant,
        user: &user,
        scope: &grant.scope,
        target: &target,
        nonce: None,
    };
    let tokens = Draft::for_grant(app, client, asked, now).settle(app).await?;
    let created = Event::created(&grant, GrantType::Password);
    let noted = app.noted(&Actor::User, created);
    if app.storage.insert_grant(noted, &grant, Authority::Password(proof)).await? == Insertion::Nothing {
        return Err(refused(password_check::outlived(app, &user)));
    }
    tracing::info!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, %address, "grant by password");
    let refresh = match &grant.state {
        GrantState::Active { refresh } => *refresh,
        GrantState::CodeIssued(_) | GrantState::Revoked => None,
    };
    if refresh.is_some() {
        // Nobody has counted: after a password was hashed a statement costs little.
        granted::cap_grants(app, client, &grant, i64::MAX).await?;
    }
    tokens.mint(app, refresh.map(|refresh| refresh.generation))
}

fn refused(why: Unrecognised) -> OAuthError {
    match why {
        Unrecognised::Wrong => {
            OAuthError::invalid_grant("The user name or the password is wrong, or the user is disabled.")
        }
        // RFC 6749 4.3.2: the server MUST protect against guessing. 5.2 has no code of its own for it.
        Unrecognised::TooMany(Wait(seconds)) => OAuthError::invalid_grant(format!(
            "There were too many wrong passwords. Try again in {seconds} seconds."
        )),
        Unrecognised::Busy => OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "Too many people sign in. Try again in a moment.",
        ),
        Unrecognised::Storage(error) => error.into(),
        Unrecognised::Password(error) => OAuthError::server_error(error),
    }
}

/// A grant that begins active: there is no code and no session.
fn grant(
    app: &App,
    client: &Client,
    user: &User,
    (scope, resources): (ScopeSet, Vec<String>),
    now: Timestamp,
) -> Grant {
    let refreshable = issue::is_refreshable(client, &scope);
    let life = if refreshable {
        issue::refresh_absolute(app, client)
    } else {
        Lifetime::Seconds(issue::access_lifetime(app, client, &resources))
    };
    Grant {
        id: GrantId::new(random::id()),
        client_id: client.id.clone(),
        user_id: user.id.clone(),
        session_id: None,
        scope,
        resources,
        authentication: Authentication { auth_time: now, amr: PASSWORD.to_owned() },
        context: GrantContext::default(),
        salt: random::id(),
        created_at: now,
        expires_at: life.end(now),
        state: GrantState::Active {
            refresh: refreshable.then_some(Refresh { generation: 1, rotated_at: now }),
        },
    }
}
