//! Settling: the last word on what tokens will say, before anything is consumed for them.
//!
//! A token hook that fails leaves code, device authorization and refresh token as they were, so the client can try again.
//! No transaction is open while it is asked.

use super::draft::Draft;
use super::encryption::Encryptor;
use crate::app::App;
use crate::audit::{Actor, Event, Revocation};
use crate::config::OnFailure;
use crate::model::Client;
use crate::outbound::token_hook::{HookFailure, TokenHook};
use crate::protocol::token_hook::{Answer, Request};
use crate::protocol::{ErrorCode, OAuthError};

/// A draft that was settled. Only this can be minted, and it is made here alone.
pub(super) struct Settled<'a> {
    draft: Draft<'a>,
    /// Of the ID token, where the client wants it encrypted.
    encryptor: Option<Encryptor>,
}

impl<'a> Settled<'a> {
    pub(super) fn into_parts(self) -> (Draft<'a>, Option<Encryptor>) {
        (self.draft, self.encryptor)
    }
}

/// Why a draft was not settled.
pub(super) enum Unsettled {
    /// The token hook said no.
    Denied(OAuthError),
    /// It said nothing that counts.
    Failed(OAuthError),
}

impl From<Unsettled> for OAuthError {
    fn from(unsettled: Unsettled) -> Self {
        match unsettled {
            Unsettled::Denied(error) | Unsettled::Failed(error) => error,
        }
    }
}

impl<'a> Draft<'a> {
    /// The draft with the claims of the token hook, if there is one and it has a say in the tokens of this client.
    pub(super) async fn settle(mut self, app: &App) -> Result<Settled<'a>, Unsettled> {
        if let Some(hook) = app.token_hook.as_ref().filter(|hook| hook.is_for(self.client)) {
            // Boxed, here and below: few clients have a hook or an encrypted ID token, all reserve the room.
            Box::pin(self.ask(app, hook)).await?;
        }
        let encryption = self.client.identity.id_token_encryption().filter(|_| self.id.is_some());
        let encryptor = match encryption {
            Some(encryption) => {
                let found = Box::pin(Encryptor::find(app, self.client, encryption, "The ID token")).await;
                Some(found.map_err(Unsettled::Failed)?)
            }
            None => None,
        };
        Ok(Settled { draft: self, encryptor })
    }

    /// The same for what can be redeemed once: who is denied has had the attempt.
    pub(super) async fn settle_or_spend(self, app: &App) -> Result<Settled<'a>, OAuthError> {
        let grant = self.grant;
        let settled = self.settle(app).await;
        if let (Err(Unsettled::Denied(_)), Some(grant)) = (&settled, grant) {
            let denied = Event::GrantRevoked { granted: grant.into(), reason: Revocation::TokenHook };
            app.storage.revoke_grant(app.noted(&Actor::Server, denied), &grant.id).await?;
        }
        Ok(settled?)
    }

    async fn ask(&mut self, app: &App, hook: &TokenHook) -> Result<(), Unsettled> {
        let now = app.now();
        let request = Request::new(self.grant_type, self.user, &self.access, self.id.as_ref(), now);
        match hook.ask(&request, now).await {
            Ok(Answer::Add(additions)) => {
                self.access.extra.extend(additions.access_token);
                if let Some(id) = &mut self.id {
                    id.extra.extend(additions.id_token);
                }
                Ok(())
            }
            Ok(Answer::Deny(description)) => {
                tracing::info!(client = %self.client.id, subject = self.access.sub, "the token hook refused tokens");
                // RFC 6749 4.1.2.1, RFC 8628 3.5: the server denied the request.
                Err(Unsettled::Denied(OAuthError::new(ErrorCode::AccessDenied, description)))
            }
            // Whoever makes others wait must not get tokens without its claims for that.
            Err(HookFailure::Crowded(crowded)) => Err(Unsettled::Failed(crowded.into())),
            Err(failure) => failed(hook, self.client, &failure),
        }
    }
}

fn failed(hook: &TokenHook, client: &Client, failure: &HookFailure) -> Result<(), Unsettled> {
    match hook.on_failure() {
        OnFailure::Issue => {
            tracing::warn!(client = %client.id, %failure, "the token hook failed; tokens are issued without its claims");
            Ok(())
        }
        OnFailure::Refuse => {
            tracing::warn!(client = %client.id, %failure, "the token hook failed; tokens are refused");
            let description = "A service that has a say in tokens did not answer. Try again in a moment.";
            Err(Unsettled::Failed(OAuthError::new(ErrorCode::TemporarilyUnavailable, description)))
        }
    }
}
