//! Every setting, a line each: its name, and what its value may be. Its default, and what it is for, is in
//! `config/default.toml`; `docs/settings.md` is made of both.

#[cfg(test)]
mod tests;

use super::kinds::{
    Bool, Choice, DaysOrNever, List, Milliseconds, Number, Ratio, Seconds, SecondsOrNever, SecretFile,
    SecretText, Setting, Text, Words,
};

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
pub(super) const ALGORITHMS: &str = "ES256, ES384, RS256, PS256 or EdDSA";

/// A module a section, and in it each setting by its name.
macro_rules! settings {
    ($($section:ident { $($name:ident: $kind:ident $(($range:expr))?,)+ })+) => {
        $(
            #[allow(non_upper_case_globals, reason = "they are called what the settings are called")]
            pub(super) mod $section {
                use crate::config::table::*;

                $(
                    pub(in crate::config) const $name: Setting<$kind> = Setting {
                        key: concat!(stringify!($section), ".", stringify!($name)),
                        kind: $kind $(($range))?,
                    };
                )+
            }
        )+

        /// The key of each, and what it accepts.
        #[cfg(test)]
        pub(super) fn all() -> Vec<(&'static str, String)> {
            use super::kinds::Kind;
            vec![$($(($section::$name.key, $section::$name.kind.accepts()),)+)+]
        }
    };
}

settings! {
    server {
        issuer: Text,
        listen: Text,
        tls_certificate_file: Text,
        tls_key_file: Text,
        tls_reload_seconds: Seconds(1..=DAY),
        trusted_proxies: List,
        max_connections: Number(1..=1_000_000),
        max_connections_per_address: Number(1..=1_000_000),
        max_requests: Number(1..=100_000),
        max_requests_per_address: Number(1..=100_000),
        max_waiting: Number(1..=100_000),
        max_delay_ms: Milliseconds(50..=60_000),
        max_body_bytes: Number(1024..=1_048_576),
        max_header_bytes: Number(8192..=1_048_576),
        header_timeout_seconds: Seconds(1..=600),
        idle_timeout_seconds: Seconds(1..=3600),
        write_timeout_seconds: Seconds(1..=600),
        request_timeout_seconds: Seconds(1..=600),
        shutdown_grace_seconds: Seconds(0..=600),
    }
    database {
        url: SecretText,
        url_file: SecretFile,
        max_connections: Number(1..=1000),
        kept_connections: Number(0..=1000),
        acquire_timeout_ms: Milliseconds(50..=60_000),
        migrate_on_start: Bool,
        ended_kept_seconds: Seconds(60..=YEAR),
    }
    data {
        directory: Text,
    }
    secrets {
        master_key: SecretText,
        master_key_file: SecretFile,
        master_key_command: Words,
        master_key_socket: Text,
        master_key_timeout_seconds: Seconds(1..=300),
        previous_master_keys: List,
        previous_master_key_files: List,
    }
    log {
        format: Choice("text or json"),
        level: Choice("error, warn, info, debug or trace"),
        slow_request_ms: Milliseconds(0..=600_000),
    }
    metrics {
        listen: Text,
    }
    tracing {
        otlp_endpoint: Text,
        sample_ratio: Ratio,
    }
    tokens {
        authorization_code_seconds: Seconds(10..=600),
        device_code_seconds: Seconds(60..=1800),
        access_token_seconds: Seconds(30..=7 * DAY),
        id_token_seconds: Seconds(30..=7 * DAY),
        refresh_token_seconds: SecondsOrNever(60..=10 * YEAR),
        refresh_token_idle_seconds: SecondsOrNever(60..=10 * YEAR),
        refresh_grace_seconds: Seconds(0..=300),
        access_token_alg: Choice(ALGORITHMS),
        id_token_alg: Choice(ALGORITHMS),
    }
    grants {
        password: Bool,
        implicit: Bool,
    }
    authorization {
        pushed_request_seconds: Seconds(60..=600),
        require_pushed_authorization_requests: Bool,
        require_signed_request_object: Bool,
        max_waiting_per_address: Number(1..=1_000_000),
        max_waiting_per_client: Number(1..=1_000_000),
        max_waiting: Number(1..=10_000_000),
    }
    aliases {
        paths: List,
    }
    sessions {
        lifetime_seconds: Seconds(60..=YEAR),
        idle_seconds: Seconds(60..=YEAR),
        request_seconds: Seconds(60..=DAY),
        max_per_user: Number(1..=10_000),
        expiry_signs_out: Bool,
        offline_access_stays: Bool,
    }
    passwords {
        memory_kib: Number(7168..=1_048_576),
        iterations: Number(1..=20),
        parallelism: Number(1..=16),
        threads: Number(0..=256),
        queue: Number(1..=10_000),
    }
    branding {
        name: Text,
        logo_url: Text,
        accent: Text,
        support_url: Text,
        policy_url: Text,
        tos_url: Text,
    }
    keys {
        algorithms: List,
        publish_seconds: Seconds(0..=30 * DAY),
        rotate_every_seconds: SecondsOrNever(3600..=10 * YEAR),
        hint_seconds: Seconds(0..=10 * YEAR),
    }
    clients {
        assertion_audience: Choice("issuer or issuer_or_token_endpoint"),
        max_remembered: Number(100..=100_000_000),
        profiles_directory: Text,
    }
    registration {
        mode: Choice("off, token or open"),
        scopes: List,
        grant_types: List,
        pkce: Choice("required or optional"),
        max_clients: Number(1..=1_000_000),
        max_per_address: Number(1..=1_000_000),
        max_per_token: Number(1..=1_000_000),
        max_in_all: Number(1..=1_000_000),
        unused_seconds: SecondsOrNever(DAY..=10 * YEAR),
        token_unused_seconds: SecondsOrNever(DAY..=10 * YEAR),
        same_host: Bool,
        require_software_statement: Bool,
    }
    audit {
        retention_days: DaysOrNever(1..=36_500),
    }
    outbound {
        allow_private: Bool,
        ca_file: Text,
        timeout_seconds: Seconds(1..=60),
        max_bytes: Number(1024..=16_777_216),
    }
    token_hook {
        url: Text,
        secret: SecretText,
        secret_file: SecretFile,
        timeout_ms: Milliseconds(10..=10_000),
        on_failure: Choice("refuse or issue"),
        default: Bool,
        allow_private: Bool,
    }
    admin {
        listen: Text,
        token: SecretText,
        token_file: SecretFile,
    }
    ui {
        login_url: Text,
        consent_url: Text,
        default: Choice("own or external"),
    }
}
