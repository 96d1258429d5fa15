//! Several processes on one database, and what outlives a process: the real program, over real HTTP.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{
    Answer, Database, Deployment, Kind, LONGEST, Process, REDIRECT_URI, Registration, VERIFIER, on_both,
    output, program, query_of, text, within,
};

const MANY: usize = 40;

impl Deployment {
    async fn start(&self) -> Arc<Process> {
        Arc::new(Process::start(&self.pages.environment).await)
    }

    async fn start_two(&self) -> [Arc<Process>; 2] {
        let (one, two) = tokio::join!(self.start(), self.start());
        [one, two]
    }

    /// Sends one form forty times at once, to the processes in turn.
    async fn post_all(&self, processes: &[Arc<Process>], form: &[(&'static str, String)]) -> Vec<Answer> {
        let send = |number: usize| {
            let process = Arc::clone(&processes[number % processes.len()]);
            let (client, form) = (Arc::clone(&self.client), form.to_vec());
            tokio::spawn(async move {
                let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
                process.post(&client, "/token", &form).await
            })
        };
        let tasks: Vec<_> = (0..MANY).map(send).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    }

    /// Runs the command line on the same database.
    async fn command(&self, line: &[&str]) -> Value {
        let output = output(program(&self.pages.environment, line)).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Asks until it is so, for at most three seconds.
async fn soon(what: &str, is_so: impl AsyncFnMut() -> bool) {
    within(Duration::from_secs(3), what, is_so).await;
}

on_both! {
    async fn two_processes_redeem_a_code_once(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let processes = deployment.start_two().await;
        let code = deployment.pages.code(&deployment.client, "ada", &[]).await;
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", REDIRECT_URI.to_owned()),
            ("code_verifier", VERIFIER.to_owned()),
        ];
        let answers = deployment.post_all(&processes, &form).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1, "{won:?}");
        lost.iter().for_each(|answer| answer.assert_error(400, "invalid_grant"));
        for process in &processes {
            assert!(!process.is_active(&deployment.client, &won[0].text("access_token")).await);
        }
    }

    async fn two_processes_give_forty_refreshes_one_successor(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let processes = deployment.start_two().await;
        let token = text(&deployment.tokens().await, "refresh_token");
        let form = [("grant_type", "refresh_token".to_owned()), ("refresh_token", token)];
        let answers = deployment.post_all(&processes, &form).await;
        let successors: HashSet<_> = answers.iter().map(|answer| answer.text("refresh_token")).collect();
        assert_eq!(successors.len(), 1);
        assert_eq!(deployment.pages.number("SELECT generation FROM grants").await, 2);
    }

    async fn what_is_revoked_at_one_process_is_inactive_at_the_other_at_once(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let [one, two] = deployment.start_two().await;
        let client = &deployment.client;
        for member in ["access_token", "refresh_token"] {
            let token = text(&deployment.tokens().await, member);
            for process in [&one, &two, &one, &two] {
                assert!(process.is_active(client, &token).await);
            }
            assert_eq!(one.post(client, "/revoke", &[("token", &token)]).await.status, 200);
            assert!(!two.is_active(client, &token).await && !one.is_active(client, &token).await);
        }
    }

    async fn a_client_that_the_command_line_changes_is_seen_by_every_process(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let processes = deployment.start_two().await;
        let old = &deployment.client;
        let form = [("grant_type", "client_credentials")];
        for process in &processes {
            assert_eq!(process.post(old, "/token", &form).await.status, 200, "and now it is cached");
        }
        let changed = deployment.command(&["client", "rotate-secret", &old.id, "--json"]).await;
        let new = Registration { id: old.id.clone(), secret: text(&changed, "client_secret") };
        for process in &processes {
            soon("the old secret is refused", async || process.post(old, "/token", &form).await.status == 401).await;
            assert_eq!(process.post(&new, "/token", &form).await.status, 200);
        }
        let longer = ["client", "update", &old.id, "--access-token-lifetime", "77", "--json"];
        deployment.command(&longer).await;
        for process in &processes {
            let lifetime = async || process.post(&new, "/token", &form).await.json()["expires_in"].clone();
            soon("the lifetime is the new one", async || lifetime().await == 77).await;
        }
    }

    async fn a_restart_keeps_keys_sessions_grants_and_consents(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let (pages, client) = (&deployment.pages, &deployment.client);
        let mut browser = pages.browser();
        let answer = browser.authorize_as(&pages.authorization(client, &[]), "ada").await;
        let code = query_of(answer.location(), "code").unwrap();
        let before = Process::start(&pages.environment).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let tokens = before.post(client, "/token", &form).await.json();
        let keys = before.get("/jwks", &[]).await.json();
        before.terminate();
        assert_eq!(before.ended().await, Some(0));
        let after = Process::start(&pages.environment).await;
        assert_eq!(after.get("/jwks", &[]).await.json(), keys);
        assert!(after.is_active(client, &text(&tokens, "access_token")).await);
        assert_eq!(after.refresh(client, &text(&tokens, "refresh_token")).await.status, 200);
        // prompt=none: neither a sign-in nor a question is needed.
        let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let silent = pages.authorization(client, &[("prompt", "none")]);
        let answer = after.get(&silent, &[("cookie", &cookies.join("; "))]).await;
        assert!(query_of(answer.location(), "code").is_some(), "{answer:?}");
    }

    async fn a_request_in_flight_is_answered_before_the_process_ends(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let process = Process::start(&deployment.pages.environment).await;
        let idle = TcpStream::connect(&process.address).await.unwrap();
        let mut connection = TcpStream::connect(&process.address).await.unwrap();
        let (id, secret) = (&deployment.client.id, &deployment.client.secret);
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        let body = "grant_type=client_credentials";
        let head = format!(
            "POST /token HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&body.as_bytes()[..5]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        process.terminate();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(TcpStream::connect(&process.address).await.is_err(), "nobody else is let in");
        connection.write_all(&body.as_bytes()[5..]).await.unwrap();
        let mut answer = String::new();
        timeout(LONGEST, connection.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("access_token"), "{answer}");
        assert_eq!(process.ended().await, Some(0));
        drop(idle);
    }

    async fn processes_that_start_together_on_an_empty_database_do_not_collide(kind: Kind) {
        let database = Database::empty(kind).await;
        let key = chancery::crypto::master_key::MasterKey::generate();
        let environment = [
            ("CHANCERY_DATABASE__URL", database.url.as_str()),
            ("CHANCERY_DATABASE__MAX_CONNECTIONS", "4"),
            ("CHANCERY_SECRETS__MASTER_KEY", key.expose()),
            ("CHANCERY_KEYS__ALGORITHMS", "ES256,RS256,EdDSA"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let start = || Process::start(&environment);
        let (one, two, three) = tokio::join!(start(), start(), start());
        let keys = one.get("/jwks", &[]).await.json();
        // One of each algorithm, and the one to encrypt to.
        assert_eq!(keys["keys"].as_array().unwrap().len(), 4);
        for process in [&one, &two, &three] {
            assert_eq!(process.get("/readyz", &[]).await.status, 200);
            assert_eq!(process.get("/jwks", &[]).await.json(), keys);
        }
    }

    async fn a_key_that_is_made_or_withdrawn_by_command_is_so_in_every_process(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let (processes, client) = (deployment.start_two().await, &deployment.client);
        let newest = |keys: &Value| {
            let mut of = keys.as_array().unwrap().iter().filter(|key| key["alg"] == "ES256");
            text(of.next_back().unwrap(), "kid")
        };
        let made = newest(&deployment.command(&["keys", "rotate", "--alg", "ES256", "--now", "--json"]).await);
        for process in &processes {
            soon("the new key is published", async || process.get("/jwks", &[]).await.body.contains(&made)).await;
        }
        let form = [("grant_type", "client_credentials"), ("scope", "read")];
        let token = text(&processes[0].post(client, "/token", &form).await.json(), "access_token");
        assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid.unwrap(), made);
        for process in &processes {
            assert!(process.is_active(client, &token).await);
        }
        let follows = newest(&deployment.command(&["keys", "withdraw", &made, "--json"]).await);
        for process in &processes {
            soon("its tokens are worthless", async || !process.is_active(client, &token).await).await;
            let keys = process.get("/jwks", &[]).await.body;
            assert!(keys.contains(&follows) && !keys.contains(&made), "{keys}");
        }
    }

    async fn keys_that_are_good_for_hints_only_are_listed_as_retired(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        deployment.command(&["keys", "rotate", "--alg", "ES256", "--now", "--json"]).await;
        deployment.pages.sql("UPDATE signing_keys SET expires_at = expires_at - 90000 WHERE expires_at > 0").await;
        for given in [None, Some("ES256")] {
            let listed = match given {
                None => deployment.command(&["keys", "list", "--json"]).await,
                Some(_) => deployment.command(&["keys", "rotate", "--alg", "EdDSA", "--json"]).await,
            };
            let of = |key: &&Value| key["alg"] == "ES256";
            let states: Vec<_> = listed.as_array().unwrap().iter().filter(of).map(|key| text(key, "state")).collect();
            assert_eq!(states, ["retired", "current"]);
        }
    }

    async fn a_process_replaces_by_itself_a_key_that_has_signed_for_long(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let keys = async |process: &Process| process.get("/jwks", &[]).await.json()["keys"].as_array().unwrap().len();
        let before = keys(&*deployment.start().await).await;
        deployment.pages.sql("UPDATE signing_keys SET active_from = 1 WHERE algorithm = 'ES256'").await;
        for process in &deployment.start_two().await {
            soon("the next key is published", async || keys(process).await == before + 1).await;
        }
    }

    async fn migrating_needs_no_master_key_and_serving_does(kind: Kind) {
        let database = Database::empty(kind).await;
        let environment = [("CHANCERY_DATABASE__URL".to_owned(), database.url.clone())];
        let run = async |line: &'static [&'static str]| {
            output(program(&environment, line)).await
        };
        let migrated = run(&["migrate"]).await;
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        if kind == Kind::Postgres {
            let refused = run(&["serve"]).await;
            assert!(!refused.status.success());
            assert!(String::from_utf8_lossy(&refused.stderr).contains("secrets.master_key"));
        }
    }
}
