//! One address does its worst; another one's requests all succeed, and hardly later than when nobody else is there.
//!
//! A row of docs/fair-shares.md is a function here: what the one address does, and what the other one asks meanwhile. In CI a
//! row takes two seconds in a debug build; `scripts/fair-shares` takes ten, with the release binary, and prints the table.

mod requests;

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use crate::support::{Deployment, Process, Registration, encode};

/// The variable that makes rows long, and their bound strict.
const SECONDS: &str = "CHANCERY_FAIR_SHARE_SECONDS";
/// What a debug build beside other tests may take at the 99th percentile, whatever it took before.
const SLOW_MACHINE: Duration = Duration::from_millis(1500);
/// What is no delay that anybody notices, in a release build.
const UNNOTICED: Duration = Duration::from_millis(10);

/// Somebody at an address of their own on the loopback interface.
pub struct Caller {
    base: String,
    client: Client<HttpConnector, Body>,
}

impl Caller {
    pub fn at(address: Ipv4Addr, process: &Process) -> Arc<Self> {
        let mut connector = HttpConnector::new();
        connector.set_local_address(Some(address.into()));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Arc::new(Self { base: format!("http://{}", process.address), client })
    }

    /// The status of the answer; 0 where there is none.
    pub async fn send(&self, mut request: Request<Body>) -> u16 {
        *request.uri_mut() = format!("{}{}", self.base, request.uri()).parse::<Uri>().unwrap();
        let Ok(answer) = self.client.request(request).await else { return 0 };
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX).await;
        if body.is_ok() { status } else { 0 }
    }

    pub async fn get(&self, path: &str) -> u16 {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, client: Option<&Registration>, form: &[(&str, &str)]) -> u16 {
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(client) = client {
            let credentials = STANDARD.encode(format!("{}:{}", client.id, client.secret));
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        self.send(request.body(Body::from(encode(form))).unwrap()).await
    }
}

/// One thing that somebody does, over and over: by whom, and the how manieth time.
pub type Deed = Arc<dyn Fn(Arc<Caller>, usize) -> Pin<Box<dyn Future<Output = u16> + Send>> + Send + Sync>;

/// Makes a deed of an async closure.
pub fn deed<F>(what: impl Fn(Arc<Caller>, usize) -> F + Send + Sync + 'static) -> Deed
where
    F: Future<Output = u16> + Send + 'static,
{
    Arc::new(move |caller, number| Box::pin(what(caller, number)))
}

/// A row: what one address does, by so many at once, and what another asks meanwhile.
pub struct Row {
    pub name: &'static str,
    /// In CI; four times as many where rows are long.
    pub at_once: usize,
    /// Before whoever was turned away comes again.
    pub pause: Duration,
    pub attack: Deed,
    /// A status of 200 is a success.
    pub bystander: Deed,
}

/// What the bystander saw.
struct Seen {
    took: Vec<Duration>,
    failures: usize,
}

impl Seen {
    fn p99(&self) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * 99 / 100]
    }
}

/// Holds a server to a row.
pub async fn hold(deployment: &Deployment, process: &Process, row: Row) {
    let seconds = std::env::var(SECONDS).ok().map(|seconds| seconds.parse().unwrap());
    let time = Duration::from_secs(seconds.unwrap_or(2));
    let bystander = Caller::at(Ipv4Addr::new(127, 0, 0, 3), process);
    let attacker = Caller::at(Ipv4Addr::new(127, 0, 0, 2), process);
    let idle = ask(&bystander, &row.bystander, time / 2).await;
    assert_eq!(idle.failures, 0, "{}: while nobody else is there", row.name);
    let mut attack = JoinSet::new();
    let at_once = if seconds.is_some() { row.at_once * 4 } else { row.at_once };
    for first in 0..at_once {
        let (attacker, deed, pause) = (Arc::clone(&attacker), Arc::clone(&row.attack), row.pause);
        attack.spawn(async move {
            for number in (first..).step_by(at_once) {
                if deed(Arc::clone(&attacker), number).await != 200 {
                    tokio::time::sleep(pause).await;
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let attacked = ask(&bystander, &row.bystander, time).await;
    attack.shutdown().await;
    let is_file = deployment.pages.environment_of("DATABASE__URL").starts_with("sqlite");
    let database = if is_file { "SQLite" } else { "Postgres" };
    let (before, during) = (idle.p99(), attacked.p99());
    println!(
        "FAIR | {} | {} | {:.1} ms | {:.1} ms | {} of {} |",
        row.name,
        database,
        before.as_secs_f64() * 1000.0,
        during.as_secs_f64() * 1000.0,
        attacked.failures,
        attacked.took.len()
    );
    assert_eq!(attacked.failures, 0, "{}: of {}", row.name, attacked.took.len());
    let least = if seconds.is_some() { UNNOTICED } else { SLOW_MACHINE };
    assert!(during <= (before * 3).max(least), "{}: {during:?}, idle {before:?}", row.name);
}

/// Asks one thing after another, twenty times a second at most.
async fn ask(caller: &Arc<Caller>, what: &Deed, time: Duration) -> Seen {
    let (begin, mut seen) = (Instant::now(), Seen { took: Vec::new(), failures: 0 });
    while begin.elapsed() < time {
        let asked = Instant::now();
        let status = what(Arc::clone(caller), seen.took.len()).await;
        seen.failures += usize::from(status != 200);
        seen.took.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    seen
}
