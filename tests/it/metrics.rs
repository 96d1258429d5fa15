//! The metrics tell what happened: real requests, then a real scrape.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use chancery::audit::{Actor, Event};
use chancery::boot;
use chancery::clock::Clock;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::scrape::Scrape;
use crate::support::{
    Answer, Kind, LONGEST, Process, Registration, START, TestServer, on_both, text, within,
};

const CLIENT_CREDENTIALS: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "read")];

on_both! {
    async fn requests_are_counted_by_endpoint_and_outcome(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for _ in 0..3 {
            server.post_as(&client, "/token", &CLIENT_CREDENTIALS).await;
        }
        let wrong = Registration { id: client.id.clone(), secret: "wrong".to_owned() };
        server.post_as(&wrong, "/token", &CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
        server.post_as(&client, "/token", &[]).await.assert_error(400, "invalid_request");
        server.get(&server.authorization(&client, &[("prompt", "none")])).await
            .assert_redirect_error("login_required");
        server.get("/authorize?client_id=none").await.assert_page_error(400);
        server.get(&server.authorization(&client, &[])).await;
        server.get("/jwks").await;
        let scrape = server.scrape().await;
        let requests = |endpoint: &str, outcome: &str| {
            scrape.at(&format!("chancery_http_requests_total{{endpoint=\"{endpoint}\",outcome=\"{outcome}\"}}"))
        };
        assert_eq!(requests("/token", "success"), 3.0);
        assert_eq!(requests("/token", "invalid_client"), 1.0);
        assert_eq!(requests("/token", "invalid_request"), 1.0);
        assert_eq!(requests("/authorize", "login_required"), 1.0);
        assert_eq!(requests("/authorize", "client_error"), 1.0);
        assert_eq!(requests("/authorize", "redirect"), 1.0);
        assert_eq!(requests("/jwks", "success"), 1.0);
        assert_eq!(scrape.sum("chancery_http_requests_total"), 9.0);
        assert_eq!(scrape.at(r#"chancery_http_request_duration_seconds_count{endpoint="/token"}"#), 5.0);
        assert!(scrape.at(r#"chancery_http_request_duration_seconds_sum{endpoint="/token"}"#) > 0.0);
        // The scrape itself.
        assert_eq!(scrape.at("chancery_http_requests_in_flight"), 1.0);
        let again = server.scrape().await;
        assert_eq!(again.at(r#"chancery_http_requests_total{endpoint="metrics",outcome="success"}"#), 1.0);
    }

    async fn nothing_that_a_stranger_sends_becomes_a_label(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.get("/attacker-path").await.assert_page_error(404);
        server.get("/assets/attacker-asset").await;
        server.get("/register/attacker-client").await;
        let form = [("grant_type", "attacker-grant"), ("scope", "attacker-scope")];
        server.post_as(&client, "/token", &form).await.assert_error(400, "unsupported_grant_type");
        server.get("/authorize?client_id=attacker-id").await.assert_page_error(400);
        let mut browser = server.browser();
        let first = browser.get(&server.authorization(&client, &[("state", "attacker-state")])).await;
        let page = browser.follow(first).await;
        browser.sign_in(&page, "attacker-name", "attacker-password").await;
        let scrape = server.scrape().await;
        assert!(!scrape.text.contains("attacker"), "{}", scrape.text);
        assert!(!scrape.text.contains(&client.id));
        assert_eq!(scrape.at(r#"chancery_http_requests_total{endpoint="other",outcome="client_error"}"#), 1.0);
    }

    async fn grants_replays_and_sign_ins_are_counted(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let before = server.scrape().await;
        assert_eq!(before.at(r#"chancery_replays_total{kind="refresh_token"}"#), 0.0);
        let mut browser = server.browser();
        let first = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(first).await;
        browser.sign_in(&page, "ada", "wrong").await;
        browser.sign_in(&page, "nobody", "wrong").await;
        let code = server.code(&client, "ada", &[]).await;
        let tokens = server.redeem(&client, &code).await.json();
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
        let tokens = server.tokens(&client, "ada").await;
        server.refresh(&client, &text(&tokens, "refresh_token")).await;
        server.advance(31);
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
        let scrape = server.scrape().await;
        let by = |grant: &str, outcome: &str| {
            scrape.at(&format!("chancery_token_requests_total{{grant_type=\"{grant}\",outcome=\"{outcome}\"}}"))
        };
        assert_eq!((by("authorization_code", "success"), by("authorization_code", "invalid_grant")), (2.0, 1.0));
        assert_eq!((by("refresh_token", "success"), by("refresh_token", "invalid_grant")), (1.0, 2.0));
        assert_eq!(scrape.at(r#"chancery_replays_total{kind="authorization_code"}"#), 1.0);
        assert_eq!(scrape.at(r#"chancery_replays_total{kind="refresh_token"}"#), 1.0);
        assert_eq!(scrape.at(r#"chancery_logins_total{outcome="wrong"}"#), 2.0);
        assert_eq!(scrape.at(r#"chancery_logins_total{outcome="success"}"#), 2.0);
        // One for the user, two wrong, two right.
        assert_eq!(scrape.at("chancery_password_hash_duration_seconds_count"), 5.0);
        assert_eq!(scrape.at("chancery_password_hash_waiting"), 0.0);
        // Access and ID tokens of two exchanges and of a refresh.
        assert_eq!(scrape.at(r#"chancery_signing_duration_seconds_count{alg="ES256"}"#), 6.0);
        assert_eq!(scrape.at(r#"chancery_signing_key_active_since_seconds{alg="ES256"}"#), START.unix() as f64);
        assert_eq!(scrape.at("chancery_signing_keys_published"), 2.0);
        assert_eq!(scrape.at(r#"chancery_cache_entries{cache="clients"}"#), 1.0);
    }

    async fn every_statement_is_timed_by_what_it_does(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        let before = server.scrape().await;
        server.refresh(&client, &token).await;
        let after = server.scrape().await;
        let more = |sample: &str| after.at(sample) - before.at(sample);
        let of = |operation: &str| {
            more(&format!("chancery_database_statement_duration_seconds_count{{operation=\"{operation}\"}}"))
        };
        assert_eq!((of("select"), of("update"), of("insert"), of("delete")), (1.0, 1.0, 0.0, 0.0));
        let waits = |pool: &str| more(&format!("chancery_database_connection_wait_seconds_count{{pool=\"{pool}\"}}"));
        match kind {
            Kind::Postgres => assert_eq!(waits("main"), 2.0),
            Kind::Sqlite => assert_eq!((waits("readers"), waits("writer")), (1.0, 1.0)),
        }
        assert!(after.sum("chancery_database_connections_open") >= 1.0);
        assert_eq!(after.sum("chancery_database_connections_in_use"), 0.0);
        assert_eq!(after.sum("chancery_database_statement_failures_total"), 0.0);
        server.app.storage.db().close().await;
        server.refresh(&client, &token).await.assert_error(503, "temporarily_unavailable");
        let pool = if kind == Kind::Postgres { "main" } else { "readers" };
        let refused = format!("chancery_database_connection_refusals_total{{pool=\"{pool}\",reason=\"closed\"}}");
        let closed = server.scrape().await;
        assert_eq!(closed.at(&refused), 1.0);
        assert_eq!(closed.at(r#"chancery_http_requests_total{endpoint="/token",outcome="temporarily_unavailable"}"#), 1.0);
    }

    async fn background_work_shows_its_progress(kind: Kind) {
        let server = TestServer::start_with(kind, &[("METRICS__LISTEN", "127.0.0.1:0")]).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        server.tokens(&client, "ada").await;
        server.advance(400 * 24 * 3600);
        let background = boot::spawn_background_tasks(&server.app);
        let scrape = until(&server, |scrape| {
            scrape.at("chancery_purge_last_success_seconds") > 0.0
                && scrape.holds("chancery_logout_deliveries_waiting")
        }).await;
        drop(background);
        assert_eq!(scrape.at(r#"chancery_purged_rows_total{table="grants"}"#), 1.0);
        assert_eq!(scrape.at(r#"chancery_purged_rows_total{table="sessions"}"#), 1.0);
        assert_eq!(scrape.at(r#"chancery_purge_duration_seconds_count{outcome="done"}"#), 1.0);
        assert_eq!(scrape.at("chancery_logout_deliveries_waiting"), 0.0);
    }

    async fn an_audit_log_that_cannot_be_chained_shows(kind: Kind) {
        let server = TestServer::start_with(kind, &[("METRICS__LISTEN", "127.0.0.1:0")]).await;
        for _ in 0..61 {
            server.app.note(&Actor::Unknown, Event::AdminApiRefused);
        }
        let scrape = server.scrape().await;
        assert_eq!(scrape.at("chancery_audit_entries_queued"), 60.0);
        assert_eq!(scrape.at("chancery_audit_entries_left_out_total"), 1.0);
        server.sql("UPDATE audit_marks SET number = 1 WHERE name = 'head'").await;
        let background = boot::spawn_background_tasks(&server.app);
        let scrape = until(&server, |scrape| scrape.holds("chancery_audit_entries_waiting")).await;
        background.end().await;
        assert!(scrape.at("chancery_audit_entries_waiting") > 60.0);
        assert_eq!(scrape.at("chancery_audit_entries_queued"), 0.0);
        assert_eq!(scrape.at("chancery_audit_chained_last_success_seconds"), 0.0);
        server.sql("UPDATE audit_marks SET number = 0 WHERE name = 'head'").await;
        let background = boot::spawn_background_tasks(&server.app);
        let scrape = until(&server, |scrape| scrape.at("chancery_audit_entries_waiting") == 0.0).await;
        background.end().await;
        assert_eq!(scrape.at("chancery_audit_chained_last_success_seconds"), server.app.now().unix() as f64);
    }
}

/// Scrapes until this holds.
async fn until(server: &TestServer, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    for _ in 0..200 {
        let scrape = server.scrape().await;
        if holds(&scrape) {
            return scrape;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never holds: {}", server.scrape().await.text)
}

#[tokio::test]
async fn the_metrics_are_not_on_the_public_listener() {
    let server = TestServer::start_with(Kind::Sqlite, &[("METRICS__LISTEN", "127.0.0.1:0")]).await;
    server.get("/metrics").await.assert_page_error(404);
    assert_eq!(server.metrics_request("/token").await.status.as_u16(), 404);
    assert_eq!(server.metrics_request("/").await.status.as_u16(), 404);
}

#[tokio::test]
async fn the_admin_listener_has_the_metrics_for_those_with_its_token() {
    let server = TestServer::with_external_ui(Kind::Sqlite, &[]).await;
    let without = Request::get("/metrics").body(Body::empty()).unwrap();
    assert_eq!(server.admin_request(without).await.status.as_u16(), 401);
    let answer = server.admin(axum::http::Method::GET, "/metrics", None).await;
    assert!(
        Scrape::read(&answer)
            .holds(r#"chancery_http_requests_total{endpoint="admin",outcome="client_error"}"#)
    );
}

/// The metrics listener of a process, which chose its port itself.
async fn scrape(process: &Process) -> Scrape {
    let line = process.logged("listening for scrapes").await;
    let address = line.split_once("address=").unwrap().1.split(' ').next().unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LONGEST, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut headers = axum::http::HeaderMap::new();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
    headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
    Scrape::read(&Answer { status: axum::http::StatusCode::OK, headers, body: body.to_owned() })
}

#[tokio::test]
async fn a_process_tells_of_its_connections_its_memory_and_slow_requests() {
    let settings = [("METRICS__LISTEN", "127.0.0.1:0"), ("LOG__SLOW_REQUEST_MS", "1")];
    let server = TestServer::start_with(Kind::Sqlite, &settings).await;
    server.advance(Clock::System.now().since(START));
    server.user("ada").await;
    let client =
        server.client(json!({"grant_types": ["password", "client_credentials"], "first_party": true})).await;
    let mut environment = server.environment.clone();
    environment.push(("CHANCERY_GRANTS__PASSWORD".to_owned(), "true".to_owned()));
    let process = Process::start(&environment).await;
    // Synced to disk or hashed, it takes more than a millisecond.
    let form = [("grant_type", "password"), ("username", "ada"), ("password", crate::support::PASSWORD)];
    assert_eq!(process.post(&client, "/token", &form).await.status.as_u16(), 200);
    let broken = TcpStream::connect(&process.address).await.unwrap();
    broken.writable().await.unwrap();
    broken.try_write(b"nonsense\r\n\r\n").unwrap();
    let mut end = Vec::new();
    let mut broken = broken;
    timeout(LONGEST, broken.read_to_end(&mut end)).await.unwrap().unwrap();
    let slow = process.logged("slow request").await;
    for part in
        ["endpoint=\"/token\"", "outcome=\"success\"", "database_ms=", "pool_ms=", "signing_ms=", "id="]
    {
        assert!(slow.contains(part), "{part} is not in {slow}");
    }
    let number = |name: &str| {
        let rest = slow.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{name}: {slow}")).1;
        rest.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(number("milliseconds") >= number("hashing_ms") && number("hashing_ms") >= 1, "{slow}");
    assert!(number("statements") >= 2, "{slow}");
    assert!(!slow.contains("ada") && !slow.contains(&client.id), "{slow}");
    const BROKEN: &str = r#"chancery_connections_broken_total{listener="public"}"#;
    let mut told = None;
    // The client may see the end of a connection before the server has counted it.
    within(LONGEST, "the broken connection is counted", async || {
        let scrape = told.insert(scrape(&process).await);
        scrape.at(BROKEN) > 0.0
    })
    .await;
    let scrape = told.unwrap();
    assert_eq!(scrape.at(r#"chancery_connections_open{listener="metrics"}"#), 1.0);
    assert_eq!(scrape.at(r#"chancery_connections_accepted_total{listener="public"}"#), 2.0);
    assert_eq!(scrape.at(BROKEN), 1.0);
    for positive in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
    ] {
        assert!(scrape.at(positive) > 0.0, "{positive}");
    }
    let started = scrape.at("process_start_time_seconds");
    let age = Clock::System.now().unix() as f64 - started;
    assert!((-2.0..60.0).contains(&age), "{age}");
    assert!(scrape.holds(&format!("chancery_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))));
}
