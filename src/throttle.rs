//! Registrations of clients, and changes of them, are counted before anything is done for them, by all processes alike
//! (`storage/quotas.rs`): by address, by initial access token, and all together. One that is refused counts; one that the server
//! fails does not.

use crate::app::App;
use crate::model::{NetworkAddress, Share};
use crate::storage::StorageError;
use crate::tries;

/// Seconds after which a count begins anew.
const WINDOW: i64 = 900;
/// Under which all count.
const ALL: &str = "registrations";

/// A registration that was counted.
pub(crate) struct Attempt<'a> {
    app: &'a App,
    /// What it counts under.
    counted: Vec<String>,
}

impl<'a> Attempt<'a> {
    /// Somebody at this address asks. None: they, or all together, have asked for as many as they may.
    pub(crate) async fn at(app: &'a App, address: NetworkAddress) -> Result<Option<Self>, StorageError> {
        let settings = &app.settings.registration;
        let share = Share { own: settings.max_per_address, all: settings.max_in_all };
        let mut attempt = Self { app, counted: Vec::new() };
        let own = format!("r.{}", tries::network(&app.master_key, address));
        if !attempt.count(own.clone(), share.own).await? {
            return Ok(None);
        }
        if app.storage.take_shared_quota((ALL, &own), share, app.now(), WINDOW).await? {
            attempt.counted.push(ALL.to_owned());
            return Ok(Some(attempt));
        }
        attempt.take_back().await?;
        tracing::warn!(
            "no client is registered: all together asked for registration.max_in_all in a quarter of an hour"
        );
        Ok(None)
    }

    /// With this initial access token. False: as many were asked for with it as may be.
    pub(crate) async fn with_token(&mut self, id: &str) -> Result<bool, StorageError> {
        self.count(format!("rt.{id}"), self.app.settings.registration.max_per_token).await
    }

    async fn count(&mut self, id: String, most: i64) -> Result<bool, StorageError> {
        let counted = self.app.storage.take_quota(&id, most, self.app.now(), WINDOW).await?;
        if counted {
            self.counted.push(id);
        }
        Ok(counted)
    }

    /// The server failed it.
    pub(crate) async fn take_back(self) -> Result<(), StorageError> {
        for id in &self.counted {
            self.app.storage.give_quota_back(id, self.app.now()).await?;
        }
        Ok(())
    }
}
