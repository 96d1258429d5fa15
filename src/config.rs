//! The settings: read once at start into types, every problem reported at once.
//!
//! `table` has a line for each with the values that it accepts; `config/default.toml` documents every one and is the lowest
//! source; `layers` lays the sources over each other, `reader` turns values into types, and a file a section says what
//! else has to hold.

mod aliases;
mod audit;
mod authorization;
mod branding;
mod clients;
mod database;
mod external;
mod grants;
mod issuer;
mod keys;
mod kinds;
mod layers;
mod observation;
mod problem;
mod profiles;
mod proxies;
mod reader;
mod registration;
mod server;
mod sessions;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod token_hook;
mod tokens;
mod warnings;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use aliases::{Alias, AliasSettings};
pub use audit::AuditSettings;
pub use authorization::AuthorizationSettings;
pub use branding::BrandingSettings;
pub use clients::ClientSettings;
use database::previous_master_keys;
pub use database::{DatabaseSettings, DatabaseUrl, MasterKey};
pub use external::{AdminSettings, ExternalUi, UiSettings};
pub use grants::GrantSettings;
pub use issuer::Issuer;
pub use keys::KeySettings;
pub use layers::DEFAULT as DEFAULT_FILE;
pub use observation::{LogFormat, LogLevel, LogSettings, MetricsSettings, TracingSettings};
pub use problem::{Problem, Problems};
#[cfg(test)]
pub(crate) use profiles::tests::embedded;
pub use proxies::{Network, TrustedProxies};
pub use registration::{RegistrationMode, RegistrationSettings};
pub use server::{ServerLimits, ServerSettings};
pub use sessions::SessionSettings;
pub use tls::TlsSettings;
pub use token_hook::{OnFailure, TokenHookSettings};
pub use tokens::TokenSettings;

use crate::model::Secret;
use layers::Layers;
use reader::Reader;

#[derive(Clone, Debug)]
pub struct Settings {
    pub server: ServerSettings,
    pub database: DatabaseSettings,
    pub data: DataSettings,
    pub secrets: SecretSettings,
    pub log: LogSettings,
    pub tokens: TokenSettings,
    pub sessions: SessionSettings,
    pub passwords: PasswordSettings,
    pub branding: BrandingSettings,
    pub keys: KeySettings,
    pub grants: GrantSettings,
    pub authorization: AuthorizationSettings,
    pub aliases: AliasSettings,
    pub clients: ClientSettings,
    pub registration: RegistrationSettings,
    pub audit: AuditSettings,
    pub outbound: OutboundSettings,
    pub admin: AdminSettings,
    pub metrics: MetricsSettings,
    pub tracing: TracingSettings,
    /// None: there is none.
    pub token_hook: Option<TokenHookSettings>,
    pub ui: UiSettings,
}

#[derive(Clone, Debug)]
pub struct DataSettings {
    pub directory: PathBuf,
}

#[derive(Clone, Debug)]
pub struct SecretSettings {
    pub master_key: MasterKey,
    /// What is sealed under these opens too.
    pub previous_master_keys: Vec<Secret>,
    /// How long a program or a socket has to give the master key.
    pub master_key_timeout: Duration,
}

#[derive(Clone, Debug)]
pub struct PasswordSettings {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Zero means one less than there are processors.
    pub threads: usize,
    pub queue: usize,
}

#[derive(Clone, Debug)]
pub struct OutboundSettings {
    pub allow_private: bool,
    pub ca_file: Option<PathBuf>,
    pub timeout: Duration,
    pub max_bytes: usize,
}

impl Settings {
    /// Reads the defaults, then `file`, then the environment's `CHANCERY_SECTION__KEY`.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        Self::load_for(file, environment, true)
    }

    /// The same for what needs no master key, so that it need not be where that is done.
    pub fn load_without_master_key(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        Self::load_for(file, environment, false)
    }

    fn load_for(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        needs_master_key: bool,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let layers = Layers::collect(file, environment, &mut problems);
        let mut reader = Reader::new(layers, problems);
        let settings = Self::read(&mut reader, needs_master_key);
        match settings {
            Some(settings) if reader.problems.is_empty() => Ok(settings),
            _ => Err(Problems(reader.problems)),
        }
    }

    fn read(reader: &mut Reader, needs_master_key: bool) -> Option<Self> {
        let data =
            reader.text(table::data::directory).map(|directory| DataSettings { directory: directory.into() });
        let directory = data.as_ref().map_or_else(|| PathBuf::from("data"), |data| data.directory.clone());
        let server = ServerSettings::read(reader);
        let url = database::url(reader, &directory);
        let master_key = match needs_master_key {
            true => MasterKey::read(reader, url.as_ref(), &directory),
            false => Some(MasterKey::NotRead),
        };
        let previous = if needs_master_key { previous_master_keys(reader) } else { Some(Vec::new()) };
        let master_key_timeout = reader.duration(table::secrets::master_key_timeout_seconds);
        let database = database::read(reader, url);
        let log = observation::log(reader);
        let keys = keys::read(reader);
        let tokens = tokens::read(reader, keys.as_ref());
        let sessions = sessions::read(reader, database.as_ref());
        let passwords = passwords(reader);
        let branding = branding::read(reader);
        let grants = GrantSettings::read(reader);
        let authorization = AuthorizationSettings::read(reader);
        let profiles = profiles::read(reader);
        let aliases = aliases::read(reader, &profiles);
        let clients = clients::read(reader, profiles);
        let registration = registration::read(reader);
        let audit = AuditSettings::read(reader);
        let outbound = outbound(reader);
        let outbound_private = outbound.as_ref().is_some_and(|outbound| outbound.allow_private);
        let token_hook = token_hook::read(reader, outbound_private);
        let admin = external::admin(reader);
        let metrics = observation::metrics(reader);
        let tracing = observation::tracing(reader);
        let ui = external::ui(reader, admin.as_ref());
        Some(Self {
            server: server?,
            database: database?,
            data: data?,
            secrets: SecretSettings {
                master_key: master_key?,
                previous_master_keys: previous?,
                master_key_timeout: master_key_timeout?,
            },
            log: log?,
            tokens: tokens?,
            sessions: sessions?,
            passwords: passwords?,
            branding: branding?,
            keys: keys?,
            grants: grants?,
            authorization: authorization?,
            aliases: aliases?,
            clients: clients?,
            registration: registration?,
            audit: audit?,
            outbound: outbound?,
            admin: admin?,
            metrics: metrics?,
            tracing: tracing?,
            token_hook: token_hook?,
            ui: ui?,
        })
    }
}

// In each section every key is read before the first `?`, so that no problem hides another.

fn passwords(reader: &mut Reader) -> Option<PasswordSettings> {
    let memory_kib = reader.number(table::passwords::memory_kib);
    let iterations = reader.number(table::passwords::iterations);
    let parallelism = reader.number(table::passwords::parallelism);
    let threads = reader.number(table::passwords::threads);
    let queue = reader.number(table::passwords::queue);
    Some(PasswordSettings {
        memory_kib: memory_kib?,
        iterations: iterations?,
        parallelism: parallelism?,
        threads: threads?,
        queue: queue?,
    })
}

fn outbound(reader: &mut Reader) -> Option<OutboundSettings> {
    let allow_private = reader.boolean(table::outbound::allow_private);
    let ca_file = reader.text(table::outbound::ca_file);
    let timeout = reader.duration(table::outbound::timeout_seconds);
    let max_bytes = reader.number(table::outbound::max_bytes);
    Some(OutboundSettings {
        allow_private: allow_private?,
        ca_file: ca_file.map(|path| Some(path).filter(|path| !path.is_empty()).map(PathBuf::from))?,
        timeout: timeout?,
        max_bytes: max_bytes?,
    })
}
