//! The settings: read once at start into types, every problem reported at once.
//!
//! `config/default.toml` documents every key and is the lowest source; `layers` lays the sources over
//! each other, `reader` turns values into types, and this file says which values each key accepts.

mod aliases;
mod audit;
mod authorization;
mod database;
mod external;
mod grants;
mod issuer;
mod keys;
mod layers;
mod observation;
mod problem;
mod profiles;
mod proxies;
mod reader;
mod registration;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod token_hook;
mod warnings;

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

pub use aliases::Alias;
pub use audit::AuditSettings;
pub use authorization::AuthorizationSettings;
use database::previous_master_keys;
pub use database::{DatabaseUrl, MasterKey};
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
pub use tls::TlsSettings;
pub use token_hook::{OnFailure, TokenHookSettings};

use crate::model::{Algorithm, AssertionAudience, Profiles, Secret};
use layers::Layers;
use reader::{DAY, Reader, Refusal, YEAR, algorithm, choice};

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
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
    pub max_connections: u32,
    /// How many are opened before anybody is listened to, and stay open though nobody needs them.
    pub kept_connections: u32,
    /// How long a statement waits for a connection that others have.
    pub acquire_timeout: Duration,
    pub migrate_on_start: bool,
    pub ended_kept_seconds: i64,
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

/// Lifetimes in seconds; `None` means never.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    pub authorization_code_seconds: i64,
    pub device_code_seconds: i64,
    pub access_token_seconds: i64,
    pub id_token_seconds: i64,
    pub refresh_token_seconds: Option<i64>,
    pub refresh_token_idle_seconds: Option<i64>,
    pub refresh_grace_seconds: i64,
    pub access_token_alg: Algorithm,
    pub id_token_alg: Algorithm,
}

#[derive(Clone, Debug)]
pub struct SessionSettings {
    pub lifetime_seconds: i64,
    pub idle_seconds: i64,
    pub request_seconds: i64,
    /// Sessions of one user.
    pub max_per_user: i64,
    pub expiry_signs_out: bool,
    /// Whether access for offline use outlives the session it was given in.
    pub offline_access_stays: bool,
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
pub struct BrandingSettings {
    pub name: String,
    pub logo_url: Option<String>,
    /// `#rrggbb`
    pub accent: String,
    pub support_url: Option<String>,
    pub policy_url: Option<String>,
    pub tos_url: Option<String>,
}

#[derive(Clone, Debug)]
pub struct AliasSettings {
    pub paths: Vec<Alias>,
}

#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub profiles: Profiles,
    pub assertion_audience: AssertionAudience,
    /// Used assertions, and tokens that were revoked by themselves, of one client in a quarter of an hour.
    pub max_remembered: u32,
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
            reader.text("data.directory").map(|directory| DataSettings { directory: directory.into() });
        let directory = data.as_ref().map_or_else(|| PathBuf::from("data"), |data| data.directory.clone());
        let server = ServerSettings::read(reader);
        let url = database_url(reader, &directory);
        let master_key = match needs_master_key {
            true => MasterKey::read(reader, url.as_ref(), &directory),
            false => Some(MasterKey::NotRead),
        };
        let previous = if needs_master_key { previous_master_keys(reader) } else { Some(Vec::new()) };
        let master_key_timeout = reader.seconds("secrets.master_key_timeout_seconds", 1..=300);
        let database = database(reader, url);
        let log = observation::log(reader);
        let keys = keys::read(reader);
        let tokens = tokens(reader, keys.as_ref());
        let sessions = sessions(reader, database.as_ref());
        let passwords = passwords(reader);
        let branding = branding(reader);
        let grants = GrantSettings::read(reader);
        let authorization = AuthorizationSettings::read(reader);
        let profiles = profiles::read(reader);
        let aliases = aliases(reader, &profiles);
        let clients = clients(reader, profiles);
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

fn database_url(reader: &mut Reader, data: &Path) -> Option<DatabaseUrl> {
    let given = reader.secret("database.url")?;
    let key = if given.file.is_some() { "database.url_file" } else { "database.url" };
    let parsed = DatabaseUrl::parse(&given.text, data);
    parsed.map_err(|(problem, remedy)| reader.refuse(key, problem, remedy)).ok()
}

fn database(reader: &mut Reader, url: Option<DatabaseUrl>) -> Option<DatabaseSettings> {
    let max_connections = reader.number("database.max_connections", 1..=1000);
    let kept_connections = reader.number("database.kept_connections", 0..=1000);
    let acquire_timeout = reader.number("database.acquire_timeout_ms", 50..=60_000);
    let migrate_on_start = reader.boolean("database.migrate_on_start");
    let ended_kept = reader.number("database.ended_kept_seconds", 60..=YEAR);
    Some(DatabaseSettings {
        url: url?,
        max_connections: max_connections?,
        kept_connections: kept_connections?,
        acquire_timeout: Duration::from_millis(acquire_timeout?),
        migrate_on_start: migrate_on_start?,
        ended_kept_seconds: ended_kept?,
    })
}

fn tokens(reader: &mut Reader, keys: Option<&KeySettings>) -> Option<TokenSettings> {
    let code = reader.number("tokens.authorization_code_seconds", 10..=600);
    let device_code = reader.number("tokens.device_code_seconds", 60..=1800);
    let access = reader.number("tokens.access_token_seconds", 30..=7 * DAY);
    let id = reader.number("tokens.id_token_seconds", 30..=7 * DAY);
    let refresh = reader.lifetime("tokens.refresh_token_seconds", 60..=10 * YEAR);
    let idle = reader.lifetime("tokens.refresh_token_idle_seconds", 60..=10 * YEAR);
    let grace = reader.number("tokens.refresh_grace_seconds", 0..=300);
    let mut signing = |key: &str| {
        let chosen = reader.parsed(key, algorithm)?;
        if keys.is_some_and(|keys| !keys.algorithms.contains(&chosen)) {
            let remedy = format!("add {chosen:?} to keys.algorithms, or choose one that is there");
            reader.refuse(key, format!("there is no signing key for {chosen:?}"), remedy);
        }
        Some(chosen)
    };
    let access_token_alg = signing("tokens.access_token_alg");
    let id_token_alg = signing("tokens.id_token_alg");
    Some(TokenSettings {
        authorization_code_seconds: code?,
        device_code_seconds: device_code?,
        access_token_seconds: access?,
        id_token_seconds: id?,
        refresh_token_seconds: refresh?,
        refresh_token_idle_seconds: idle?,
        refresh_grace_seconds: grace?,
        access_token_alg: access_token_alg?,
        id_token_alg: id_token_alg?,
    })
}

fn aliases(reader: &mut Reader, profiles: &Profiles) -> Option<AliasSettings> {
    let paths = reader.list("aliases.paths", |text| Alias::parse(text, profiles))?;
    let twice = paths
        .iter()
        .enumerate()
        .find(|(index, alias)| paths[..*index].iter().any(|earlier| earlier.path == alias.path));
    if let Some((_, alias)) = twice {
        let problem = format!("{} is there twice", alias.path);
        reader.refuse("aliases.paths", problem, "keep one of them".to_owned());
        return None;
    }
    Some(AliasSettings { paths })
}

fn sessions(reader: &mut Reader, database: Option<&DatabaseSettings>) -> Option<SessionSettings> {
    let lifetime = reader.number("sessions.lifetime_seconds", 60..=YEAR);
    let idle = reader.number("sessions.idle_seconds", 60..=YEAR);
    let request = reader.number("sessions.request_seconds", 60..=DAY);
    let max_per_user = reader.number("sessions.max_per_user", 1..=10_000);
    let expiry_signs_out = reader.boolean("sessions.expiry_signs_out");
    let offline_access_stays = reader.boolean("sessions.offline_access_stays");
    // A grant that is gone sooner could be made again by sending its consent form twice.
    let kept = database.map(|database| database.ended_kept_seconds);
    if let Some((kept, request)) = kept.zip(request).filter(|(kept, request)| kept < request) {
        let problem = format!("{kept} is less than sessions.request_seconds, {request}");
        reader.refuse("database.ended_kept_seconds", problem, format!("write {request} or more"));
    }
    Some(SessionSettings {
        lifetime_seconds: lifetime?,
        idle_seconds: idle?,
        request_seconds: request?,
        max_per_user: max_per_user?,
        expiry_signs_out: expiry_signs_out?,
        offline_access_stays: offline_access_stays?,
    })
}

fn passwords(reader: &mut Reader) -> Option<PasswordSettings> {
    let memory_kib = reader.number("passwords.memory_kib", 7168..=1_048_576);
    let iterations = reader.number("passwords.iterations", 1..=20);
    let parallelism = reader.number("passwords.parallelism", 1..=16);
    let threads = reader.number("passwords.threads", 0..=256);
    let queue = reader.number("passwords.queue", 1..=10_000);
    Some(PasswordSettings {
        memory_kib: memory_kib?,
        iterations: iterations?,
        parallelism: parallelism?,
        threads: threads?,
        queue: queue?,
    })
}

fn branding(reader: &mut Reader) -> Option<BrandingSettings> {
    let name = reader.parsed("branding.name", |text| match text.chars().count() {
        1..=60 => Ok(text.to_owned()),
        _ => Err(("it is empty or very long".to_owned(), "give a name of 1 to 60 characters".to_owned())),
    });
    let logo_url = reader.parsed("branding.logo_url", web_address);
    let accent = reader.parsed("branding.accent", colour);
    let support_url = reader.parsed("branding.support_url", web_address);
    let policy_url = reader.parsed("branding.policy_url", web_address);
    let tos_url = reader.parsed("branding.tos_url", web_address);
    Some(BrandingSettings {
        name: name?,
        logo_url: logo_url?,
        accent: accent?,
        support_url: support_url?,
        policy_url: policy_url?,
        tos_url: tos_url?,
    })
}

fn clients(reader: &mut Reader, profiles: Profiles) -> Option<ClientSettings> {
    let audience = reader
        .parsed("clients.assertion_audience", |text| choice(text, "issuer or issuer_or_token_endpoint"));
    let max_remembered = reader.number("clients.max_remembered", 100..=100_000_000);
    Some(ClientSettings { profiles, assertion_audience: audience?, max_remembered: max_remembered? })
}

fn outbound(reader: &mut Reader) -> Option<OutboundSettings> {
    let allow_private = reader.boolean("outbound.allow_private");
    let ca_file = reader.text("outbound.ca_file");
    let timeout = reader.seconds("outbound.timeout_seconds", 1..=60);
    let max_bytes = reader.number("outbound.max_bytes", 1024..=16_777_216);
    Some(OutboundSettings {
        allow_private: allow_private?,
        ca_file: ca_file.map(|path| Some(path).filter(|path| !path.is_empty()).map(PathBuf::from))?,
        timeout: timeout?,
        max_bytes: max_bytes?,
    })
}

fn web_address(text: &str) -> Result<Option<String>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(Some(url.into())),
        _ => Err((
            format!("\"{text}\" is not a web address"),
            "write a URL that starts with https://".to_owned(),
        )),
    }
}

fn colour(text: &str) -> Result<String, Refusal> {
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err((format!("\"{text}\" is not a colour"), "write six hexadecimal digits like #1d4ed8".to_owned()))
}
