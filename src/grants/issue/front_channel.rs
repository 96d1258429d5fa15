//! What the authorization endpoint itself gives out (RFC 6749 4.2.2, OpenID Connect Core 3.2.2.5, 3.3.2.5). Never a refresh
//! token.

use super::super::draft::{Draft, ForGrant};
use super::{HashInputs, Settled};
use crate::app::App;
use crate::keys::TokenType;
use crate::model::{AuthorizationRequest, Client, Grant, GrantType, ResponseType, Timestamp, User};
use crate::protocol::resource::Target;
use crate::protocol::response::{FrontChannelToken, ResponseClaims, Success};
use crate::protocol::{OAuthError, claims};

/// Seconds an access token lives at most that went through a browser.
const LONGEST: i64 = 600;

/// An approved request, and the grant that came of it.
#[derive(Clone, Copy)]
pub(crate) struct Approved<'a> {
    pub request: &'a AuthorizationRequest,
    pub grant: &'a Grant,
    pub user: &'a User,
    pub target: &'a Target,
}

/// What its tokens will say; none where it is answered with a code alone.
pub(crate) fn draft<'a>(
    app: &App,
    client: &'a Client,
    approved: Approved<'a>,
    now: Timestamp,
) -> Option<Draft<'a>> {
    let Approved { request, grant, user, target } = approved;
    if request.response_type == ResponseType::Code {
        return None;
    }
    let asked = ForGrant {
        grant_type: GrantType::Implicit,
        grant,
        user,
        scope: &grant.scope,
        target,
        nonce: request.nonce.clone(),
    };
    let mut draft = Draft::for_grant(app, client, asked, now);
    draft.access.exp = draft.access.exp.min(now.plus(LONGEST));
    draft.id = draft.id.filter(|_| request.response_type.has_id_token());
    // OpenID Connect Core 5.4: the claims are in the ID token where no access token is ever issued.
    if let Some(id) = draft.id.as_mut().filter(|_| request.response_type == ResponseType::IdToken) {
        let locales = grant.context.claims_locales.as_deref();
        let about = claims::of_user(id.sub.clone(), user, grant.scope.iter(), locales);
        id.extra.extend(about.into_iter().filter(|(name, _)| name != "sub"));
    }
    Some(draft)
}

/// Everything that the response type asks for.
pub(crate) fn mint(
    app: &App,
    request: &AuthorizationRequest,
    grant: &Grant,
    tokens: Option<Settled<'_>>,
) -> Result<Success, OAuthError> {
    let code = request.response_type.has_code().then(|| super::code(app, grant)).transpose()?;
    let Some((draft, encryptor)) = tokens.map(Settled::into_parts) else {
        return Ok(Success { code, ..Success::default() });
    };
    let Draft { client, target, access, id, .. } = draft;
    let access_token = match request.response_type.has_token() {
        true => Some(FrontChannelToken {
            token: super::access_token(app, client, target, &access)?,
            expires_in: access.exp.since(access.iat),
            scope: access.scope,
        }),
        false => None,
    };
    let hashed = HashInputs {
        access_token: access_token.as_ref().map(|access| access.token.as_str()),
        code: code.as_deref(),
        state: request.state.as_deref(),
    };
    let id_token =
        id.map(|claims| super::id_token(app, client, claims, hashed, encryptor.as_ref())).transpose()?;
    Ok(Success { code, access_token, id_token, ..Success::default() })
}

/// Seconds anything that is given out without a code lives, at most.
pub(crate) fn lifetime(app: &App, response_type: ResponseType) -> i64 {
    if response_type.has_token() { LONGEST } else { app.settings.tokens.id_token_seconds }
}

/// An authorization response as one JWT (JARM 2.1).
pub(crate) fn signed_response(
    app: &App,
    client: &Client,
    claims: &ResponseClaims<'_>,
    now: Timestamp,
) -> Result<String, OAuthError> {
    let registered = client.requests.authorization_signed_response_alg;
    let algorithm = registered.unwrap_or(app.settings.tokens.id_token_alg);
    Ok(app.keys.sign(TokenType::AuthorizationResponse, algorithm, now, claims)?)
}
