//! Opening the database for a command: the right kind of connection, and the schema this program knows.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{Failure, output};
use crate::audit::{Actor, Audit, Event};
use crate::boot::{self, StartError};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::master_key::MasterKey;
use crate::model::Timestamp;
use crate::secrets;
use crate::storage::Storage;

/// The variables that say who types, the one behind `sudo` first.
const OPERATOR: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];
/// Characters of their name that are kept.
const LONGEST_OPERATOR: usize = 64;

/// The database for a command that may change something: each change takes an entry of the audit log with it.
pub(super) struct Office<'a> {
    pub settings: &'a Settings,
    pub storage: Storage,
    pub now: Timestamp,
    audit: OnceLock<Audit>,
}

impl<'a> Office<'a> {
    pub(super) async fn open(settings: &'a Settings) -> Result<Self, Failure> {
        let storage = storage(settings).await?;
        Ok(Self { settings, storage, now: Clock::System.now(), audit: OnceLock::new() })
    }

    /// The audit log. The master key is read for it; whoever only looks at something needs none.
    pub(super) fn audit(&self) -> Result<&Audit, Failure> {
        if let Some(audit) = self.audit.get() {
            return Ok(audit);
        }
        let master_key = Arc::new(self.master_key()?);
        Ok(self.audit.get_or_init(|| Audit::new(self.storage.clone(), master_key)))
    }

    fn master_key(&self) -> Result<MasterKey, Failure> {
        let master_key = boot::load_master_key(self.settings)?;
        // A command does one thing after the other, so nobody else has to wait for its thread.
        let opened = block_in_place(|| {
            Handle::current().block_on(secrets::open(&self.storage, &master_key, self.now))
        });
        opened.map_err(StartError::from)?;
        Ok(master_key)
    }

    /// The storage for one write, with its entry.
    pub(super) fn noting(&self, event: Event<'_>) -> Result<Storage, Failure> {
        Ok(self.audit()?.noting(&operator(), &[event], self.now))
    }

    /// Chains what was written, as nobody else may where no server runs, and closes the database.
    pub(super) async fn close(self) -> Result<(), Failure> {
        let chained = match self.audit.get() {
            Some(audit) => audit.chain_waiting(self.now).await,
            None => Ok(()),
        };
        self.storage.db().close().await;
        if let Err(error) = chained {
            output::complain(&format!("the audit log: {error}"));
        }
        Ok(())
    }
}

/// Who types, as far as the environment tells.
pub(super) fn operator() -> Actor {
    let mut names = OPERATOR.iter().filter_map(std::env::var_os).filter(|name| !name.is_empty());
    let name = names.next().unwrap_or_default();
    Actor::Operator { operator: name.to_string_lossy().chars().take(LONGEST_OPERATOR).collect() }
}

/// The database with its schema up to date; migrated here when the settings say so.
pub(super) async fn storage(settings: &Settings) -> Result<Storage, Failure> {
    let storage = connect(settings).await?;
    if settings.database.migrate_on_start {
        boot::migrate(settings, &storage).await?;
    } else if !storage.db().pending_migrations().await?.is_empty() {
        return Err(Failure::refused(
            "the database lacks migrations, and database.migrate_on_start is false\n    run `chancery migrate` first",
        ));
    }
    Ok(storage)
}

/// The database as it is.
pub(super) async fn connect(settings: &Settings) -> Result<Storage, Failure> {
    let storage = boot::open_storage(settings).await?;
    storage.db().refuse_transaction_pooler().await?;
    Ok(storage)
}
