//! An authorization response on its way out: signed where that was asked for, and then encrypted where that was registered
//! (JARM).

use super::encryption::Encryptor;
use super::issue::front_channel;
use crate::app::App;
use crate::crypto::jwe::Payload;
use crate::model::Client;
use crate::protocol::OAuthError;
use crate::protocol::response::{AuthorizationResponse, Delivery, RedirectTarget};

/// How a response to a client is encoded: the key it is encrypted to, where that was registered.
pub(crate) struct ResponseEncoder(Option<Encryptor>);

impl ResponseEncoder {
    /// Found before anything is used up for the response. An error where it cannot be encrypted as registered: then it goes
    /// nowhere.
    pub(crate) async fn find(
        app: &App,
        client: &Client,
        target: &RedirectTarget,
    ) -> Result<Self, OAuthError> {
        match client.requests.response_encryption().filter(|_| target.is_signed()) {
            Some(encryption) => {
                let encryptor =
                    Encryptor::find(app, client, encryption, "The authorization response").await?;
                Ok(Self(Some(encryptor)))
            }
            None => Ok(Self(None)),
        }
    }

    /// What the browser has to do to bring the response to the client.
    pub(crate) fn encode(
        &self,
        app: &App,
        client: &Client,
        response: AuthorizationResponse,
    ) -> Result<Delivery, OAuthError> {
        let now = app.now();
        let Some(claims) = response.to_sign(&client.id, now) else { return Ok(response.delivery()) };
        let signed = front_channel::signed_response(app, client, &claims, now)?;
        // JARM 2.2: signed, and then encrypted.
        let jwt = match &self.0 {
            Some(encryptor) => encryptor.encrypt(Payload::Jwt, signed.as_bytes())?,
            None => signed,
        };
        Ok(response.into_jwt(jwt).delivery())
    }
}
