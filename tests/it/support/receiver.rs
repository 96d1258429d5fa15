//! A client's own server on loopback: it keeps the bodies that are posted to it, and answers as the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The server; it ends when this is dropped.
pub struct Receiver {
    pub url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    status: Mutex<&'static str>,
    delay: Mutex<Duration>,
    received: Mutex<Vec<(String, String)>>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/logout?x=1", listener.local_addr().unwrap());
        let state = Arc::new(State {
            status: Mutex::new("200 OK"),
            delay: Mutex::default(),
            received: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { url, state, task }
    }

    /// Answers with this status line.
    pub fn answer(&self, status: &'static str) {
        *self.state.status.lock().unwrap() = status;
    }

    /// Waits before each answer.
    pub fn delay(&self, delay: Duration) {
        *self.state.delay.lock().unwrap() = delay;
    }

    /// Head and body of every request so far.
    pub fn received(&self) -> Vec<(String, String)> {
        self.state.received.lock().unwrap().clone()
    }

    /// The logout tokens that came so far.
    pub fn logout_tokens(&self) -> Vec<String> {
        let token = |(_, body): (String, String)| {
            let mut pairs = url::form_urlencoded::parse(body.as_bytes());
            pairs.find(|(name, _)| name == "logout_token").map(|(_, token)| token.into_owned())
        };
        self.received().into_iter().filter_map(token).collect()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(respond(stream, Arc::clone(&state)));
    }
}

async fn respond(mut stream: TcpStream, state: Arc<State>) {
    let Some(request) = read(&mut stream).await else { return };
    state.received.lock().unwrap().push(request);
    let (delay, status) = (*state.delay.lock().unwrap(), *state.status.lock().unwrap());
    tokio::time::sleep(delay).await;
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(request).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, String::from_utf8(body).ok()?))
}
