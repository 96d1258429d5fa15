//! Grants without an end of their own whose refresh token nobody has used for as long as it may wait. How long that is, is
//! the client's own matter, and no index knows when a token was last used, so that a refresh stays cheap: all such
//! grants are looked at in turn, a batch at a time.

use crate::app::App;
use crate::model::Timestamp;
use crate::storage::{EndlessGrant, GrantWalk, StorageError};

use super::issue;

/// Removes the unused ones of the next batch. How many there were.
pub(crate) async fn remove(app: &App, now: Timestamp) -> Result<u64, StorageError> {
    let GrantWalk { grants, is_over } = app.storage.endless_grants_after(&app.unused_grants.place()).await?;
    let mut removed = 0;
    for grant in &grants {
        if is_over_for(app, grant, now).await? {
            removed += app.storage.remove_unused_grant(&grant.id, grant.last_used_at).await?;
        }
    }
    let next = grants.last().filter(|_| !is_over).map_or("", |grant: &EndlessGrant| grant.id.as_str());
    app.unused_grants.go_to(next);
    Ok(removed)
}

/// Whether it would be gone if its end had been written down.
async fn is_over_for(app: &App, grant: &EndlessGrant, now: Timestamp) -> Result<bool, StorageError> {
    // Not even looked up where it was used a moment ago.
    let kept = app.storage.kept();
    if grant.last_used_at.plus(kept) > now {
        return Ok(false);
    }
    let Some(owner) = app.clients.find(&grant.client_id).await? else { return Ok(false) };
    let end = issue::refresh_idle(app, &owner.client).end(grant.last_used_at);
    Ok(end.is_some_and(|end| end.plus(kept) <= now))
}
