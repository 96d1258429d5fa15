//! `id_token_hint` (OpenID Connect Core 3.1.2.1): an ID token that was issued to the client before, as a hint at the user whom
//! the answer has to be about. An expired one is as good as another; it is never a proof that anybody is here.

use super::claims::IdTokenClaims;
use super::error::OAuthError;
use super::parameters::Parameters;
use crate::model::{AuthorizationRequest, Client};

/// The only user whom the answer may be about, if the request says so. `verified` reads an ID token that this server signed.
pub(crate) fn subject(
    parameters: &Parameters<'_>,
    client: &Client,
    issuer: &str,
    verified: impl Fn(&str) -> Option<IdTokenClaims>,
) -> Result<Option<String>, OAuthError> {
    let Some(token) = parameters.get("id_token_hint") else { return Ok(None) };
    // It is about the user's session with this client: one of another client, or that was changed, says nothing; nor
    // one from when the server had another name.
    let hint = verified(token).filter(|hint| hint.aud == client.id && hint.iss == issuer);
    let description = "id_token_hint is not an ID token that this server issued to the client.";
    hint.map(|hint| Some(hint.sub)).ok_or_else(|| OAuthError::invalid_request(description))
}

/// The request with the user whom the hint names, if there is one. `claims` may name one too: the same.
pub(crate) fn applied(
    request: AuthorizationRequest,
    hinted: Option<String>,
) -> Result<AuthorizationRequest, OAuthError> {
    match (&hinted, &request.subject) {
        (None, _) => Ok(request),
        (Some(hinted), Some(named)) if hinted != named => {
            Err(OAuthError::invalid_request("id_token_hint and sub of claims name two users."))
        }
        (Some(_), _) => Ok(AuthorizationRequest { subject: hinted, ..request }),
    }
}
