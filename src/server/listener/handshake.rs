//! The beginning of a TLS connection, held to the time of a request head.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

/// Its sender goes when the server ends.
pub(super) type Stopping = watch::Receiver<()>;

/// A handshake in progress. It runs in the connection's own task: nobody waits for it to be accepted.
pub(super) struct Handshake {
    pub accept: Accept<TcpStream>,
    pub limit: Duration,
    /// Who has not begun to ask by then is not waited for.
    pub stopping: Stopping,
}

impl Handshake {
    pub(super) async fn done(mut self) -> io::Result<TlsStream<TcpStream>> {
        tokio::select! {
            done = tokio::time::timeout(self.limit, self.accept) => done?,
            _ = self.stopping.changed() => Err(io::Error::other("the server stops")),
        }
    }
}
