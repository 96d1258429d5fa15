//! A TCP relay before Postgres, so that a test can take the database away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Open,
    /// Connections end, and new ones end at once.
    Cut,
    /// Connections stay, and nothing comes through.
    Silent,
}

/// Ends when it is dropped.
pub struct Relay {
    pub address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// To this address.
    pub async fn to(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let line = Arc::new(watch::Sender::new(Line::Open));
        let (told, address) = (Arc::clone(&line), Arc::<str>::from(address));
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(relay(stream, Arc::clone(&address), told.subscribe()));
            }
        });
        Self { address: own, line, accepted, task }
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

/// One connection. What was silenced is not heard of any more.
async fn relay(mut near: TcpStream, to: Arc<str>, mut line: watch::Receiver<Line>) {
    if *line.borrow() == Line::Open {
        let mut far = TcpStream::connect(&*to).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = line.wait_for(|line| *line != Line::Open) => {}
        }
    }
    let _ = line.wait_for(|line| *line != Line::Silent).await;
}
