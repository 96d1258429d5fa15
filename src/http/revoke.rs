//! The revocation endpoint (RFC 7009 2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::extract::ClientRequest;
use super::{error, json};
use crate::app::App;
use crate::grants::revocation;
use crate::protocol::OAuthError;

pub(super) async fn revoke(State(app): State<Arc<App>>, sent: ClientRequest) -> Response {
    match perform(&app, &sent).await {
        Ok(()) => json::empty(),
        Err(failure) => error::respond(&failure),
    }
}

async fn perform(app: &App, sent: &ClientRequest) -> Result<(), OAuthError> {
    let parameters = sent.parameters()?;
    let caller = sent.client(app, &parameters).await?;
    revocation::revoke(app, &caller, parameters.require("token")?).await
}
