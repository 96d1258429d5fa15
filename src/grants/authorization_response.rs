//! An authorization response on its way out: signed where that was asked for.

use super::issue::front_channel;
use crate::app::App;
use crate::model::Client;
use crate::protocol::OAuthError;
use crate::protocol::response::{AuthorizationResponse, Delivery};

/// What the browser has to do to bring the response to the client.
pub fn deliver(app: &App, client: &Client, response: AuthorizationResponse) -> Result<Delivery, OAuthError> {
    let now = app.now();
    let Some(claims) = response.to_sign(&client.id, now) else { return Ok(response.delivery()) };
    let jwt = front_channel::signed_response(app, client, &claims, now)?;
    Ok(response.signed(jwt).delivery())
}
