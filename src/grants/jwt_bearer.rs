//! `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 2.1): an issuer that the operator trusts vouches
//! for a user. No row and no refresh token: the issuer can vouch again. The token dies with its user all the same,
//! because introspection asks for them.

use super::draft::{Draft, WithoutGrant};
use super::issue::TokenResponse;
use super::token_request::TokenRequest;
use super::{client_authentication, remembered};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::model::{Client, GrantType, Scope, ScopeSet, SubjectClaim, TrustedIssuer, User, UserId};
use crate::observe::Replay;
use crate::protocol::assertion::{Assertion, Purpose};
use crate::protocol::resource::{self, Target};
use crate::protocol::{ErrorCode, OAuthError, scope};

pub(super) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { client, parameters, now, .. } = *request;
    // RFC 7521 4.1 leaves it to the server whether the client must authenticate: whoever holds a stray assertion must not.
    client.must_be_confidential()?;
    let (scope, target) = asked(app, request)?;
    let (assertion, user) = vouched_for(app, client, parameters.require("assertion")?).await?;
    let asked =
        WithoutGrant { grant_type: GrantType::JwtBearer, user: Some(&user), scope: &scope, target: &target };
    let tokens = Draft::without_grant(app, client, asked, now).settle(app).await?;
    // Last: an assertion that is refused for another reason is not spent.
    spend(app, client, &assertion).await?;
    let (subject, grant_type) = (user.id.as_str(), GrantType::JwtBearer);
    let issued = Event::TokenIssued { client: &client.id, subject, grant_type, scope: &scope, acting: None };
    app.note(&Actor::Client, issued);
    tokens.mint(app, None)
}

/// The assertion of a trusted issuer, and the user it is about. It is not spent by this.
pub(super) async fn vouched_for(
    app: &App,
    client: &Client,
    jwt: &str,
) -> Result<(Assertion, User), OAuthError> {
    let expected = client_authentication::expected(app, &["/token"]);
    let assertion =
        Assertion::read(jwt, Purpose::AuthorizationGrant, &expected).map_err(OAuthError::invalid_grant)?;
    let accepted = client_authentication::accepted_audience(app, Some(client));
    assertion.must_suit(accepted, app.issuer()).map_err(OAuthError::invalid_grant)?;
    let issuer = app.storage.trusted_issuer(&assertion.issuer).await?.ok_or_else(not_trusted)?;
    let keys = app.remote_keys.of(&issuer.keys, assertion.kid.as_deref(), app.now()).await?;
    if !keys.is_some_and(|keys| assertion.is_signed_by(&keys)) {
        return Err(not_trusted());
    }
    let user = user(app, &issuer, &assertion.subject).await?;
    Ok((assertion, user))
}

/// Uses an assertion up: an error for everyone but the first.
pub(super) async fn spend(app: &App, client: &Client, assertion: &Assertion) -> Result<(), OAuthError> {
    if remembered::use_assertion(app, client, &assertion.id(), assertion.remembered_until()).await? {
        return Ok(());
    }
    app.events.replays.one(Replay::JwtBearerAssertion);
    Err(OAuthError::invalid_grant("The assertion was used before; make one with a new jti."))
}

fn not_trusted() -> OAuthError {
    OAuthError::invalid_grant(
        "The assertion's issuer is not trusted here, or its signature is by no key of its issuer; it needs a kid where \
        the issuer has several keys.",
    )
}

/// The user the assertion is about. Nobody learns whether a name exists here without a trusted issuer's signature.
async fn user(app: &App, issuer: &TrustedIssuer, subject: &str) -> Result<User, OAuthError> {
    let found = match issuer.subject_claim {
        SubjectClaim::Sub => app.storage.user(&UserId::new(subject)).await?,
        SubjectClaim::Username => app.storage.user_by_username(subject).await?,
        // An address that is not verified may be anybody's.
        SubjectClaim::Email => app.storage.user_by_email(subject).await?.filter(|user| user.email_verified),
    };
    found.filter(|user| !user.disabled).ok_or_else(|| {
        OAuthError::invalid_grant("The assertion's sub is no user of this server who may sign in.")
    })
}

/// What was asked, all of it registered for the client; nothing where nothing was asked.
fn asked(app: &App, request: &TokenRequest<'_>) -> Result<(ScopeSet, Target), OAuthError> {
    let TokenRequest { client, parameters, .. } = *request;
    let catalogue = app.registry.catalogue();
    let scope = scope::asked(parameters.get("scope").unwrap_or_default(), client, &catalogue)?;
    if scope.contains(Scope::OPENID) || scope.contains(Scope::OFFLINE_ACCESS) {
        let description =
            "openid and offline_access need a user who signed in here; in this grant nobody did.";
        return Err(OAuthError::new(ErrorCode::InvalidScope, description));
    }
    let target = Target::new(&resource::asked(parameters)?, client, &catalogue)?.must_agree(client)?;
    target.must_admit(&scope)?;
    Ok((scope, target))
}
