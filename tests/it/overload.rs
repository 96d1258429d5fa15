//! More than the server can do: what it takes on it does in time, the rest is refused at once, and nothing stays behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Answer, Deployment, Kind, Process, Registration, TestServer, on_both, text};

/// What the server shows while requests wait in it for the database.
const ONE_REQUEST: [(&str, &str); 1] = [("SERVER__MAX_REQUESTS", "1")];

#[track_caller]
fn assert_refused(answer: &Answer) {
    answer.assert_error(503, "temporarily_unavailable");
    assert_eq!(answer.header(header::RETRY_AFTER), "1");
}

on_both! {
    async fn what_is_too_much_is_refused_and_health_keys_and_metadata_are_answered(kind: Kind) {
        let server = Arc::new(TestServer::start_with(kind, &ONE_REQUEST).await);
        server.user("ada").await;
        let client = server.client(json!({})).await;
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        let mut held = server.app.storage.db().begin().await.unwrap();
        if kind == Kind::Postgres {
            held.execute("LOCK TABLE grants", &[]).await.unwrap();
        }
        let (waits, waiting) = (Arc::clone(&server), client.clone());
        let refresh = tokio::spawn(async move { waits.refresh(&waiting, &token).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let form = [("grant_type", "client_credentials")];
        assert_refused(&server.post_as(&client, "/token", &form).await);
        let page = Request::get(server.authorization(&client, &[])).header("accept", "text/html");
        let page = server.send(page.header("accept-language", "de").body(Body::empty()).unwrap()).await;
        page.assert_page_error(503);
        assert!(page.body.contains("Gerade ist sehr viel los"), "{page:?}");
        assert_eq!(page.header(header::RETRY_AFTER), "1");
        let documents = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
        for path in ["/healthz", "/readyz", "/jwks"].iter().chain(&documents) {
            assert_eq!(server.get(path).await.status, 200, "{path}");
        }
        drop(held);
        assert_eq!(refresh.await.unwrap().status, 200);
        assert_eq!(server.post_as(&client, "/token", &form).await.status, 200);
    }

    async fn a_request_waits_for_the_database_only_so_long_and_consumes_nothing(kind: Kind) {
        let server = TestServer::start_with(kind, &[("DATABASE__ACQUIRE_TIMEOUT_MS", "300")]).await;
        server.user("ada").await;
        let client = server.client(json!({})).await;
        let code = server.code(&client, "ada", &[]).await;
        let connections = if kind == Kind::Postgres { 4 } else { 1 };
        let mut held = Vec::new();
        for _ in 0..connections {
            held.push(server.app.storage.db().begin().await.unwrap());
        }
        let before = Instant::now();
        assert_refused(&server.redeem(&client, &code).await);
        assert!(before.elapsed() < Duration::from_secs(10));
        drop(held);
        assert_eq!(server.redeem(&client, &code).await.status, 200);
    }

    async fn slow_clients_keep_nobody_waiting(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let environment = deployment.with(&[("SERVER__MAX_REQUESTS", "8")]);
        let process = Process::start(&environment).await;
        let head = "POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        let body = format!("{head}content-length: 500\r\n\r\ngrant_type=");
        let unread = "GET /jwks HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50);
        let mut slow = Vec::new();
        for text in [head, body.as_str(), unread.as_str()].repeat(60) {
            let mut stream = TcpStream::connect(&process.address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            slow.push(stream);
        }
        // What can be answered at once is.
        tokio::time::sleep(Duration::from_millis(300)).await;
        for _ in 0..5 {
            let answer = process.post(&deployment.client, "/token", &[("grant_type", "client_credentials")]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let mut byte = [0];
        slow[2].read_exact(&mut byte).await.unwrap();
    }

    async fn at_several_times_the_load_what_is_accepted_is_in_time_and_it_ends_with_the_load(kind: Kind) {
        let settings = [
            ("SERVER__MAX_DELAY_MS", "250"),
            ("DATABASE__ACQUIRE_TIMEOUT_MS", "500"),
            ("TOKENS__REFRESH_GRACE_SECONDS", "300"),
        ];
        let deployment = Deployment::prepare_with(kind, &settings).await;
        let process = Arc::new(Process::start(&deployment.pages.environment).await);
        let mut chains = Vec::new();
        for _ in 0..WORKERS {
            chains.push(text(&deployment.tokens().await, "refresh_token"));
        }
        slow_down(&deployment.pages, kind).await;
        let few = load(&process, &deployment.client, &chains[..2], Duration::from_secs(1)).await;
        assert_eq!(few.refused, 0, "{few:?}");
        let before = process.resident_kib();
        let health = asked_all_the_time(&process);
        let many = load(&process, &deployment.client, &chains, Duration::from_secs(3)).await;
        let recovery = Instant::now();
        while process.refresh(&deployment.client, &chains[0]).await.status != 200 {
            assert!(recovery.elapsed() < Duration::from_secs(2), "it does not recover");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let slowest_health = health.stop().await;
        let grown = process.resident_kib().saturating_sub(before);
        assert!(many.refused > 0, "{many:?}");
        // A machine that is busy with other things is slow with a small load too.
        let in_time = Duration::from_secs(1).max(few.percentile(50) * 20);
        assert!(many.percentile(99) < in_time, "{:?} of {in_time:?}", many.percentile(99));
        let mut rates = vec![(few.per_second(), many.per_second())];
        // What else the machine does comes and goes; a throughput that collapses under load does so each time.
        while rates.last().is_some_and(|(few, many)| *many <= few / 2.0) && rates.len() < 4 {
            let few = load(&process, &deployment.client, &chains[..2], Duration::from_secs(1)).await;
            let many = load(&process, &deployment.client, &chains, Duration::from_secs(3)).await;
            rates.push((few.per_second(), many.per_second()));
        }
        assert!(rates.last().is_some_and(|(few, many)| *many > few / 2.0), "each time: {rates:?}");
        assert!(slowest_health < Duration::from_millis(500), "{slowest_health:?}");
        assert!(grown < 32 * 1024, "{grown} KiB");
    }
}

/// A user has at most fifty grants with a client.
const WORKERS: usize = 48;

/// From now on a refresh takes the database long: the machine's speed hardly counts.
async fn slow_down(server: &TestServer, kind: Kind) {
    let statements: &[&'static str] = match kind {
        Kind::Postgres => &[
            "CREATE FUNCTION slow() RETURNS trigger AS \
             'BEGIN PERFORM pg_sleep(0.04); RETURN NEW; END' LANGUAGE plpgsql",
            "CREATE TRIGGER slow BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION slow()",
        ],
        Kind::Sqlite => &["CREATE TRIGGER slow BEFORE UPDATE ON grants BEGIN SELECT \
             (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30000) SELECT max(x) FROM c); END"],
    };
    for statement in statements {
        server.sql(statement).await;
    }
}

/// What a load came to.
#[derive(Debug)]
struct Served {
    took: Vec<Duration>,
    refused: usize,
    time: Duration,
}

impl Served {
    fn per_second(&self) -> f64 {
        self.took.len() as f64 / self.time.as_secs_f64()
    }

    fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * percent / 100]
    }
}

/// Each chain refreshes as fast as it can, without heed of `Retry-After`. A refresh token stays good within its grace, so
/// each is used again and again.
async fn load(process: &Arc<Process>, client: &Registration, chains: &[String], time: Duration) -> Served {
    let begin = Instant::now();
    let mut workers = JoinSet::new();
    for token in chains {
        let (process, client, token) = (Arc::clone(process), client.clone(), token.clone());
        workers.spawn(async move {
            let mut served = Served { took: Vec::new(), refused: 0, time };
            while begin.elapsed() < time {
                let asked = Instant::now();
                let answer = process.refresh(&client, &token).await;
                match answer.status.as_u16() {
                    200 => served.took.push(asked.elapsed()),
                    _ => {
                        assert_refused(&answer);
                        served.refused += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
            served
        });
    }
    let each = workers.join_all().await;
    let refused = each.iter().map(|served| served.refused).sum();
    Served { took: each.into_iter().flat_map(|served| served.took).collect(), refused, time }
}

/// Asks for health and the keys until it is stopped.
struct Asking {
    stop: Arc<AtomicBool>,
    slowest: tokio::task::JoinHandle<Duration>,
}

fn asked_all_the_time(process: &Arc<Process>) -> Asking {
    let (process, stop) = (Arc::clone(process), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let slowest = tokio::spawn(async move {
        let mut took = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            for path in ["/healthz", "/jwks"] {
                let asked = Instant::now();
                assert_eq!(process.get(path, &[]).await.status, 200);
                took.push(asked.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        took.sort_unstable();
        // One in twenty may meet a busy machine.
        took[took.len() * 19 / 20]
    });
    Asking { stop, slowest }
}

impl Asking {
    async fn stop(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.slowest.await.unwrap()
    }
}
