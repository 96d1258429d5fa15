//! Who may register clients at the registration endpoint, and which (RFC 7591).

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::reader::{Reader, Refusal};
use super::table::registration;
use crate::model::{GrantType, PkcePolicy, Scope, ScopeSet};

#[derive(Clone, Debug)]
pub struct RegistrationSettings {
    pub mode: RegistrationMode,
    pub scopes: ScopeSet,
    pub grant_types: Vec<GrantType>,
    pub pkce: PkcePolicy,
    pub max_clients: i64,
    /// In a quarter of an hour each.
    pub max_per_address: i64,
    pub max_per_token: i64,
    pub max_in_all: i64,
    /// Seconds; none: for ever.
    pub unused_seconds: Option<i64>,
    /// Seconds after which a registration access token that nobody used counts no more; none: never.
    pub token_unused_seconds: Option<i64>,
    pub same_host: bool,
    pub require_software_statement: bool,
}

/// Who may register clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationMode {
    Off,
    /// Whoever has an initial access token.
    Token,
    /// Anybody.
    Open,
}

pub(super) fn read(reader: &mut Reader) -> Option<RegistrationSettings> {
    let mode = reader.choice(registration::mode);
    let scopes = reader.list(registration::scopes, scope);
    let grant_types = reader.list(registration::grant_types, grant_type);
    let pkce = reader.choice(registration::pkce);
    let max_clients = reader.number(registration::max_clients);
    let max_per_address = reader.number(registration::max_per_address);
    let max_per_token = reader.number(registration::max_per_token);
    let max_in_all = reader.number(registration::max_in_all);
    let unused = reader.lifetime(registration::unused_seconds);
    let token_unused = reader.lifetime(registration::token_unused_seconds);
    let same_host = reader.boolean(registration::same_host);
    let statement = reader.boolean(registration::require_software_statement);
    Some(RegistrationSettings {
        mode: mode?,
        scopes: scopes?.into_iter().collect(),
        grant_types: grant_types?,
        pkce: pkce?,
        max_clients: max_clients?,
        max_per_address: max_per_address?,
        max_per_token: max_per_token?,
        max_in_all: max_in_all?,
        unused_seconds: unused?,
        token_unused_seconds: token_unused?,
        same_host: same_host?,
        require_software_statement: statement?,
    })
}

fn scope(text: &str) -> Result<Scope, Refusal> {
    text.parse().map_err(|error: crate::model::InvalidScope| {
        (error.to_string(), "write one scope an entry".to_owned())
    })
}

fn grant_type(text: &str) -> Result<GrantType, Refusal> {
    let refused = || {
        let remedy = "write authorization_code, refresh_token, client_credentials, implicit or \
                      urn:ietf:params:oauth:grant-type:device_code";
        (format!("\"{text}\" cannot be offered"), remedy.to_owned())
    };
    let name: StrDeserializer<'_, ValueError> = text.into_deserializer();
    let known = GrantType::deserialize(name).map_err(|_| refused())?;
    if known.is_for_self_registered() { Ok(known) } else { Err(refused()) }
}
