//! Many at once where few connections to the database are open: after a start, after a rest, after the database was
//! restarted. Opening more takes its time, and nobody is refused for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::storage::Db;
use tokio::task::JoinSet;

use crate::support::postgres::Postgres;
use crate::support::{Database, Deployment, Kind, Line, Process, Registration, Relay, TestServer};

/// A debug build beside other tests is slow, and no overload.
const PATIENT: [(&str, &str); 3] = [
    ("SERVER__MAX_DELAY_MS", "2000"),
    ("DATABASE__ACQUIRE_TIMEOUT_MS", "5000"),
    ("DATABASE__MAX_CONNECTIONS", "16"),
];

/// For a second so many ask without a pause: what was not answered with 200.
async fn burst(process: &Arc<Process>, client: &Arc<Registration>, token: &str, callers: usize) -> Vec<u16> {
    let begin = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..callers {
        let (process, client, token) = (Arc::clone(process), Arc::clone(client), token.to_owned());
        all.spawn(async move {
            let mut refused = Vec::new();
            while begin.elapsed() < Duration::from_secs(1) {
                let answer = process.post(&client, "/introspect", &[("token", &token)]).await;
                if answer.status != 200 {
                    refused.push(answer.status.as_u16());
                }
            }
            refused
        });
    }
    all.join_all().await.concat()
}

async fn prepare() -> (Postgres, Deployment, String) {
    let postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
    let mut settings = PATIENT.to_vec();
    let url = postgres.url();
    settings.push(("DATABASE__URL", &url));
    let deployment = Deployment::prepare_with(Kind::Postgres, &settings).await;
    let form = [("grant_type", "client_credentials")];
    let token = deployment.pages.post_as(&deployment.client, "/token", &form).await.text("access_token");
    (postgres, deployment, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_burst_after_a_start_or_a_restart_of_the_database_is_refused_nothing() {
    let (postgres, deployment, token) = prepare().await;
    let postgres = Arc::new(postgres);
    for callers in [64, 256] {
        let process = Arc::new(Process::start(&deployment.pages.environment).await);
        let refused = burst(&process, &deployment.client, &token, callers).await;
        assert!(refused.is_empty(), "{} of {callers} after a start", refused.len());
        let restarted = Arc::clone(&postgres);
        tokio::task::spawn_blocking(move || restarted.restart()).await.unwrap();
        let refused = burst(&process, &deployment.client, &token, callers).await;
        assert!(refused.is_empty(), "{} of {callers} after a restart", refused.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_burst_after_a_rest_is_refused_nothing() {
    let (_postgres, deployment, token) = prepare().await;
    let server: Arc<TestServer> = Arc::new(deployment.pages);
    let db = server.app.storage.db();
    db.keep(3).await.unwrap();
    for callers in [64, 256] {
        db.trim(Duration::ZERO).await;
        assert_eq!(db.pools()[0].1.open, 3, "a few are kept");
        let mut all = JoinSet::new();
        for _ in 0..callers {
            let (server, client, token) =
                (Arc::clone(&server), Arc::clone(&deployment.client), token.clone());
            all.spawn(async move {
                let mut refused = 0;
                for _ in 0..20 {
                    let answer = server.post_as(&client, "/introspect", &[("token", &token)]).await;
                    refused += usize::from(answer.status != 200);
                }
                refused
            });
        }
        assert_eq!(all.join_all().await.iter().sum::<usize>(), 0, "of {callers}");
        assert!(db.pools()[0].1.open > 3, "more were opened");
    }
}

/// Whoever waits for a connection to be opened says nothing about how busy the others are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_connection_to_be_opened_is_no_lateness_and_waiting_for_others_is() {
    let server = TestServer::start_with(Kind::Postgres, &[("DATABASE__MAX_CONNECTIONS", "2")]).await;
    let db = server.app.storage.db();
    db.longest_wait();
    let first = db.begin().await.unwrap();
    let second = db.begin().await.unwrap();
    assert_eq!(db.longest_wait(), Duration::ZERO, "the second one was opened");
    let waits = db.clone();
    let third = tokio::spawn(async move { waits.begin().await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    first.commit().await.unwrap();
    third.await.unwrap();
    assert!(db.longest_wait() >= Duration::from_millis(200), "nobody opens a third one");
    drop(second);
}

/// A database before which everybody queues is not asked by everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_opened_one_at_a_time_however_many_wait() {
    let database = Database::make(Kind::Postgres).await;
    let mut url = url::Url::parse(&database.url).unwrap();
    let relay = Relay::to(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())).await;
    url.set_port(Some(relay.address.port())).unwrap();
    let db = Db::open_postgres(url.as_str(), 9, Duration::from_millis(500)).await.unwrap();
    let held = db.begin().await.unwrap();
    let before = relay.accepted();
    relay.set(Line::Silent);
    let mut all = JoinSet::new();
    for _ in 0..40 {
        let db = db.clone();
        all.spawn(async move { db.begin().await.is_err() });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((relay.accepted() - before, db.pools()[0].1.waiting), (1, 40));
    assert!(all.join_all().await.into_iter().all(|failed| failed), "there is one, and it is lent");
    drop(held);
}
