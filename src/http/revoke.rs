//! The revocation endpoint (RFC 7009 2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{error, extract, json};
use crate::app::App;
use crate::grants::revocation;
use crate::protocol::{OAuthError, Parameters};

pub(super) async fn revoke(State(app): State<Arc<App>>, headers: HeaderMap, body: extract::Body) -> Response {
    match perform(&app, &headers, body).await {
        Ok(()) => json::empty(),
        Err(failure) => error::respond(&failure),
    }
}

async fn perform(app: &App, headers: &HeaderMap, body: extract::Body) -> Result<(), OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let caller = extract::client(app, headers, &parameters).await?;
    revocation::revoke(app, &caller, parameters.require("token")?).await
}
