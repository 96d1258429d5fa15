//! The choices that are weaker than the defaults, told once at start.

use super::{LogLevel, OnFailure, RegistrationMode, RegistrationSettings, Settings};
use crate::model::{AssertionAudience, PkcePolicy};

/// OWASP's memory times passes for Argon2id: 19 MiB twice.
const ARGON2_COST: u64 = 19_456 * 2;

impl Settings {
    /// The weaker choices among these settings, each a sentence for the start-up log.
    pub fn warnings(&self) -> Vec<String> {
        of(self)
    }
}

fn of(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |weak: bool, sentence: String| {
        if weak {
            warnings.push(sentence);
        }
    };
    let issuer = &settings.server.issuer;
    warn(
        issuer.is_loopback_http(),
        format!("server.issuer is {issuer}: plain http, for trying things out on this machine only"),
    );
    warn(
        settings.server.trusted_proxies.networks().iter().any(|network| network.is_everything()),
        "server.trusted_proxies holds every address, so any client can claim any address".to_owned(),
    );
    let tokens = &settings.tokens;
    warn(
        tokens.authorization_code_seconds > 60,
        format!("tokens.authorization_code_seconds is {}", tokens.authorization_code_seconds),
    );
    warn(
        tokens.access_token_seconds > 86_400,
        format!("tokens.access_token_seconds is {}: more than a day", tokens.access_token_seconds),
    );
    warn(
        tokens.refresh_token_seconds.is_none() && tokens.refresh_token_idle_seconds.is_none(),
        "tokens.refresh_token_seconds and tokens.refresh_token_idle_seconds are -1: refresh tokens never end"
            .to_owned(),
    );
    warn(
        tokens.refresh_grace_seconds > 60,
        format!("tokens.refresh_grace_seconds is {}: a stolen token goes unnoticed longer", {
            tokens.refresh_grace_seconds
        }),
    );
    warn(
        settings.grants.password,
        "grants.password is true: applications see passwords, which RFC 9700 2.4 forbids".to_owned(),
    );
    warn(
        settings.grants.implicit,
        "grants.implicit is true: access tokens go through browsers, which RFC 9700 2.1.2 advises against"
            .to_owned(),
    );
    let passwords = &settings.passwords;
    warn(
        u64::from(passwords.memory_kib) * u64::from(passwords.iterations) < ARGON2_COST * 9 / 10,
        "passwords.memory_kib and passwords.iterations are below OWASP's recommendation".to_owned(),
    );
    warn(
        settings.outbound.allow_private,
        "outbound.allow_private is true: URLs of clients may lead the server into your own network, for tests only"
            .to_owned(),
    );
    warn(
        settings.log.level > LogLevel::Info,
        "log.level is below info: the log holds the addresses and paths of every request".to_owned(),
    );
    warnings
        .into_iter()
        .chain(of_registration(&settings.registration))
        .chain(of_assertions(settings))
        .chain(of_token_hook(settings))
        .chain(of_secrets(settings))
        .chain(of_shares(settings))
        .collect()
}

fn of_assertions(settings: &Settings) -> Option<String> {
    let is_wide = settings.clients.assertion_audience == AssertionAudience::IssuerOrTokenEndpoint;
    let sentence =
        "clients.assertion_audience is issuer_or_token_endpoint: better allow it to the clients that need it";
    is_wide.then(|| sentence.to_owned())
}

fn of_secrets(settings: &Settings) -> Option<String> {
    let sentence = "secrets.previous_master_keys is set: after `chancery secrets rotate` nothing needs it; `chancery secrets list` says so";
    (!settings.secrets.previous_master_keys.is_empty()).then(|| sentence.to_owned())
}

fn of_registration(registration: &RegistrationSettings) -> Vec<String> {
    let is_on = registration.mode != RegistrationMode::Off;
    let open =
        format!("registration.mode is open: anybody may register up to {} clients", registration.max_clients);
    let pkce = "registration.pkce is optional: clients that registered themselves may do without it";
    let kept = "registration.token_unused_seconds is -1: a registration access token counts however long it lay around";
    [
        (registration.mode == RegistrationMode::Open, open),
        (is_on && registration.pkce == PkcePolicy::Optional, pkce.to_owned()),
        (is_on && registration.token_unused_seconds.is_none(), kept.to_owned()),
    ]
    .into_iter()
    .filter_map(|(weak, sentence)| weak.then_some(sentence))
    .collect()
}

fn of_token_hook(settings: &Settings) -> Option<String> {
    settings.token_hook.as_ref().filter(|hook| hook.on_failure == OnFailure::Issue)?;
    let sentence = "token_hook.on_failure is issue: while the token hook fails, tokens are issued without its claims or refusal";
    Some(sentence.to_owned())
}

fn of_shares(settings: &Settings) -> Option<String> {
    let server = &settings.server;
    let (one, all) = (server.max_requests_per_address, server.max_requests);
    let sentence = "server.max_requests_per_address is more than half of server.max_requests: one address may keep others out";
    (one.saturating_mul(2) > all).then(|| sentence.to_owned())
}
