//! `/.well-known/webfinger` (RFC 7033 4), for the discovery of the issuer (OpenID Connect Discovery 2).

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::error;
use crate::app::App;
use crate::protocol::{OAuthError, Parameters, webfinger};

/// RFC 7033 10.2.
const JRD: HeaderValue = HeaderValue::from_static("application/jrd+json");

pub(super) async fn get(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    match find(&app, &query.unwrap_or_default()) {
        Ok(Some(document)) => ([(header::CONTENT_TYPE, JRD)], document).into_response(),
        // RFC 7033 4.2: there is nothing to say of it.
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(failure) => error::respond(&failure),
    }
}

/// The document about the resource that is asked for.
fn find(app: &App, query: &str) -> Result<Option<String>, OAuthError> {
    let parameters = Parameters::parse(query.as_bytes())?;
    // RFC 7033 4.2: exactly one resource; `rel` may be repeated.
    if parameters.is_repeated("resource") {
        return Err(OAuthError::invalid_request("The parameter resource was sent more than once."));
    }
    let resource = parameters.require("resource")?;
    Ok(webfinger::answer(app.issuer(), resource, parameters.all("rel")).map(|document| document.to_string()))
}
