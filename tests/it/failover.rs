//! A database that cannot be written to, as a standby is: it must not be taken for the database.

use std::time::Duration;

use axum::http::StatusCode;
use chancery::storage::Db;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::{Database, Kind, TestServer, all, text};

const WAIT: Duration = Duration::from_secs(5);

/// From now on whoever connects may only read, as on a standby, or may write again; those that are connected are cut off.
async fn demote(url: &str, read_only: bool) {
    let name = url::Url::parse(url).unwrap().path().trim_start_matches('/').to_owned();
    let mut connection = PgConnection::connect(url).await.unwrap();
    let setting = format!("ALTER DATABASE {name} SET default_transaction_read_only = {read_only}");
    connection.execute("SET default_transaction_read_only = off").await.unwrap();
    connection.execute(AssertSqlSafe(setting)).await.unwrap();
    const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    connection.execute(CUT).await.unwrap();
    connection.close().await.unwrap();
}

fn url_of(server: &TestServer) -> String {
    let found = server.environment.iter().find(|(name, _)| name == "CHANCERY_DATABASE__URL");
    found.unwrap().1.clone()
}

#[tokio::test]
async fn a_database_that_takes_reads_only_is_not_opened() {
    let database = Database::make(Kind::Postgres).await;
    demote(&database.url, true).await;
    let error = Db::open_postgres(&database.url, 2, WAIT).await.err().expect("it was opened").to_string();
    assert!(error.contains("read-only") && error.contains("database.url"), "{error}");
    demote(&database.url, false).await;
    Db::open_postgres(&database.url, 2, WAIT).await.unwrap();
}

#[tokio::test]
async fn while_the_database_takes_reads_only_nothing_is_answered_from_it_and_then_all_is_as_before() {
    let server = TestServer::start(Kind::Postgres).await;
    server.user("ada").await;
    let client = server.client(json!({})).await;
    let tokens = server.tokens(&client, "ada").await;
    let token = text(&tokens, "access_token");
    let url = url_of(&server);
    demote(&url, true).await;
    // Each connection that was cut off may fail one request: more than there are.
    for _ in 0..8 {
        let answer = server.post_as(&client, "/introspect", &[("token", &token)]).await;
        answer.assert_error(503, "temporarily_unavailable");
    }
    let refresh = text(&tokens, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    server.post_as(&client, "/token", &form).await.assert_error(503, "temporarily_unavailable");
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let page = server.get(&server.authorization(&client, &[])).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{page:?}");
    assert!(page.body.contains("We are not available for a moment"), "{page:?}");
    demote(&url, false).await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(server.get("/readyz").await.status);
    }
    assert_eq!(answers.last(), Some(&StatusCode::OK), "{answers:?}");
    assert_eq!(server.post_as(&client, "/token", &form).await.status, StatusCode::OK);
}

#[tokio::test]
async fn readiness_asks_whether_the_database_may_be_written_to() {
    let server = TestServer::start(Kind::Postgres).await;
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    // On a connection that lives on, as when somebody makes a whole server read-only without a restart.
    server.sql("SET default_transaction_read_only = on").await;
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK, "the connection was replaced");
}

#[tokio::test]
async fn connections_that_died_while_nobody_used_them_cost_nobody_a_request() {
    let server = TestServer::start(Kind::Postgres).await;
    all((0..4).map(|_| server.app.storage.versions()).collect()).await;
    demote(&url_of(&server), false).await;
    // Younger ones are believed to live.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..4 {
        server.app.storage.versions().await.unwrap();
    }
}
