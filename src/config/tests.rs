//! The rules of the settings as a whole.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::model::Algorithm;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A file that is gone with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("chancery-config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, Problems> {
    let file = Temporary::new(file);
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Settings::load(Some(&file.0), environment)
}

fn keys_of(problems: Problems) -> Vec<String> {
    problems.0.into_iter().map(|problem| problem.key).collect()
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let settings = Settings::load(None, []).unwrap();
    assert_eq!(settings.server.issuer.as_str(), "http://localhost:8080");
    assert_eq!(settings.tokens.refresh_token_seconds, Some(7_776_000));
    assert_eq!(settings.tokens.id_token_alg, Algorithm::RS256);
    assert!(settings.database.url.is_sqlite());
    assert_eq!(settings.keys.algorithms, [Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA]);
    assert_eq!(settings.warnings().len(), 1, "plain http is the only warning: {:?}", settings.warnings());
}

#[test]
fn every_key_of_the_default_file_is_read_and_every_key_read_is_in_it() {
    let layers = Layers::collect(None, [], &mut Vec::new());
    let documented: BTreeSet<String> = layers.keys().map(str::to_owned).collect();
    let mut reader = Reader::new(layers, Vec::new());
    assert!(Settings::read(&mut reader, true).is_some(), "{:?}", reader.problems);
    assert_eq!(reader.read, documented);
}

#[test]
fn every_key_of_the_default_file_has_its_sentence() {
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].contains(" = ") && !pair[1].starts_with('#') {
            assert!(pair[0].starts_with("# "), "no comment above `{}`", pair[1]);
        }
    }
}

#[test]
fn the_file_overrides_the_defaults_and_the_environment_overrides_the_file() {
    let file = "[server]\nlisten = \"0.0.0.0:9000\"\nmax_connections = 5\n";
    let settings = load(file, &[("CHANCERY_SERVER__MAX_CONNECTIONS", "7")]).unwrap();
    assert_eq!(settings.server.listen.port(), 9000);
    assert_eq!(settings.server.limits.max_connections, 7);
}

#[test]
fn the_environment_gives_numbers_booleans_and_lists() {
    let settings = load(
        "",
        &[
            ("CHANCERY_TOKENS__REFRESH_TOKEN_SECONDS", "-1"),
            ("CHANCERY_DATABASE__MIGRATE_ON_START", "false"),
            ("CHANCERY_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
            ("CHANCERY_KEYS__ALGORITHMS", r#"["ES256", "RS256"]"#),
            ("CHANCERY_SERVER__REQUEST_TIMEOUT_SECONDS", " 12 "),
        ],
    )
    .unwrap();
    assert_eq!(settings.tokens.refresh_token_seconds, None);
    assert!(!settings.database.migrate_on_start);
    assert_eq!(settings.server.trusted_proxies.networks().len(), 2);
    assert_eq!(settings.keys.algorithms, [Algorithm::ES256, Algorithm::RS256]);
    assert_eq!(settings.server.request_timeout, Duration::from_secs(12));
    assert!(load("", &[("CHANCERY_SERVER__TRUSTED_PROXIES", "")]).is_ok());
}

#[test]
fn what_has_ended_is_kept_while_its_form_may_be_sent_again() {
    let kept = |seconds| load("", &[("CHANCERY_DATABASE__ENDED_KEPT_SECONDS", seconds)]);
    assert_eq!(kept("1800").unwrap().database.ended_kept_seconds, 1800);
    assert_eq!(keys_of(kept("1799").unwrap_err()), ["database.ended_kept_seconds"]);
}

#[test]
fn unknown_keys_are_refused_with_the_one_that_was_meant() {
    let file = "[server]\nisuer = \"https://a.example\"\n[tokns]\nx = 1\n";
    let problems = load(file, &[("CHANCERY_TOKENS__ID_TOKEN_SECOND", "1")]).unwrap_err();
    let remedies: Vec<_> = problems.0.iter().map(|p| (p.key.as_str(), p.remedy.as_str())).collect();
    assert!(remedies.contains(&("server.isuer", "did you mean server.issuer?")), "{remedies:?}");
    assert!(remedies.iter().any(|(key, _)| *key == "tokns.x"));
    let variable = "CHANCERY_TOKENS__ID_TOKEN_SECOND";
    assert!(remedies.contains(&(variable, "did you mean CHANCERY_TOKENS__ID_TOKEN_SECONDS?")));
    assert_eq!(problems.0.len(), 3);
}

#[test]
fn a_section_written_as_a_value_is_refused() {
    assert_eq!(keys_of(load("server = 5", &[]).unwrap_err()), ["server"]);
    assert_eq!(keys_of(load("", &[("CHANCERY_SERVER", "x")]).unwrap_err()), ["CHANCERY_SERVER"]);
}

#[test]
fn variables_that_are_not_settings_are_left_alone() {
    let others = [
        ("CHANCERY_CONFIG", "x.toml"),
        ("CHANCERY_TEST_POSTGRES_URL", "postgres://x"),
        ("CHANCERY_SERVICE_HOST", "10.0.0.1"),
        ("CHANCERY_SERVICE_PORT_HTTP", "80"),
        ("CHANCERY_PORT", "tcp://10.0.0.1:80"),
        ("CHANCERY_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PATH", "/bin"),
    ];
    assert!(load("", &others).is_ok());
}

#[test]
fn all_problems_are_reported_at_once() {
    let file = r##"
        [server]
        issuer = "http://id.example.com"
        listen = "8080"
        trusted_proxies = ["10.0.0.1/8", 5]
        max_header_bytes = 100
        [tokens]
        access_token_seconds = "soon"
        refresh_token_idle_seconds = -2
        access_token_alg = "HS256"
        id_token_alg = "PS256"
        [branding]
        accent = "red"
        support_url = "javascript:alert(1)"
        [log]
        format = "xml"
        [database]
        migrate_on_start = 1
    "##;
    let mut keys = keys_of(load(file, &[("CHANCERY_PASSWORDS__QUEUE", "many")]).unwrap_err());
    keys.sort();
    let expected = [
        "branding.accent",
        "branding.support_url",
        "database.migrate_on_start",
        "log.format",
        "passwords.queue",
        "server.issuer",
        "server.listen",
        "server.max_header_bytes",
        "server.trusted_proxies",
        "tokens.access_token_alg",
        "tokens.access_token_seconds",
        "tokens.id_token_alg",
        "tokens.refresh_token_idle_seconds",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn problems_name_key_variable_and_remedy() {
    let problems = load("", &[("CHANCERY_PASSWORDS__QUEUE", "many")]).unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("1 problem:"), "{text}");
    assert!(text.contains("passwords.queue: it is not a whole number (set by CHANCERY_PASSWORDS__QUEUE)"));
    assert!(text.contains("give a whole number from 1 to 10000"));
}

#[test]
fn broken_toml_is_located_without_quoting_the_line() {
    let problems = load("[secrets]\nmaster_key = \"hunter2\n", &[]).unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("line 2") && !text.contains("hunter2"), "{text}");
    assert_eq!(Settings::load(Some(Path::new("no/such/file")), []).unwrap_err().0.len(), 1);
}

#[test]
fn a_secret_comes_from_its_file_trimmed() {
    let (key, url) = (Temporary::new(&format!("  {KEY}\n\n")), Temporary::new("postgres://u:p@db/x\n"));
    let environment =
        [("CHANCERY_SECRETS__MASTER_KEY_FILE", key.path()), ("CHANCERY_DATABASE__URL_FILE", url.path())];
    let settings = load("", &environment).unwrap();
    assert!(matches!(&settings.secrets.master_key, MasterKey::Given(secret) if secret.expose() == KEY));
    let DatabaseUrl::Postgres { url } = &settings.database.url else { unreachable!() };
    assert_eq!(url.expose(), "postgres://u:p@db/x");
    let shown = format!("{settings:?}");
    assert!(!shown.contains(KEY) && !shown.contains("u:p"), "{shown}");
}

#[test]
fn a_secret_and_its_file_in_one_source_are_a_contradiction_but_a_higher_source_wins() {
    let file = Temporary::new(KEY);
    let text = format!("[secrets]\nmaster_key = \"{KEY}\"\nmaster_key_file = \"{}\"\n", file.path());
    assert_eq!(keys_of(load(&text, &[]).unwrap_err()), ["secrets.master_key"]);
    let text = "[secrets]\nmaster_key = \"wrong\"\n";
    assert!(load(text, &[("CHANCERY_SECRETS__MASTER_KEY_FILE", file.path())]).is_ok());
    let problems = load("", &[("CHANCERY_SECRETS__MASTER_KEY_FILE", "no/such/file")]).unwrap_err();
    assert_eq!(keys_of(problems), ["secrets.master_key_file"]);
}

#[test]
fn the_master_key_comes_from_one_source() {
    let file = Temporary::new(KEY);
    let command = ("CHANCERY_SECRETS__MASTER_KEY_COMMAND", r#"["/usr/bin/unseal", "a, b"]"#);
    let settings = load("", &[command]).unwrap();
    let MasterKey::Command(words) = &settings.secrets.master_key else { unreachable!() };
    assert_eq!(words, &["/usr/bin/unseal", "a, b"]);
    let settings = load("[secrets]\nmaster_key_socket = \"/run/unseal\"\n", &[]).unwrap();
    assert!(
        matches!(&settings.secrets.master_key, MasterKey::Socket(path) if path == Path::new("/run/unseal"))
    );
    let socket = ("CHANCERY_SECRETS__MASTER_KEY_SOCKET", "/run/unseal");
    let key = ("CHANCERY_SECRETS__MASTER_KEY", KEY);
    let key_file = ("CHANCERY_SECRETS__MASTER_KEY_FILE", file.path());
    for (pair, named) in [
        ([command, socket], "secrets.master_key_command is set as well"),
        ([command, key], "secrets.master_key is set as well"),
        ([socket, key_file], "secrets.master_key_file is set as well"),
    ] {
        let problems = load("", &pair).unwrap_err().to_string();
        assert!(problems.contains(named) && problems.contains("keep one of"), "{problems}");
    }
    for wrong in [r#"["unseal"]"#, "/usr/bin/unseal now", "[1]"] {
        let problems = load("", &[("CHANCERY_SECRETS__MASTER_KEY_COMMAND", wrong)]).unwrap_err();
        assert_eq!(keys_of(problems), ["secrets.master_key_command"], "{wrong}");
    }
}

#[test]
fn previous_master_keys_come_from_texts_and_files() {
    let (file, other) = (Temporary::new(&format!("{KEY}\n")), "A".repeat(43) + "=");
    let environment = [
        ("CHANCERY_SECRETS__PREVIOUS_MASTER_KEYS", other.as_str()),
        ("CHANCERY_SECRETS__PREVIOUS_MASTER_KEY_FILES", file.path()),
    ];
    let settings = load("", &environment).unwrap();
    let previous: Vec<_> = settings.secrets.previous_master_keys.iter().map(Secret::expose).collect();
    assert_eq!(previous, [other.as_str(), KEY]);
    assert!(
        settings.warnings().iter().any(|warning| warning.starts_with("secrets.previous_master_keys is set"))
    );
    assert!(!format!("{settings:?}").contains(KEY));
    let problems = load("", &[("CHANCERY_SECRETS__PREVIOUS_MASTER_KEYS", "hunter2")]).unwrap_err();
    assert!(!problems.to_string().contains("hunter2"));
    assert_eq!(keys_of(problems), ["secrets.previous_master_keys"]);
    let problems = load("", &[("CHANCERY_SECRETS__PREVIOUS_MASTER_KEY_FILES", "no/such/file")]).unwrap_err();
    assert_eq!(keys_of(problems), ["secrets.previous_master_key_files"]);
}

#[test]
fn postgres_needs_a_master_key_that_sqlite_makes() {
    let postgres = [("CHANCERY_DATABASE__URL", "postgres://u:p@db/x")];
    assert_eq!(keys_of(load("", &postgres).unwrap_err()), ["secrets.master_key"]);
    let settings = load("[data]\ndirectory = \"no/such/directory\"\n", &[]).unwrap();
    let MasterKey::MakeFile(path) = &settings.secrets.master_key else { unreachable!() };
    assert_eq!(path, Path::new("no/such/directory/master.key"));
}

#[test]
fn weaker_choices_are_told() {
    let file = r#"
        [server]
        issuer = "https://id.example.com"
        trusted_proxies = ["0.0.0.0/0"]
        [tokens]
        refresh_token_seconds = -1
        refresh_token_idle_seconds = -1
        authorization_code_seconds = 600
        access_token_seconds = 172800
        [passwords]
        iterations = 1
        [log]
        level = "debug"
        [outbound]
        allow_private = true
    "#;
    let warnings = load(file, &[]).unwrap().warnings();
    assert_eq!(warnings.len(), 7, "{warnings:?}");
}

#[test]
fn an_admin_listener_that_others_can_reach_needs_a_long_token() {
    let token = "0123456789abcdef0123456789abcdef";
    let load = |listen: &str, token: &str| {
        load("", &[("CHANCERY_ADMIN__LISTEN", listen), ("CHANCERY_ADMIN__TOKEN", token)])
    };
    for (listen, token) in [("", ""), ("127.0.0.1:8090", ""), ("[::1]:8090", ""), ("0.0.0.0:8090", token)] {
        assert!(load(listen, token).is_ok(), "{listen} {token}");
    }
    for (listen, token) in [("0.0.0.0:8090", ""), ("10.0.0.1:1", "short"), ("127.0.0.1:1", &token[1..])] {
        assert_eq!(keys_of(load(listen, token).unwrap_err()), ["admin.token"], "{listen} {token}");
    }
    assert_eq!(keys_of(load("8090", token).unwrap_err()), ["admin.listen"]);
    let settings = load("127.0.0.1:8090", token).unwrap();
    assert!(!format!("{settings:?}").contains(token));
}

#[test]
fn external_pages_are_two_https_pages_and_need_the_admin_listener() {
    let load = |login: &str, consent: &str, listen: &str, default: &str| {
        let ui = [("LOGIN_URL", login), ("CONSENT_URL", consent), ("DEFAULT", default)];
        let mut environment: Vec<(String, String)> =
            ui.iter().map(|(key, value)| (format!("CHANCERY_UI__{key}"), (*value).to_owned())).collect();
        environment.push(("CHANCERY_ADMIN__LISTEN".to_owned(), listen.to_owned()));
        Settings::load(None, environment)
    };
    let (login, consent, listen) =
        ("https://a.example/login", "http://localhost:3000/consent", "127.0.0.1:8090");
    for default in ["own", "external"] {
        assert!(load(login, consent, listen, default).is_ok());
    }
    for (refused, key) in [
        (load(login, "", listen, "own"), "ui.consent_url"),
        (load("", consent, listen, "own"), "ui.login_url"),
        (load("http://a.example/login", consent, listen, "own"), "ui.login_url"),
        (load(login, "https://a.example/#x", listen, "own"), "ui.consent_url"),
        (load(login, consent, "", "own"), "ui.login_url"),
        (load("", "", listen, "external"), "ui.default"),
        (load(login, consent, listen, "theirs"), "ui.default"),
    ] {
        assert_eq!(keys_of(refused.unwrap_err()), [key]);
    }
}

#[test]
fn a_key_is_replaced_after_it_began_to_sign_or_never() {
    let load = |every: &str| load("", &[("CHANCERY_KEYS__ROTATE_EVERY_SECONDS", every)]);
    assert_eq!(load("3601").unwrap().keys.rotate_every_seconds, Some(3601));
    assert_eq!(load("-1").unwrap().keys.rotate_every_seconds, None);
    for every in ["3600", "0", "-2"] {
        assert_eq!(keys_of(load(every).unwrap_err()), ["keys.rotate_every_seconds"], "{every}");
    }
}

#[test]
fn tls_needs_both_files_and_an_issuer_with_https() {
    let issuer = ("CHANCERY_SERVER__ISSUER", "https://id.example.com");
    let certificate = ("CHANCERY_SERVER__TLS_CERTIFICATE_FILE", "/a.pem");
    let key = ("CHANCERY_SERVER__TLS_KEY_FILE", "/a.key");
    let tls = load("", &[issuer, certificate, key]).unwrap().server.tls.unwrap();
    assert_eq!((tls.certificate_file.to_str(), tls.key_file.to_str()), (Some("/a.pem"), Some("/a.key")));
    assert!(load("", &[issuer]).unwrap().server.tls.is_none());
    assert_eq!(keys_of(load("", &[issuer, certificate]).unwrap_err()), ["server.tls_key_file"]);
    assert_eq!(keys_of(load("", &[issuer, key]).unwrap_err()), ["server.tls_certificate_file"]);
    assert_eq!(keys_of(load("", &[certificate, key]).unwrap_err()), ["server.tls_certificate_file"]);
}
