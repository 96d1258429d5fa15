//! Administration: what creates, changes and deletes clients, users, resources, scopes, trusted issuers, registration tokens
//! and signing keys, for whoever may: what is asked is checked, written, and noted in the audit log.
//!
//! Asked by typed values, it answers by typed values: it prints nothing and reads nothing but its storage. Whoever calls
//! it has found out who acts, and whether they may.

pub(crate) mod clients;
mod data_keys;
mod issuers;
pub(crate) mod keys;
mod not_done;
mod registration_tokens;
mod resources;
mod scopes;
pub(crate) mod users;

use crate::audit::{Actor, Audit, Event};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::password::PasswordHasher;
use crate::model::{Noted, Timestamp};
use crate::outbound::Documents;
use crate::storage::Storage;
pub(crate) use data_keys::SecretsReplacement;
pub(crate) use issuers::{NewIssuer, Purpose, Trust};
pub(crate) use not_done::{Failed, NotDone, Outcome, Refusal};
pub(crate) use registration_tokens::{IssuedToken, NewToken};

/// Who administers, and what it is done with.
pub(crate) struct Administration<'a> {
    pub settings: &'a Settings,
    pub storage: &'a Storage,
    pub clock: &'a Clock,
    pub services: &'a dyn Services,
    /// Who acts: every entry of the audit log says it.
    pub actor: Actor,
}

/// What only some acts need: a server has it open, a command opens it when it comes to that.
pub(crate) trait Services: Sync {
    /// The audit log, with the master key.
    fn audit(&self) -> Result<&Audit, Failed>;

    /// What others host.
    fn documents(&self) -> Result<&Documents, Failed>;

    fn passwords(&self) -> Result<&PasswordHasher, Failed>;

    /// A client is not any more what this process may remember of it. Other processes are told by the database.
    fn client_changed(&self);
}

impl Administration<'_> {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The entry of one write.
    fn noted(&self, event: Event<'_>) -> Result<Noted, Failed> {
        Ok(self.services.audit()?.noted(&self.actor, &[event], self.now()))
    }
}
