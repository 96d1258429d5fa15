//! A database that is full, read-only, locked or away: what needs it gets 503 and loses nothing, the rest is answered, and
//! when it is back, so is the server, without a restart.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::http::header;
use chancery::storage::Db;

use crate::support::{
    Answer, Deployment, Kind, Line, Process, Relay, TestServer, on_both, output, program, program_through,
    text, within,
};

const CLIENT_CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[track_caller]
pub(super) fn assert_unavailable(answer: &Answer) {
    answer.assert_error(503, "temporarily_unavailable");
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
}

/// Asks until it is so, for at most ten seconds.
pub(super) async fn soon(what: &str, is_so: impl AsyncFnMut() -> bool) {
    within(Duration::from_secs(10), what, is_so).await;
}

/// What is answered though nothing can be written.
pub(super) async fn reads_are_answered(deployment: &Deployment, process: &Process, token: &str) {
    soon("what is good is known", async || {
        let answer = process.post(&deployment.client, "/introspect", &[("token", token)]).await;
        answer.status == 200 && answer.json()["active"] == true
    })
    .await;
    assert_eq!(process.post(&deployment.client, "/token", &CLIENT_CREDENTIALS).await.status, 200);
    for path in ["/healthz", "/readyz", "/jwks"] {
        assert_eq!(process.get(path, &[]).await.status, 200, "{path}");
    }
}

/// From now on files cannot grow beyond this; a process that ignores the signal gets an error as from a full disk.
pub(super) fn limit_files(process: &Process, bytes: &str) {
    let arguments = ["--pid", &process.id().to_string(), &format!("--fsize={bytes}:")].map(str::to_owned);
    assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_lost_and_reads_are_answered() {
    let deployment = Deployment::prepare(Kind::Sqlite).await;
    let tokens = deployment.tokens().await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let ignoring =
        program_through("trap '' XFSZ; exec \"$0\" \"$@\"", &deployment.pages.environment, &["serve"]);
    let process = Process::start_command(ignoring).await;
    assert_eq!(process.get("/readyz", &[]).await.status, 200);
    limit_files(&process, "4096");
    for _ in 0..3 {
        assert_unavailable(&process.refresh(&deployment.client, &refresh).await);
    }
    reads_are_answered(&deployment, &process, &access).await;
    let page = process.get(&deployment.pages.authorization(&deployment.client, &[]), &[]).await;
    page.assert_page_error(503);
    limit_files(&process, "unlimited");
    soon("there is room again", async || process.refresh(&deployment.client, &refresh).await.status == 200)
        .await;
}

/// What Postgres says on a full disk, said by a trigger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_postgres_has_no_room_for_is_asked_again_later() {
    let server = TestServer::start(Kind::Postgres).await;
    server.user("ada").await;
    let client = server.client(serde_json::json!({})).await;
    let token = text(&server.tokens(&client, "ada").await, "refresh_token");
    for statement in [
        "CREATE FUNCTION full_disk() RETURNS trigger AS \
         'BEGIN RAISE EXCEPTION USING ERRCODE = ''53100''; END' LANGUAGE plpgsql",
        "CREATE TRIGGER full_disk BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION full_disk()",
    ] {
        server.sql(statement).await;
    }
    assert_unavailable(&server.refresh(&client, &token).await);
    server.sql("DROP TRIGGER full_disk ON grants").await;
    assert_eq!(server.refresh(&client, &token).await.status, 200);
}

#[tokio::test]
async fn what_a_read_only_file_refuses_is_no_fault_of_ours() {
    let server = TestServer::start(Kind::Sqlite).await;
    // Reads have connections of their own, which cannot write.
    let written: Result<Option<(i64,)>, _> =
        server.app.storage.db().fetch_optional("DELETE FROM grants RETURNING generation", &[]).await;
    assert!(written.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_file_that_another_process_keeps_locked_is_waited_for_and_then_given_up() {
    let server = TestServer::start(Kind::Sqlite).await;
    server.user("ada").await;
    let client = server.client(serde_json::json!({})).await;
    let token = text(&server.tokens(&client, "ada").await, "refresh_token");
    let other = Db::open_sqlite(Path::new(&server.database_file()), Duration::from_secs(5)).await.unwrap();
    let locked = other.begin().await.unwrap();
    assert_unavailable(&server.refresh(&client, &token).await);
    drop(locked);
    soon("the file is free", async || server.refresh(&client, &token).await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_what_needs_it_is_refused_and_afterwards_all_is_well() {
    let deployment = Deployment::prepare(Kind::Postgres).await;
    let (pages, client) = (&deployment.pages, &deployment.client);
    let refresh = text(&deployment.tokens().await, "refresh_token");
    let mut url = url::Url::parse(&pages.environment_of("DATABASE__URL")).unwrap();
    let relay = Relay::to(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))).await;
    url.set_ip_host(relay.address.ip()).unwrap();
    url.set_port(Some(relay.address.port())).unwrap();
    let settings = [("DATABASE__URL", url.as_str()), ("SERVER__REQUEST_TIMEOUT_SECONDS", "2")];
    let process = Process::start(&deployment.with(&settings)).await;
    assert_eq!(process.post(client, "/token", &CLIENT_CREDENTIALS).await.status, 200);
    for (line, lifetime) in [(Line::Cut, 77), (Line::Silent, 78)] {
        relay.set(line);
        assert_unavailable(&process.refresh(client, &refresh).await);
        for (path, status) in [("/healthz", 200), ("/jwks", 200), ("/readyz", 503)] {
            assert_eq!(process.get(path, &[]).await.status, status, "{line:?}: {path}");
        }
        assert_eq!(process.get(&pages.authorization(client, &[]), &[]).await.status, 503, "{line:?}");
        let mut change = program(&pages.environment, &["client", "update", &client.id]);
        change.args(["--access-token-lifetime", &lifetime.to_string(), "--json"]);
        assert!(output(change).await.status.success());
        relay.set(Line::Open);
        soon("it is back", async || process.refresh(client, &refresh).await.status == 200).await;
        soon("what changed meanwhile is known", async || {
            let answer = process.post(client, "/token", &CLIENT_CREDENTIALS).await;
            answer.status == 200 && answer.json()["expires_in"] == lifetime
        })
        .await;
        assert_eq!(process.get("/readyz", &[]).await.status, 200);
    }
}

on_both! {
    async fn a_database_that_is_not_there_at_start_is_told(kind: Kind) {
        let url = match kind {
            Kind::Postgres => "postgres://nobody@127.0.0.1:1/none",
            Kind::Sqlite => "sqlite:/proc/chancery/none.db",
        };
        let key = chancery::crypto::master_key::MasterKey::generate();
        let environment = [("DATABASE__URL", url), ("SECRETS__MASTER_KEY", key.expose())];
        let environment = environment.map(|(name, value)| (format!("CHANCERY_{name}"), value.to_owned()));
        let output = output(program(&environment, &["serve"])).await;
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("chancery: ") && !told.contains("panicked"), "{told}");
    }
}
