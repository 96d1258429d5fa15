//! A service over HTTPS on loopback, as an operator would run one for the token hook: it keeps what it was sent and answers
//! what the test says. Its certificate is that of the fixtures of `src/outbound`.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderMap;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The service; it ends when this is dropped.
pub struct HookService {
    pub url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct HookRequest {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

struct State {
    answer: Mutex<(u16, Vec<u8>)>,
    delay: Mutex<Duration>,
    received: Mutex<Vec<HookRequest>>,
    connections: AtomicUsize,
}

impl Drop for HookService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src/outbound/fixtures", name].iter().collect()
}

impl HookService {
    /// A service that adds nothing.
    pub async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/token-hook", listener.local_addr().unwrap().port());
        let state = Arc::new(State {
            answer: Mutex::new((200, b"{}".to_vec())),
            delay: Mutex::default(),
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, acceptor(), Arc::clone(&state)));
        Self { url, state, task }
    }

    /// The file of the authority that signed the service's certificate.
    pub fn authority() -> String {
        fixture("authority.pem").display().to_string()
    }

    pub fn answer(&self, status: u16, body: impl Into<Vec<u8>>) {
        *self.state.answer.lock().unwrap() = (status, body.into());
    }

    /// Waits before each answer.
    pub fn delay(&self, delay: Duration) {
        *self.state.delay.lock().unwrap() = delay;
    }

    pub fn requests(&self) -> usize {
        self.state.received.lock().unwrap().len()
    }

    #[track_caller]
    pub fn nth(&self, number: usize) -> HookRequest {
        self.state.received.lock().unwrap()[number].clone()
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    #[track_caller]
    pub fn last(&self) -> HookRequest {
        self.state.received.lock().unwrap().last().cloned().expect("a request came")
    }
}

impl HookRequest {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

fn acceptor() -> TlsAcceptor {
    let chain =
        CertificateDer::pem_file_iter(fixture("localhost.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("localhost.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    // Dropped with this task: what is gone does not answer over an old connection either.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            state.connections.fetch_add(1, Ordering::SeqCst);
            let service = service_fn(|request| respond(request, Arc::clone(&state)));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    state.received.lock().unwrap().push(HookRequest { headers: head.headers, body });
    let (delay, (status, body)) = (*state.delay.lock().unwrap(), state.answer.lock().unwrap().clone());
    tokio::time::sleep(delay).await;
    Ok(Response::builder().status(status).body(Full::from(body)).unwrap())
}
