//! A tiny web server on loopback whose one document the test changes, and which can misbehave.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The server; it ends when this is dropped.
pub struct Documents {
    pub url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    /// The whole response, as it goes over the wire.
    response: Mutex<Vec<u8>>,
    delay: Mutex<Duration>,
    requests: AtomicUsize,
}

impl Drop for Documents {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Documents {
    pub async fn serve(document: &Value) -> Self {
        Self::serve_at([127, 0, 0, 1], document).await
    }

    /// At this address of the loopback interface: hosts are told apart by theirs.
    pub async fn serve_at(address: [u8; 4], document: &Value) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((address, 0))).await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let state = Arc::new(State {
            response: Mutex::default(),
            delay: Mutex::default(),
            requests: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        let documents = Self { url, state, task };
        documents.publish(document, "");
        documents
    }

    /// Answers with this document and these headers, each ended by `\r\n`.
    pub fn publish(&self, document: &Value, headers: &str) {
        let body = document.to_string();
        let length = body.len();
        self.answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}\r\n{body}"));
    }

    /// Answers with these bytes.
    pub fn answer(&self, response: impl Into<Vec<u8>>) {
        *self.state.response.lock().unwrap() = response.into();
    }

    /// Waits before each answer.
    pub fn delay(&self, delay: Duration) {
        *self.state.delay.lock().unwrap() = delay;
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(respond(stream, Arc::clone(&state)));
    }
}

async fn respond(mut stream: TcpStream, state: Arc<State>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.extend_from_slice(&byte);
    }
    state.requests.fetch_add(1, Ordering::SeqCst);
    let (delay, response) = (*state.delay.lock().unwrap(), state.response.lock().unwrap().clone());
    tokio::time::sleep(delay).await;
    let _ = stream.write_all(&response).await;
    let _ = stream.shutdown().await;
}
