//! Hashes that would be made otherwise today are renewed after a sign-in, while nobody waits for it: docs/adr/0044.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::app::App;
use crate::model::{Secret, UserId};

/// Renewals at a time. What finds no room is done at the next sign-in.
const MOST: u32 = 2;

/// The renewals that are under way.
pub struct Renewals(Arc<Semaphore>);

impl Default for Renewals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST as usize)))
    }
}

impl Renewals {
    /// Returns when none is under way; none is begun afterwards.
    pub async fn end(&self) {
        let _ = self.0.acquire_many(MOST).await;
        self.0.close();
    }
}

/// Renews the hash behind which this password was found, if it is due.
pub(super) fn begin(app: &App, user: &UserId, password: &str, old: String) {
    if !app.passwords.is_outdated(&old) {
        return;
    }
    let Ok(room) = Arc::clone(&app.renewals.0).try_acquire_owned() else { return };
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
