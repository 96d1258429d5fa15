//! What the server keeps: one file a table family, the SQL beside its method; `db` alone names a driver.
//!
//! Portable SQL only: `$1` placeholders, TEXT, BIGINT and BOOLEAN, no `now()`. A write that must happen once is one
//! conditional statement.

mod app_access;
mod assertions;
mod audit;
mod authority;
mod changes;
mod clients;
mod consents;
mod data_keys;
pub mod db;
mod device_authorizations;
mod ending;
mod error;
mod grant_walks;
mod grants;
mod handovers;
mod job_locks;
mod logout_deliveries;
mod new_grants;
mod purge;
mod quotas;
mod registrations;
mod requests;
mod resources;
mod revoked_tokens;
mod schema;
mod scopes;
mod sessions;
mod signing_keys;
mod software_issuers;
mod store;
mod tries;
mod trusted_issuers;
mod user_keys;
mod users;

pub use app_access::AppAccess;
pub use audit::{AUDIT_BATCH, AUDIT_WAITING_READ, AuditRange};
pub use authority::{Authority, Insertion, Yes};
pub use changes::{Topic, Versions};
pub use clients::StoredClient;
pub use consents::{Consent, Remember};
pub use data_keys::{SealedClientSecrets, SealedSigningKey};
pub use db::Db;
pub use ending::Ending;
pub use error::StorageError;
pub use grant_walks::{EndlessGrant, GrantWalk};
pub use grants::{Rotation, SignIn};
pub use handovers::Counts;
pub use purge::Purged;
pub use registrations::{MayRegister, NewRegistration, RegistrationOutcome, StoredRegistration};
pub use revoked_tokens::TokenState;
pub use schema::{Effect, PendingMigration, Waits};
pub use sessions::MOST_AT_ONCE;
pub use signing_keys::Succession;
pub use store::Storage;
pub use tries::Tried;
pub(crate) use tries::id as try_id;
pub use users::{Credentials, PasswordChange, Standing, UserConflict};
