//! Opening the database for a command: the right kind of connection, and the schema this program knows.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{Failure, output};
use crate::administration::{Administration, Failed, Services};
use crate::audit::{Actor, Audit};
use crate::boot::{self, StartError};
use crate::clock::Clock;
use crate::config::{PasswordSettings, Settings};
use crate::crypto::master_key::MasterKey;
use crate::crypto::password::{Cost, PasswordHasher};
use crate::model::Timestamp;
use crate::outbound::{Documents, Outbound};
use crate::secrets;
use crate::storage::Storage;

/// The variables that say who types, the one behind `sudo` first.
const OPERATOR: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];
/// Characters of their name that are kept.
const LONGEST_OPERATOR: usize = 64;

/// What a command runs on that may change something: each change takes an entry of the audit log with it.
pub(super) struct Context<'a> {
    pub settings: &'a Settings,
    pub storage: Storage,
    pub now: Timestamp,
    audit: OnceLock<Audit>,
    documents: OnceLock<Documents>,
    passwords: OnceLock<PasswordHasher>,
}

impl<'a> Context<'a> {
    pub(super) async fn open(settings: &'a Settings) -> Result<Self, Failure> {
        let storage = storage(settings).await?;
        let (audit, documents, passwords) = Default::default();
        Ok(Self { settings, storage, now: Clock::System.now(), audit, documents, passwords })
    }

    /// Administration by whoever types.
    pub(super) fn administration(&self) -> Administration<'_> {
        Administration {
            settings: self.settings,
            storage: &self.storage,
            clock: &Clock::System,
            services: self,
            actor: operator(),
        }
    }

    /// The audit log. The master key is read for it; whoever only looks at something needs none.
    pub(super) fn audit(&self) -> Result<&Audit, StartError> {
        if let Some(audit) = self.audit.get() {
            return Ok(audit);
        }
        let master_key = Arc::new(self.master_key()?);
        Ok(self.audit.get_or_init(|| Audit::new(self.storage.clone(), master_key)))
    }

    fn master_key(&self) -> Result<MasterKey, StartError> {
        let master_key = boot::load_master_key(self.settings)?;
        // A command does one thing after the other, so nobody else has to wait for its thread.
        block_in_place(|| Handle::current().block_on(secrets::open(&self.storage, &master_key, self.now)))?;
        Ok(master_key)
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

/// Each is opened when an act needs it for the first time.
impl Services for Context<'_> {
    fn audit(&self) -> Result<&Audit, Failed> {
        self.audit().map_err(other)
    }

    fn documents(&self) -> Result<&Documents, Failed> {
        if let Some(documents) = self.documents.get() {
            return Ok(documents);
        }
        let outbound = Outbound::open(&self.settings.outbound).map_err(|error| other(error.into()))?;
        Ok(self.documents.get_or_init(|| Documents::new(Arc::new(outbound))))
    }

    fn passwords(&self) -> Result<&PasswordHasher, Failed> {
        if let Some(passwords) = self.passwords.get() {
            return Ok(passwords);
        }
        let PasswordSettings { memory_kib, iterations, parallelism, .. } = self.settings.passwords;
        let cost = Cost { memory_kib, iterations, parallelism, threads: 1, queue: 1 };
        let started = PasswordHasher::start(cost)?;
        Ok(self.passwords.get_or_init(|| started))
    }

    /// A command remembers none.
    fn client_changed(&self) {}
}

fn other(error: StartError) -> Failed {
    Failed::Other(error.into())
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
