//! Hashes that would be made otherwise today are renewed after a sign-in, while nobody waits for it: docs/adr/0044.

use crate::app::App;
use crate::model::{Secret, UserId};

/// Renews the hash behind which this password was found, if it is due.
pub(super) fn begin(app: &App, user: &UserId, password: &str, old: String) {
    if !app.passwords.is_outdated(&old) {
        return;
    }
    let Some(room) = app.renewals.room() else { return };
    let (passwords, storage, user) = (app.passwords.clone(), app.storage.clone(), user.clone());
    let password = Secret::new(password);
    tokio::spawn(async move {
        let _room = room;
        let Ok(new) = passwords.renew(&passwords.operators_place(), password, &old).await else { return };
        match storage.replace_hash(&user, &old, &new).await {
            Ok(_) => tracing::debug!(%user, "the hash of a password was renewed"),
            Err(error) => tracing::warn!(%user, %error, "could not renew the hash of a password"),
        }
    });
}
