//! The UserInfo endpoint (OpenID Connect Core 5.3), by GET and by POST.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::aliases::Pinned;
use super::error::Realm;
use super::{bearer, error, extract, json};
use crate::app::App;
use crate::grants::userinfo::{self, Answer, Refusal};
use crate::model::{StatusProfile, UserinfoProfile};
use crate::protocol::{ErrorCode, OAuthError, Parameters};

/// RFC 7519 10.3.1.
const JWT: HeaderValue = HeaderValue::from_static("application/jwt");
const GET_ONLY: HeaderValue = HeaderValue::from_static("GET,HEAD");

type Pin = Option<Extension<Pinned>>;

pub(super) async fn get(State(app): State<Arc<App>>, pin: Pin, headers: HeaderMap) -> Response {
    answer(&app, &Method::GET, pin, bearer::token(&headers, None)).await
}

/// The token may be in the header, where the body is of no interest, or in a form (RFC 6750 2.2).
pub(super) async fn post(
    State(app): State<Arc<App>>,
    pin: Pin,
    headers: HeaderMap,
    body: extract::Body,
) -> Response {
    let form = extract::form(&headers, body).unwrap_or_else(|_| Bytes::new());
    match parse(&form) {
        Ok(parameters) => answer(&app, &Method::POST, pin, bearer::token(&headers, Some(&parameters))).await,
        Err(failure) => error::challenge(Realm::Userinfo, &failure),
    }
}

fn parse(form: &[u8]) -> Result<Parameters<'_>, OAuthError> {
    let parameters = Parameters::parse(form)?;
    parameters.refuse_repeated()?;
    Ok(parameters)
}

async fn answer(app: &App, method: &Method, pin: Pin, token: Result<Option<&str>, OAuthError>) -> Response {
    // What is expected at an address that is kept for the clients of one profile, whoever comes.
    let pinned = pin.map(|Extension(Pinned(presets))| presets);
    let by_address = pinned.as_ref().map_or(StatusProfile::Standard, |policy| policy.status);
    let jwt_here = pinned.is_some_and(|policy| policy.userinfo == UserinfoProfile::LegacyHs256);
    if jwt_here && method != Method::GET {
        return not_allowed();
    }
    let result = match token {
        Ok(Some(token)) => userinfo::userinfo(app, token).await,
        Ok(None) if by_address == StatusProfile::Userinfo403 => {
            Err(here(OAuthError::new(ErrorCode::InvalidToken, "Send an access token as a bearer token.")))
        }
        Ok(None) => return error::bare_challenge(Realm::Userinfo),
        Err(failure) => Err(here(failure)),
    };
    match result {
        Ok(Answer::Json(claims)) => json::respond(Ok(claims)),
        Ok(Answer::LegacyJwt(_)) if method != Method::GET => not_allowed(),
        Ok(Answer::Jwt(token) | Answer::LegacyJwt(token)) => json::jwt(JWT, token),
        Err(refusal) => refuse(&refusal, by_address),
    }
}

/// A refusal before any client is known.
fn here(error: OAuthError) -> Refusal {
    Refusal { error, status: StatusProfile::Standard }
}

fn refuse(Refusal { error, status }: &Refusal, by_address: StatusProfile) -> Response {
    let mut response = error::challenge(Realm::Userinfo, error);
    let forbids = [*status, by_address].contains(&StatusProfile::Userinfo403);
    if forbids && matches!(error.code, ErrorCode::InvalidToken | ErrorCode::InvalidRequest) {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// RFC 9110 15.5.6: a 405 MUST say what is allowed.
fn not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, GET_ONLY)], Body::empty()).into_response()
}
