//! The command line: the real program on a database of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{LONGEST, Watchdog, ended_by_itself, output_of, signal};

/// A directory that goes when the test ends.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("chancery-cli-{}", chancery::crypto::random::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// The program, with nothing of this process's own configuration.
    pub fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHANCERY_") {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.0).env("CHANCERY_DATA__DIRECTORY", self.data()).args(line);
        command.env("CHANCERY_PASSWORDS__MEMORY_KIB", "7168").env("CHANCERY_PASSWORDS__ITERATIONS", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, line: &[&str]) -> Output {
        output_of(&mut self.command(line))
    }

    fn run_with_input(&self, line: &[&str], input: &str) -> Output {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        ended_by_itself(child, LONGEST)
    }

    /// What a command that works says.
    pub fn text(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line:?}: {}", errors(&output));
        assert_eq!(errors(&output), "", "{line:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, line: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[line, &["--json"]].concat())).unwrap()
    }

    /// What a command that does not work complains of.
    pub fn refusal(&self, line: &[&str]) -> String {
        refusal(&self.run(line))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", errors(output));
    assert!(output.stdout.is_empty());
    errors(output)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A program that keeps running, ended by its process id.
struct Running {
    child: Child,
    _watchdog: Watchdog,
}

impl Running {
    fn new(child: Child) -> Self {
        Self { _watchdog: Watchdog::over(&child, LONGEST), child }
    }

    fn stop(mut self) -> Option<i32> {
        assert!(signal(self.child.id(), "-TERM"));
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_client_is_created_shown_listed_changed_and_deleted() {
    let place = Place::new();
    let create = ["client", "create", "--name", "My app", "--id", "my-app"];
    let created = place.json(&[&create[..], &["--redirect-uri", "https://app.example/cb"]].concat());
    assert_eq!(created["client_id"], "my-app");
    assert_eq!(created["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(created["response_types"], json!(["code"]));
    assert_eq!(created["scope"], "openid profile email offline_access");
    assert_eq!(created["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(created["client_secret_expires_at"], 0);
    let secret = created["client_secret"].as_str().unwrap();
    assert_eq!(secret.len(), 43);

    // Shown once, and kept as a digest only.
    assert!(!place.text(&["client", "show", "my-app", "--json"]).contains("client_secret\""));
    assert!(!place.text(&["client", "show", "my-app"]).contains(secret));
    for file in ["chancery.db", "chancery.db-wal"] {
        let bytes = fs::read(place.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }

    let changed = place.json(&["client", "update", "my-app", "--name", "New name", "--pkce", "optional"]);
    assert_eq!((&changed["client_name"], &changed["pkce"]), (&json!("New name"), &json!("optional")));
    assert_eq!(changed["redirect_uris"], json!(["https://app.example/cb"]));
    assert!(changed["client_secret"].is_null());

    let listed = place.json(&["client", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(place.text(&["client", "list"]).contains("New name"));
    assert!(place.text(&["client", "delete", "my-app"]).contains("deleted the client my-app (New name)"));
    assert!(place.refusal(&["client", "show", "my-app"]).contains("there is no client my-app"));
    assert!(place.text(&["client", "list"]).contains("there is no client"));
}

#[test]
fn a_machine_needs_no_redirect_uri_and_has_no_scope_of_a_person() {
    let created = Place::new().json(&[
        "client",
        "create",
        "--name",
        "Machine",
        "--grant-type",
        "client_credentials",
        "--access-token-alg",
        "EdDSA",
    ]);
    assert_eq!((&created["scope"], &created["response_types"]), (&json!(""), &Value::Null));
    assert_eq!(created["access_token_signed_response_alg"], "EdDSA");
    assert_eq!(created["client_id"].as_str().unwrap().len(), 22);
}

#[test]
fn every_problem_of_a_client_is_told_at_once() {
    let place = Place::new();
    let refusal = place.refusal(&[
        "client",
        "create",
        "--name",
        " ",
        "--id",
        "a b",
        "--redirect-uri",
        "http://app.example/cb",
        "--scope",
        "a\"b",
        "--id-token-alg",
        "PS256",
    ]);
    for member in ["client_id", "client_name", "redirect_uris", "scope", "id_token_signed_response_alg"] {
        assert!(refusal.contains(&format!("\n- {member}: ")), "{member}: {refusal}");
    }
    assert!(place.json(&["client", "list"]).as_array().unwrap().is_empty());
}

#[test]
fn an_id_is_taken_once() {
    let place = Place::new();
    let line = ["client", "create", "--name", "A", "--id", "a", "--redirect-uri", "https://a.example/cb"];
    place.json(&line);
    assert!(place.refusal(&line).contains("there is a client a already"));
}

#[test]
fn secrets_follow_rotation_and_the_change_between_public_and_confidential() {
    let place = Place::new();
    let line = ["client", "create", "--name", "A", "--id", "a", "--redirect-uri", "https://a.example/cb"];
    let first = place.json(&line)["client_secret"].clone();
    let second = place.json(&["client", "rotate-secret", "a", "--keep-old", "60"])["client_secret"].clone();
    assert!(first.is_string() && second.is_string() && first != second);

    let public = place.json(&["client", "update", "a", "--auth-method", "none"]);
    assert!(public["client_secret"].is_null());
    assert!(place.refusal(&["client", "rotate-secret", "a"]).contains("has no secret"));
    let confidential = place.json(&["client", "update", "a", "--auth-method", "client_secret_post"]);
    assert!(confidential["client_secret"].is_string() && confidential["client_secret"] != second);
}

#[test]
fn a_device_client_is_created_by_either_name_of_its_grant_type() {
    for name in ["device_code", "urn:ietf:params:oauth:grant-type:device_code"] {
        let line =
            ["client", "create", "--name", "TV", "--auth-method", "none", "--verification-uri-complete"];
        let created = Place::new().json(&[&line[..], &["--grant-type", name]].concat());
        assert_eq!(created["grant_types"], json!(["urn:ietf:params:oauth:grant-type:device_code"]));
        assert_eq!(
            (&created["verification_uri_complete"], &created["scope"]),
            (&json!(true), &json!("openid profile email"))
        );
        assert_eq!(created.get("response_types"), None);
    }
}

#[test]
fn a_user_is_created_found_by_mail_changed_and_deleted() {
    let place = Place::new();
    let created = place.json(&[
        "user",
        "create",
        "--username",
        "Ann",
        "--email",
        "ann@example.com",
        "--email-verified",
        "--given-name",
        "Ann",
        "--group",
        "staff",
        "--generate-password",
    ]);
    assert_eq!((&created["username"], &created["email_verified"]), (&json!("Ann"), &json!(true)));
    assert_eq!((&created["given_name"], &created["groups"]), (&json!("Ann"), &json!(["staff"])));
    assert!(created["password"].as_str().unwrap().len() >= 20);

    let shown = place.json(&["user", "show", "ANN@example.com"]);
    assert_eq!(shown["id"], created["id"]);
    assert!(shown["password"].is_null());
    assert_eq!(place.json(&["user", "disable", "ann"])["disabled"], true);
    assert_eq!(place.json(&["user", "enable", "ann"])["disabled"], false);

    let set = ["user", "set-password", "ann", "--password-stdin"];
    assert!(place.run_with_input(&set, "correct horse battery\n").status.success());
    assert!(refusal(&place.run_with_input(&set, "short\n")).contains("at least 8 characters"));
    assert!(refusal(&place.run_with_input(&set, "")).contains("no password"));

    assert!(place.text(&["user", "list"]).contains("ann@example.com"));
    assert!(place.text(&["user", "delete", "ann"]).starts_with("deleted Ann ("));
    assert!(place.refusal(&["user", "show", "ann"]).contains("there is no user ann"));
}

#[test]
fn every_problem_of_a_user_is_told_at_once_and_a_name_belongs_to_one() {
    let place = Place::new();
    let line = ["user", "create", "--username", "a b@c", "--email", "nothing", "--password-stdin"];
    let refusal = refusal(&place.run_with_input(&line, "short\n"));
    assert_eq!(refusal.matches("\n- ").count(), 4, "{refusal}");
    assert!(!refusal.contains("short"), "{refusal}");

    place.json(&["user", "create", "--username", "ann", "--generate-password"]);
    let again = place.refusal(&["user", "create", "--username", "ANN", "--generate-password"]);
    assert!(again.contains("belongs to somebody already"), "{again}");
}

#[test]
fn keys_are_next_until_they_are_current_and_the_master_key_is_private() {
    let place = Place::new();
    assert!(place.text(&["keys", "list"]).contains("no key yet"));
    assert!(!place.data().join("master.key").exists(), "listing needs no master key");
    place.text(&["keys", "rotate", "--alg", "ES256"]);
    assert_eq!(mode(&place.data().join("master.key")), 0o600);
    assert_eq!(mode(&place.data().join("chancery.db")), 0o600);
    assert_eq!(mode(&place.data()), 0o700);

    let states = |alg: &str| {
        let keys = place.json(&["keys", "list"]);
        let of = keys.as_array().unwrap().iter().filter(|key| key["alg"] == alg);
        of.map(|key| key["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states("ES256"), ["current", "next"]);
    assert_eq!(states("EdDSA"), ["current"]);
    place.text(&["keys", "rotate", "--alg", "EdDSA", "--now"]);
    assert_eq!(states("EdDSA"), ["retiring", "current"]);
    assert!(place.refusal(&["keys", "rotate", "--alg", "PS256"]).contains("keys.algorithms"));
    let table = place.text(&["keys", "list"]);
    assert!(table.starts_with("KID") && table.contains(" UTC"), "{table}");
}

#[test]
fn keys_are_not_rotated_under_another_master_key() {
    let place = Place::new();
    place.text(&["keys", "rotate", "--alg", "ES256"]);
    fs::remove_file(place.data().join("master.key")).unwrap();
    let refusal = place.refusal(&["keys", "rotate", "--alg", "ES256"]);
    assert!(refusal.contains("not sealed under this master key"), "{refusal}");
}

#[test]
fn the_configuration_is_checked_as_a_whole() {
    let place = Place::new();
    let mut check = place.command(&["check-config"]);
    check
        .env("CHANCERY_SERVER__ISSUER", "http://app.example")
        .env("CHANCERY_LOG__LEVEL", "loud")
        .env("CHANCERY_TOKENS__ID_TOKEN_SECONDS", "never");
    let output = output_of(&mut check);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("3 problems"), "{told}");
    for key in ["server.issuer", "log.level", "tokens.id_token_seconds"] {
        assert!(told.contains(&format!("- {key}: ")), "{told}");
    }
    assert!(place.text(&["check-config"]).ends_with("configuration is valid\n"));
    assert!(place.refusal(&["--config", "missing.toml", "client", "list"]).contains("missing.toml"));
}

#[test]
fn postgres_without_a_master_key_is_refused_before_it_is_asked() {
    let place = Place::new();
    let url = "postgres://chancery:hunter2@localhost:1/chancery";
    let output = output_of(place.command(&["serve"]).env("CHANCERY_DATABASE__URL", url));
    let refusal = refusal(&output);
    assert!(refusal.contains("secrets.master_key: it is not set"), "{refusal}");
    assert!(!refusal.contains("hunter2"));
}

#[test]
fn a_schema_that_may_not_be_migrated_has_to_be_there() {
    let place = Place::new();
    for line in [&["serve"][..], &["client", "list"]] {
        let output = output_of(place.command(line).env("CHANCERY_DATABASE__MIGRATE_ON_START", "false"));
        assert!(errors(&output).contains("run `chancery migrate` first"), "{}", errors(&output));
        assert_eq!(output.status.code(), Some(1));
    }
    assert_eq!(place.text(&["migrate"]), "the database is up to date\n");
    let list =
        output_of(place.command(&["client", "list"]).env("CHANCERY_DATABASE__MIGRATE_ON_START", "false"));
    assert!(list.status.success());
}

/// A free address that stays free: the other tests, which take any port all the time, listen on 127.0.0.1.
fn listener_of_its_own(last: u8) -> std::net::TcpListener {
    std::net::TcpListener::bind(std::net::SocketAddr::from(([127, 0, 0, last], 0))).unwrap()
}

#[test]
fn serve_answers_until_it_is_told_to_stop() {
    let place = Place::new();
    let listener = listener_of_its_own(2);
    let address = listener.local_addr().unwrap().to_string();
    let taken = output_of(place.command(&["serve"]).env("CHANCERY_SERVER__LISTEN", &address));
    assert!(errors(&taken).contains(&format!("server.listen: {address}: ")), "{}", errors(&taken));
    drop(listener);

    place.json(&[
        "client",
        "create",
        "--name",
        "Old",
        "--profile",
        "ilert",
        "--redirect-uri",
        "https://old.example/cb",
    ]);
    let mut child = place.command(&["serve"]).env("CHANCERY_SERVER__LISTEN", &address).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let running = Running::new(child);
    let warned = log.find(|line| line.contains("a client weakens a default")).expect("a warning");
    assert!(warned.contains("ilert") && warned.contains("PKCE optional"), "{warned}");
    let told = log.find(|line| line.contains("listening")).expect("a line that says so");
    assert!(told.contains(&address) && told.contains("SQLite") && told.contains("http://localhost:8080"));
    let health = || output_of(place.command(&["healthcheck"]).env("CHANCERY_SERVER__LISTEN", &address));
    // It gives up after three seconds, which is not much on a busy machine.
    let healthy = (0..5).any(|_| health().status.success());
    assert!(healthy, "{}", errors(&health()));
    assert_eq!(running.stop(), Some(0));
    assert_eq!(health().status.code(), Some(1));
}

#[test]
fn serve_has_an_admin_listener_beside_the_public_one_and_ends_both() {
    let place = Place::new();
    let listeners = [listener_of_its_own(3), listener_of_its_own(3)];
    let [public, admin] = listeners.map(|listener| listener.local_addr().unwrap().to_string());
    let mut serve = place.command(&["serve"]);
    serve.env("CHANCERY_SERVER__LISTEN", &public).env("CHANCERY_ADMIN__LISTEN", &admin);
    let mut child = serve.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let running = Running::new(child);
    let told: Vec<String> = log.by_ref().filter(|line| line.contains("listening")).take(2).collect();
    assert!(told[0].contains(&public) && told[1].contains(&admin), "{told:?}");
    let ask = |address: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        let path = "/oauth2/auth/requests/login?login_challenge=x";
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask(&admin).contains("No request waits under this challenge"));
    assert!(ask(&public).contains("text/html"), "a page that says 404");
    assert_eq!(running.stop(), Some(0));
    assert!(std::net::TcpStream::connect(&admin).is_err());
}

#[test]
fn a_client_uses_external_pages_only_where_there_are_some() {
    let place = Place::new();
    let line =
        ["client", "create", "--name", "A", "--redirect-uri", "https://a.example/cb", "--ui", "external"];
    assert!(place.refusal(&line).contains("ui.login_url"));
    let mut command = place.command(&[&line[..], &["--json"]].concat());
    command
        .env("CHANCERY_UI__LOGIN_URL", "https://l.example")
        .env("CHANCERY_UI__CONSENT_URL", "https://c.example");
    let output = output_of(command.env("CHANCERY_ADMIN__LISTEN", "127.0.0.1:8090"));
    let client: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(client["ui"], "external");
    let id = client["client_id"].as_str().unwrap();
    assert_eq!(place.json(&["client", "update", id, "--ui", "own"])["ui"], "own");
}

#[test]
fn try_says_where_to_go_and_keeps_the_password() {
    let place = Place::new();
    let start = || {
        let line = ["try", "--json", "--port", "0", "--demo-port", "0"];
        let mut child = place.command(&line).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let running = Running::new(child);
        let told: Value = serde_json::from_str(&out.next().unwrap().unwrap()).unwrap();
        (running, told)
    };
    let (running, first) = start();
    assert_eq!(first["username"], "demo");
    assert!(first["demo_url"].as_str().unwrap().starts_with("http://localhost:"));
    assert_eq!(mode(&place.data().join("demo.json")), 0o600);
    assert_eq!(running.stop(), Some(0));
    let (running, second) = start();
    assert_eq!(second["password"], first["password"]);
    assert_eq!(running.stop(), Some(0));
    let ids: Vec<Value> = place.json(&["client", "list"]).as_array().unwrap().clone();
    let mut ids: Vec<&str> = ids.iter().map(|client| client["client_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["demo-app", "demo-machine", "demo-spa"]);
}

#[test]
fn try_leaves_a_database_in_use_alone() {
    let place = Place::new();
    place.text(&["user", "create", "--username", "ann", "--generate-password"]);
    let output = place.run(&["try", "--port", "0", "--demo-port", "0"]);
    assert!(refusal(&output).contains("the database is in use"));
    assert_eq!(place.json(&["user", "list"]).as_array().unwrap().len(), 1);
}
