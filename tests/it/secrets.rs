//! The master key and the data keys are replaced (docs/adr/0054), and what was made before goes on counting or does not, as
//! was asked for.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chancery::audit::{Actor, Audit};
use chancery::crypto::handle::{self, Handle, Purpose};
use chancery::crypto::master_key::MasterKey;
use chancery::keys::{self, Keeper};
use chancery::model::{Algorithm, Secret};
use serde_json::{Value, json};

use crate::device::{device_client, poll, start as start_device, type_code};
use crate::support::{
    CLIENT_ASSERTION, Database, Deployment, Kind, OPEN, Process, Registration, Signer, TestServer, claims_of,
    on_both, output, program, query_of, text,
};

/// The cookie that scripts compare.
const STATE: &str = "__Host-state";
const OLD: &str = "SECRETS__MASTER_KEY";

/// What was made before, each thing that a key is behind.
struct Before {
    deployment: Deployment,
    new: String,
    opaque: Registration,
    hmac: Registration,
    pairwise: Registration,
    device: Registration,
    refresh: String,
    access: String,
    jwt: String,
    /// A token of a client for itself.
    lone: String,
    code: String,
    started: Value,
    registered: Value,
    subject: String,
    cookies: BTreeMap<String, String>,
}

impl Before {
    async fn make(kind: Kind) -> Self {
        let deployment =
            Deployment::prepare_with(kind, &[OPEN, ("TOKENS__AUTHORIZATION_CODE_SECONDS", "600")]).await;
        let (server, client) = (&deployment.pages, &deployment.client);
        let opaque = server.client(json!({"token_format": "opaque"})).await;
        let hmac = server.client(json!({"token_endpoint_auth_method": "client_secret_jwt"})).await;
        let sector = "https://one.example/uris";
        let pairwise =
            server.client(json!({"subject_type": "pairwise", "sector_identifier_uri": sector})).await;
        let device = device_client(server, json!({})).await;
        let mut browser = server.browser();
        let answer = browser.authorize_as(&server.authorization(client, &[]), "ada").await;
        let code = query_of(answer.location(), "code").unwrap();
        let tokens = server.tokens(&opaque, "ada").await;
        let of_pairwise = server.tokens(&pairwise, "ada").await;
        Self {
            refresh: text(&tokens, "refresh_token"),
            access: text(&tokens, "access_token"),
            jwt: text(&deployment.tokens().await, "access_token"),
            lone: server.client_token(client, "read").await,
            started: start_device(server, &device).await,
            registered: server.register(json!({})).await.json(),
            subject: text(&claims_of(&text(&of_pairwise, "id_token")), "sub"),
            cookies: browser.cookies.clone(),
            new: MasterKey::generate().expose().to_owned(),
            opaque,
            hmac,
            pairwise,
            device,
            code,
            deployment,
        }
    }

    fn pages(&self) -> &TestServer {
        &self.deployment.pages
    }

    /// The settings with the new key, and with the old one as well.
    fn both(&self) -> Vec<(String, String)> {
        let old = self.pages().environment_of(OLD);
        self.deployment.with(&[(OLD, &self.new), ("SECRETS__PREVIOUS_MASTER_KEYS", &old)])
    }

    async fn with_the_new_key_alone(&self) -> TestServer {
        self.pages().replica_with(&[(OLD, &self.new)]).await
    }

    async fn rotate(&self, line: &[&str]) -> Value {
        let line = [&["secrets", "rotate", "--json"], line].concat();
        let output = run(&self.both(), &line).await;
        assert!(output.0, "{}", output.2);
        serde_json::from_str(&output.1).unwrap()
    }

    async fn signs_in(&self, server: &TestServer) -> bool {
        let mut browser = server.browser();
        browser.cookies.clone_from(&self.cookies);
        let answer = browser.get(&server.authorization(&self.deployment.client, &[("prompt", "none")])).await;
        let (state, before) = (browser.cookies.get(STATE), self.cookies.get(STATE));
        assert!(state.is_some() && state == before, "applications would take the user for gone");
        query_of(answer.location(), "code").is_some()
    }

    async fn authenticates_by_hmac(&self, server: &TestServer) -> bool {
        let signer = Signer::of_secret("HS256", self.hmac.secret.as_bytes());
        let claims = server.assertion_claims(&self.hmac.id, &self.hmac.id, json!({}));
        let (assertion, kind) = (signer.sign(&claims), CLIENT_ASSERTION);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", kind),
            ("client_assertion", &assertion),
        ];
        server.post("/token", &[], &form).await.status == 200
    }

    async fn pairwise_subject(&self, server: &TestServer) -> String {
        text(&claims_of(&text(&server.tokens(&self.pairwise, "ada").await, "id_token")), "sub")
    }

    async fn manages_its_registration(&self, server: &TestServer) -> bool {
        server.manage(axum::http::Method::GET, &self.registered, &Value::Null).await.status == 200
    }

    /// What changes never, unless everything of all users is ended.
    async fn assert_kept(&self, server: &TestServer) {
        assert!(server.is_active(&self.deployment.client, &self.jwt).await, "what a signing key signed");
        self.assert_lasts(server).await;
    }

    /// What changes never, whatever is replaced.
    async fn assert_lasts(&self, server: &TestServer) {
        assert!(self.authenticates_by_hmac(server).await, "the sealed secret of a client");
        assert_eq!(self.pairwise_subject(server).await, self.subject);
        assert!(server.is_active(&self.deployment.client, &self.lone).await, "what a signing key signed");
        server.audit_log().await;
        let verified = server.verify_audit_log(None).await.unwrap();
        assert!(verified.entries > 10 && verified.waiting == 0, "{verified:?}");
    }

    /// Everything that was handed out still counts.
    async fn assert_all_counts(&self, server: &TestServer) {
        self.assert_kept(server).await;
        assert!(server.is_active(&self.opaque, &self.access).await, "an opaque token");
        assert!(self.signs_in(server).await, "the cookie of a session");
        assert_eq!(server.refresh(&self.opaque, &self.refresh).await.status, 200);
        assert_eq!(server.redeem(&self.deployment.client, &self.code).await.status, 200);
        assert!(self.manages_its_registration(server).await);
        let mut browser = server.browser();
        browser.cookies.clone_from(&self.cookies);
        let page = type_code(&mut browser, "ada", &text(&self.started, "user_code")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(crate::device::decide(&mut browser, &page, "allow").await.status, 200);
        let polled = poll(server, &self.device, &self.started).await;
        assert_eq!(polled.status, 200, "{polled:?}");
    }
}

/// Whether it succeeded, what it printed, and what it complained of.
async fn run(environment: &[(String, String)], line: &[&str]) -> (bool, String, String) {
    let output = output(program(environment, line)).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

on_both! {
    async fn another_master_key_seals_what_there_is_and_everything_counts(kind: Kind) {
        let before = Before::make(kind).await;
        assert_eq!(before.rotate(&[]).await["sealed_again"]["data_keys"], 1);
        assert_eq!(before.rotate(&[]).await["sealed_again"]["data_keys"], 0, "nothing is left to do");
        before.assert_all_counts(&before.with_the_new_key_alone().await).await;
        // A process that has the old key alone goes on, and is refused when it starts.
        before.assert_kept(before.pages()).await;
        before.pages().app.reload_keys().await.unwrap();
        before.assert_kept(before.pages()).await;
        for line in [&["serve"][..], &["audit", "verify"], &["keys", "rotate"]] {
            let (good, _, said) = run(&before.pages().environment, line).await;
            assert!(!good && said.contains("data key 1 in the database was not sealed under this master key"), "{said}");
        }
    }

    async fn another_data_key_makes_everything_from_now_on_and_what_was_made_before_counts(kind: Kind) {
        let before = Before::make(kind).await;
        let replica = before.pages().replica_with(&[
            (OLD, &before.new), ("SECRETS__PREVIOUS_MASTER_KEYS", &before.pages().environment_of(OLD)),
        ]).await;
        let done = before.rotate(&["--data-key", "--wait", "1"]).await;
        let again = &done["sealed_again"];
        assert!(again["signing_keys"] == 2 && again["clients"].as_i64() >= Some(1) && done["ended"] == json!([]), "{done}");
        replica.app.reload_keys().await.unwrap();
        let server = before.with_the_new_key_alone().await;
        assert_eq!((server.app.master_key.current_number(), replica.app.master_key.current_number()), (2, 2));
        let client = &before.deployment.client;
        for (one, other) in [(&server, &replica), (&replica, &server)] {
            let tokens = one.tokens(client, "ada").await;
            assert_eq!(other.refresh(client, &text(&tokens, "refresh_token")).await.status, 200);
            assert!(other.is_active(&before.opaque, &text(&one.tokens(&before.opaque, "ada").await, "access_token")).await);
        }
        before.assert_all_counts(&server).await;
    }

    async fn everything_lets_nothing_count_but_what_lasts(kind: Kind) {
        let before = Before::make(kind).await;
        let done = before.rotate(&["--everything", "--wait", "1"]).await;
        assert_eq!(done["ended"], json!([1]));
        let server = before.with_the_new_key_alone().await;
        before.assert_lasts(&server).await;
        assert!(!server.is_active(&before.deployment.client, &before.jwt).await, "a token of a grant");
        assert!(!server.is_active(&before.opaque, &before.access).await, "an opaque token");
        assert!(!before.signs_in(&server).await, "the cookie of a session");
        server.refresh(&before.opaque, &before.refresh).await.assert_error(400, "invalid_grant");
        server.redeem(&before.deployment.client, &before.code).await.assert_error(400, "invalid_grant");
        assert!(!before.manages_its_registration(&server).await);
        poll(&server, &before.device, &before.started).await.assert_error(400, "invalid_grant");
        let tokens = server.tokens(&before.opaque, "ada").await;
        assert_eq!(server.refresh(&before.opaque, &text(&tokens, "refresh_token")).await.status, 200);
    }

    async fn everything_ends_what_users_had_and_tells_the_applications(kind: Kind) {
        let before = Before::make(kind).await;
        let (server, client) = (before.pages(), &before.deployment.client);
        server.change_client(client, json!({"backchannel_logout_uri": "https://app.example/logout"})).await;
        let tokens = before.deployment.tokens().await;
        // More than a batch of users who have a session, and one who has nothing.
        server.user("nobody").await;
        server.sql("INSERT INTO users (id, username, username_key, email_verified, phone_number_verified, profile, groups, \
            disabled, created_at, updated_at) SELECT 'many-' || number, 'many-' || number, 'many-' || number, FALSE, FALSE, '{}', '[]', \
            FALSE, 0, 0 FROM (WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < 450) \
            SELECT number FROM n) many").await;
        server.sql("INSERT INTO sessions (id, user_id, salt, auth_time, amr, created_at, last_seen_at, expires_at, \
            user_agent, address) SELECT 'session-' || id, id, '', 0, 'pwd', 0, 0, 4000000000, '', '' FROM users \
            WHERE id LIKE 'many-%'").await;
        let done = before.rotate(&["--everything", "--wait", "1"]).await;
        assert_eq!(done["users_ended"], 451, "{done}");
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state <> 'revoked'").await, 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM consents").await, 0);
        let waiting = server.number("SELECT COUNT(*) FROM logout_deliveries WHERE state = 'waiting'").await;
        assert!(waiting >= 1, "applications are going to be told");
        let after = before.with_the_new_key_alone().await;
        assert!(!after.is_active(client, &text(&tokens, "access_token")).await, "the grant of a JWT has ended");
        let told = after.audit_log().await;
        let ended = told.iter().filter(|entry| entry["event"] == "user.signed_out" && entry["ended"] == "everything");
        assert_eq!(ended.count(), 451);
        // Done again it ends what there is since.
        let tokens = after.tokens(client, "ada").await;
        assert_eq!(before.rotate(&["--everything", "--wait", "1"]).await["users_ended"], 1);
        assert!(!after.is_active(client, &text(&tokens, "access_token")).await);
    }

    async fn whoever_has_the_ended_data_key_changes_no_old_entry_unnoticed(kind: Kind) {
        let before = Before::make(kind).await;
        before.rotate(&["--everything", "--wait", "1"]).await;
        let server = before.with_the_new_key_alone().await;
        server.audit_log().await;
        assert!(server.verify_audit_log(None).await.is_ok());
        // The end of the log, marked anew with the key of before, as its thief can.
        let thief = before.pages();
        let marks = thief.app.storage.audit_marks().await.unwrap();
        let tag = thief.app.master_key.tagged_by(0, &[b"audit head"], |_| true);
        assert_eq!((tag, marks.head.number > 0), (Some(1), true));
        server.sql("UPDATE audit_log SET body = '{}' WHERE number = 1").await;
        assert!(server.verify_audit_log(None).await.is_err());
    }

    async fn a_rotation_that_is_killed_at_any_moment_is_gone_on_with(kind: Kind) {
        let before = Before::make(kind).await;
        for _ in 0..450 {
            before.pages().client(json!({"token_endpoint_auth_method": "client_secret_jwt"})).await;
        }
        for after in [60, 400, 1100, 1250, 1400] {
            let mut command = program(&before.both(), &["secrets", "rotate", "--data-key", "--wait", "1"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(after)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            let server = before.pages().replica_with(&[
                (OLD, &before.new), ("SECRETS__PREVIOUS_MASTER_KEYS", &before.pages().environment_of(OLD)),
            ]).await;
            before.assert_kept(&server).await;
        }
        before.rotate(&["--wait", "1"]).await;
        let done = before.rotate(&[]).await;
        assert_eq!(done["sealed_again"], json!({"data_keys": 0, "signing_keys": 0, "clients": 0}));
        before.assert_all_counts(&before.with_the_new_key_alone().await).await;
    }

    async fn two_processes_under_load_notice_nothing_of_a_rotation(kind: Kind) {
        let before = Before::make(kind).await;
        let environment = before.both();
        let (one, two) = tokio::join!(Process::start(&environment), Process::start(&environment));
        let processes = [Arc::new(one), Arc::new(two)];
        let (stop, client) = (Arc::new(AtomicBool::new(false)), Arc::clone(&before.deployment.client));
        let mut tasks = Vec::new();
        for number in 0..4 {
            let mut token = text(&before.deployment.tokens().await, "refresh_token");
            let (stop, client, processes) = (Arc::clone(&stop), Arc::clone(&client), processes.clone());
            let opaque = before.opaque.clone();
            tasks.push(tokio::spawn(async move {
                let mut rounds = 0;
                while !stop.load(Ordering::Relaxed) {
                    let process = &processes[(number + rounds) % 2];
                    let answer = process.refresh(&client, &token).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    token = answer.text("refresh_token");
                    let form = [("grant_type", "client_credentials"), ("scope", "read")];
                    let sealed = process.post(&opaque, "/token", &form).await.text("access_token");
                    assert!(processes[(number + rounds + 1) % 2].is_active(&opaque, &sealed).await);
                    rounds += 1;
                }
                rounds
            }));
        }
        let done = before.rotate(&["--data-key", "--wait", "4"]).await;
        assert!(done["sealed_again"]["signing_keys"] == 2, "{done}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            assert!(task.await.unwrap() > 3);
        }
        let server = before.with_the_new_key_alone().await;
        assert_eq!(server.app.master_key.current_number(), 2);
        before.assert_all_counts(&server).await;
    }

    async fn an_installation_from_before_there_were_data_keys_keeps_what_it_made(kind: Kind) {
        let server = TestServer::start(kind).await;
        // As the version before would have left it: everything under what is derived from the master key.
        server.sql("DELETE FROM data_keys").await;
        server.sql("DELETE FROM signing_keys").await;
        server.sql("DELETE FROM audit_log").await;
        server.sql("DELETE FROM audit_waiting").await;
        server.sql("UPDATE audit_marks SET number = 0, hash = '', tag = ''").await;
        let text = Secret::new(server.environment_of(OLD));
        let master = Arc::new(MasterKey::parse(&text).unwrap());
        let (storage, now) = (server.app.storage.clone(), server.app.now());
        let audit = Audit::new(storage.clone(), Arc::clone(&master));
        keys::ensure(&Keeper { audit: &audit, actor: Actor::Server }, &[Algorithm::ES256], now).await.unwrap();
        audit.chain_waiting(now).await.unwrap();
        let made = handle::issue(&master, Purpose::RefreshToken, &"A".repeat(22), 1, "salt").unwrap();
        let pairwise = master.derive(&[b"pairwise subject", b"sector", b"user"]);

        // Another master key is refused, and nothing is kept of it.
        let other = MasterKey::generate();
        let refused = server.try_replica_with(&[(OLD, other.expose())]).await.err().unwrap().to_string();
        assert!(refused.contains("not sealed under this master key"), "{refused}");
        assert_eq!(server.number("SELECT COUNT(*) FROM data_keys").await, 0);

        let after = server.replica_with(&[]).await;
        let handle = Handle::parse(Purpose::RefreshToken, made.expose()).unwrap();
        assert!(handle.is_genuine(&after.app.master_key, "salt"));
        assert_eq!(after.app.master_key.lasting(&[b"pairwise subject", b"sector", b"user"]), pairwise);
        after.audit_log().await;
        assert!(after.verify_audit_log(None).await.is_ok());
        assert_eq!(server.number("SELECT COUNT(*) FROM data_keys").await, 1);
        // Another master key does not help against whoever has this one, and the command says so.
        let mut both = server.environment.clone();
        both.push(("CHANCERY_SECRETS__MASTER_KEY".to_owned(), other.expose().to_owned()));
        both.push(("CHANCERY_SECRETS__PREVIOUS_MASTER_KEYS".to_owned(), text.expose().to_owned()));
        let (good, said, problem) = run(&both, &["secrets", "rotate"]).await;
        assert!(good && said.contains("data key 1 is derived from the master key"), "{said} {problem}");
        let (good, said, problem) = run(&both, &["secrets", "rotate", "--everything", "--wait", "1"]).await;
        assert!(good && !said.contains("is derived from"), "{said} {problem}");
    }

    async fn what_a_master_key_is_needed_for_is_listed(kind: Kind) {
        let before = Before::make(kind).await;
        let list = async |environment: &[(String, String)]| {
            let (good, said, problem) = run(environment, &["secrets", "list", "--json"]).await;
            assert!(good, "{problem}");
            serde_json::from_str::<Value>(&said).unwrap()
        };
        let both = before.both();
        let told = list(&both).await;
        assert_eq!(told["previous_master_keys"][0]["needed"], true, "{told}");
        assert_eq!(told["data_keys"][0]["sealed_under"], told["previous_master_keys"][0]["id"]);
        before.rotate(&[]).await;
        let told = list(&both).await;
        assert_eq!(told["previous_master_keys"][0]["needed"], false, "{told}");
        let (_, said, _) = run(&both, &["secrets", "list"]).await;
        assert!(said.contains("needed by nothing"), "{said}");
        let (_, said, _) = run(&both, &["check-config"]).await;
        assert!(said.contains("secrets.previous_master_keys is set"), "{said}");
        // It stops because its port is taken.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        let nowhere = [&both[..], &[("CHANCERY_SERVER__LISTEN".to_owned(), listen)]].concat();
        let (good, _, said) = run(&nowhere, &["serve"]).await;
        assert!(!good && said.contains("nothing in the database needs this previous master key"), "{said}");
    }

    async fn the_master_key_may_come_from_a_program_or_a_socket(kind: Kind) {
        let database = Database::empty(kind).await;
        let key = MasterKey::generate();
        let common = [("CHANCERY_DATABASE__URL".to_owned(), database.url.clone())];
        let with = |name: &str, value: String| {
            [&common[..], &[(format!("CHANCERY_SECRETS__{name}"), value)]].concat()
        };
        let ids = async |environment: &[(String, String)]| {
            let (good, said, problem) = run(environment, &["secrets", "list", "--json"]).await;
            assert!(good, "{problem}");
            text(&serde_json::from_str(&said).unwrap(), "master_key")
        };
        let expected = ids(&with("MASTER_KEY", key.expose().to_owned())).await;
        let printed = json!(["/bin/echo", key.expose()]).to_string();
        assert_eq!(ids(&with("MASTER_KEY_COMMAND", printed)).await, expected);
        let path = std::env::temp_dir().join(format!("chancery-{}.sock", chancery::crypto::random::id()));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let said = key.expose().to_owned();
        let sayer = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, said.as_bytes()).await.unwrap();
            }
        });
        assert_eq!(ids(&with("MASTER_KEY_SOCKET", path.display().to_string())).await, expected);
        sayer.abort();
        std::fs::remove_file(&path).unwrap();
        let failing = with("MASTER_KEY_COMMAND", json!(["/bin/sh", "-c", "echo hunter2; exit 7"]).to_string());
        let (good, _, said) = run(&failing, &["serve"]).await;
        assert!(!good && said.contains("secrets.master_key_command: /bin/sh failed") && !said.contains("hunter2"), "{said}");
    }
}
