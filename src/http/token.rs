//! The token endpoint (RFC 6749 3.2).

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{error, extract, json};
use crate::app::App;
use crate::grants;
use crate::model::StatusProfile;
use crate::protocol::{ErrorCode, OAuthError, Parameters};
use crate::server::edge::ClientAddress;

pub(super) async fn token(
    State(app): State<Arc<App>>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: extract::Body,
) -> Response {
    let address = address.map(|Extension(ClientAddress(address))| address);
    answer(&app, address, &headers, body).await.unwrap_or_else(|error| error::respond(&error))
}

async fn answer(
    app: &App,
    address: Option<IpAddr>,
    headers: &HeaderMap,
    body: extract::Body,
) -> Result<Response, OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let client = extract::token_client(app, headers, &parameters).await?;
    Ok(match grants::exchange(app, &client, &parameters, address).await {
        Err(error)
            if error.code == ErrorCode::InvalidGrant
                && client.policy().status == StatusProfile::InvalidGrant401 =>
        {
            error::unauthorized(&error)
        }
        result => json::respond(result),
    })
}
