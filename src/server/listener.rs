//! The accept loop: connections are bounded in number, in all and for one address, in the size and time of a request head,
//! in the time of a TLS handshake, in the time they stay idle or let an answer wait, and at shutdown in the time they get to finish.
//!
//! `axum::serve` has none of these bounds: it leaves half-sent heads open for ever.

mod handshake;
mod head;
mod shares;
#[cfg(test)]
mod tests;
mod timeouts;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch as signal};
use tokio_rustls::TlsAcceptor;
use tower::{BoxError, Service};

use crate::config::ServerSettings;
use crate::observe::{Connections, Open};
use crate::server::load::Share;
use handshake::{Handshake, Stopping};
use shares::Shares;
use timeouts::{Phase, Timed, Timeouts};

type Request = hyper::Request<Incoming>;

/// The pause after an accept that failed for want of something, such as file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a connection that is idle at shutdown may bring one more request: a proxy that has not noticed yet may be
/// sending it already, and does not repeat a POST on another connection.
const LINGER: Duration = Duration::from_secs(2);

/// Serves until `shutdown` is ready; then accepts no more, closes each connection after its next answer, and returns when
/// all are closed or the grace is over. Each request carries its peer as `ConnectInfo<SocketAddr>`. Without `tls` it is plain HTTP.
pub async fn serve<S>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S,
    settings: &ServerSettings,
    watch: &Arc<Connections>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let limits = &settings.limits;
    let room = Room {
        connections: Arc::new(Semaphore::new(limits.max_connections)),
        shares: Shares::new(limits.max_connections_per_address, settings.trusted_proxies.clone()),
    };
    let timeouts =
        Timeouts { head: limits.header_timeout, idle: limits.idle_timeout, answer: limits.write_timeout };
    let graceful = GracefulShutdown::new();
    // Without a timer of hyper's: `timeouts` has its own.
    let mut http = http1::Builder::new();
    http.max_buf_size(limits.max_header_bytes);
    let (stop, stopping) = signal::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &room, watch) => accepted?,
        };
        let held = (place, watch.opened());
        let connection = Connection {
            http: http.clone(),
            watcher: graceful.watcher(),
            timeouts,
            service: service.clone(),
            most: limits.max_header_bytes,
            peer,
            stopping: stopping.clone(),
        };
        let watch = Arc::clone(watch);
        match &tls {
            None => drop(tokio::spawn(hold(held, watch, connection.serve(stream)))),
            Some(tls) => {
                let (accept, stopping) = (tls.accept(stream), stopping.clone());
                let handshake = Handshake { accept, limit: limits.header_timeout, stopping };
                let served = async move { connection.serve(handshake.done().await?).await };
                drop(tokio::spawn(hold(held, watch, served)));
            }
        }
    }
    drop((listener, stop));
    let open = graceful.count();
    let closed = async {
        let all = room.connections.acquire_many(limits.max_connections as u32);
        // Whether all are closed, or the idle ones are to be.
        let _ = tokio::time::timeout(LINGER.min(limits.shutdown_grace / 2), all).await;
        graceful.shutdown().await;
    };
    if tokio::time::timeout(limits.shutdown_grace, closed).await.is_err() {
        tracing::warn!(open, "shutting down with connections still open after server.shutdown_grace_seconds");
    }
    Ok(())
}

/// Keeps what a connection holds until it has ended.
async fn hold(
    held: (Place, Open),
    watch: Arc<Connections>,
    ended: impl Future<Output = Result<(), BoxError>>,
) {
    if let Err(error) = ended.await {
        watch.broke();
        tracing::debug!(%error, "connection ended");
    }
    drop(held);
}

/// What a connection is served with, once there is a stream to speak HTTP on.
struct Connection<S> {
    http: http1::Builder,
    watcher: Watcher,
    timeouts: Timeouts,
    service: S,
    /// Bytes of a request head.
    most: usize,
    peer: SocketAddr,
    stopping: Stopping,
}

impl<S> Connection<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), BoxError> {
        let stream = Timed::new(stream, self.timeouts);
        let answers = answers(self.service, self.most, self.peer, stream.phase(), self.stopping);
        let connection = self.http.serve_connection(TokioIo::new(stream), answers);
        Ok(self.watcher.watch(connection).await?)
    }
}

/// Listens for SIGTERM and SIGINT from now on; what it returns is ready at the first of them. Call it before anybody
/// is told that the server runs: a signal that comes earlier ends the process at once.
pub fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// How many connections there may be.
struct Room {
    connections: Arc<Semaphore>,
    shares: Shares,
}

/// The place of one connection, until it is dropped.
type Place = (OwnedSemaphorePermit, Option<Share>);

/// The next connection, once there is room for it. One that fails on its way, or that is one too many of its address, is
/// not the listener's end; a listener that fails again and again pauses rather than spins.
async fn accept(
    listener: &TcpListener,
    room: &Room,
    watch: &Connections,
) -> io::Result<(TcpStream, SocketAddr, Place)> {
    if room.connections.available_permits() == 0 {
        watch.delay();
    }
    let permit = room.connections.clone().acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Ok(share) = room.shares.take(peer.ip()) else {
                    watch.exceed();
                    continue;
                };
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                return Ok((stream, peer, (permit, share)));
            }
            Err(error) if is_the_connections_own(&error) => {}
            Err(error) => {
                watch.refuse();
                tracing::error!(%error, "no connection could be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_the_connections_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What answers the requests of one connection.
fn answers<S>(
    service: S,
    most: usize,
    peer: SocketAddr,
    phase: Phase,
    stopping: Stopping,
) -> impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + Send
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send,
    S::Future: Send,
{
    // One a connection, so that no request counts for all.
    let stopping = Arc::new(stopping);
    service_fn(move |mut request: Request| {
        request.extensions_mut().insert(ConnectInfo(peer));
        phase.serving();
        let (mut service, phase, stopping) = (service.clone(), phase.clone(), Arc::clone(&stopping));
        async move {
            // Made where it is awaited: it is large, and would be moved.
            let mut answer = match head::size(&request) <= most {
                true => service.call(request).await?,
                false => head::too_large(),
            };
            phase.served();
            if stopping.has_changed().is_err() {
                // RFC 9112 9.6
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        }
    })
}
