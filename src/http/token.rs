//! The token endpoint (RFC 6749 3.2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::extract::ClientRequest;
use super::{error, json};
use crate::app::App;
use crate::grants::{self, TokenRequest};
use crate::model::StatusProfile;
use crate::protocol::{ErrorCode, OAuthError};

pub(super) async fn token(State(app): State<Arc<App>>, sent: ClientRequest) -> Response {
    answer(&app, &sent).await.unwrap_or_else(|error| error::respond(&error))
}

async fn answer(app: &App, sent: &ClientRequest) -> Result<Response, OAuthError> {
    let parameters = sent.parameters()?;
    let client = sent.token_client(app, &parameters).await?;
    let request =
        TokenRequest { client: &client, parameters: &parameters, address: sent.address, now: app.now() };
    Ok(match grants::exchange(app, &request).await {
        Err(error)
            if error.code == ErrorCode::InvalidGrant
                && client.policy().status == StatusProfile::InvalidGrant401 =>
        {
            error::unauthorized(&error)
        }
        result => json::respond(result),
    })
}
