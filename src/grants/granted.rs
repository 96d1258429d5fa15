//! What the grant types have in common whose tokens come of a grant that is stored.

use super::token_request::TokenRequest;
use crate::app::App;
use crate::audit::{Actor, Event, Granted, Revocation};
use crate::model::{Client, Grant, GrantType};
use crate::protocol::OAuthError;
use crate::protocol::resource::{self, Target};

/// What the tokens of this request will be for: the resources that were granted, or those of them that it names.
pub(super) fn target(app: &App, request: &TokenRequest<'_>, grant: &Grant) -> Result<Target, OAuthError> {
    let TokenRequest { client, parameters, .. } = *request;
    let asked = resource::asked(parameters)?;
    Target::narrowed(&grant.resources, &asked, client, &app.registry.catalogue())?.must_agree(client)
}

/// Tells the audit log that the first tokens of a grant went out. The grant itself is there already, with its own entry.
pub(super) fn redeemed(app: &App, grant: &Grant, grant_type: GrantType) {
    app.note(&Actor::Client, Event::GrantRedeemed { granted: grant.into(), grant_type });
}

/// Grants with refresh tokens that a user may have with a client that is registered with no number of its own.
const MOST_REFRESH_GRANTS: i64 = 50;

/// Keeps a user to so many grants with refresh tokens with one client: the oldest go. `others` is how many there were when
/// the grant was read. A number that is registered is kept to by one statement more each time, so it holds however many
/// come at once. The default only keeps a loop from growing: a statement is made when the number is reached.
pub(super) async fn cap_grants(
    app: &App,
    client: &Client,
    newest: &Grant,
    others: i64,
) -> Result<(), OAuthError> {
    let most = match client.policy().max_refresh_grants {
        Some(most) => most,
        None if others >= MOST_REFRESH_GRANTS => MOST_REFRESH_GRANTS,
        None => return Ok(()),
    };
    let granted = Granted { grant: None, session: None, ..newest.into() };
    let event = Event::GrantRevoked { granted, reason: Revocation::TooMany };
    let revoked = app.storage.revoke_oldest_grants(app.noted(&Actor::Server, event), newest, most).await?;
    if revoked > 0 {
        tracing::info!(client = %newest.client_id, user = %newest.user_id, revoked, "oldest grants revoked");
    }
    Ok(())
}
