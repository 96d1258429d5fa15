//! The UserInfo endpoint (OpenID Connect Core 5.3), by GET and by POST.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{bearer, error, extract, json};
use crate::app::App;
use crate::grants;
use crate::protocol::{OAuthError, Parameters};

pub async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    answer(&app, bearer::token(&headers, None)).await
}

/// The token may be in the header, where the body is of no interest, or in a form (RFC 6750 2.2).
pub async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: extract::Body) -> Response {
    let form = extract::form(&headers, body).unwrap_or_else(|_| Bytes::new());
    match parse(&form) {
        Ok(parameters) => answer(&app, bearer::token(&headers, Some(&parameters))).await,
        Err(failure) => error::challenge(&failure),
    }
}

fn parse(form: &[u8]) -> Result<Parameters<'_>, OAuthError> {
    let parameters = Parameters::parse(form)?;
    parameters.refuse_repeated()?;
    Ok(parameters)
}

async fn answer(app: &App, token: Result<Option<&str>, OAuthError>) -> Response {
    let claims = match token {
        Ok(Some(token)) => grants::userinfo::userinfo(app, token).await,
        Ok(None) => return error::bare_challenge(),
        Err(failure) => Err(failure),
    };
    match claims {
        Ok(claims) => json::respond(Ok(claims)),
        Err(failure) => error::challenge(&failure),
    }
}
