//! The accept loop: connections are bounded in number, in the size and time of a request head, and at
//! shutdown in the time they get to finish.
//!
//! `axum::serve` has none of these bounds: it leaves half-sent heads open for ever.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::config::ServerLimits;
use crate::observe::Connections;

/// The pause after an accept that failed for want of something, such as file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is ready; then accepts no more, and returns when the requests in flight are
/// answered or the grace is over. Each request carries its peer as `ConnectInfo<SocketAddr>`.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    limits: &ServerLimits,
    watch: &Arc<Connections>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let graceful = GracefulShutdown::new();
    let http = protocol(limits);
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &places, watch) => accepted?,
        };
        let answer = answer_from(service.clone(), peer);
        let connection = http.serve_connection(TokioIo::new(stream), service_fn(answer));
        let connection = graceful.watch(connection);
        let (open, watch) = (watch.opened(), Arc::clone(watch));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                watch.broke();
                tracing::debug!(%error, "connection ended");
            }
            drop((permit, open));
        });
    }
    drop(listener);
    let open = graceful.count();
    if tokio::time::timeout(limits.shutdown_grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(open, "shutting down with connections still open after server.shutdown_grace_seconds");
    }
    Ok(())
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

fn protocol(limits: &ServerLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_header_bytes);
    http
}

/// The next connection, once there is room for it. One that fails on its way is not the listener's
/// end; a listener that fails again and again pauses rather than spins.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    watch: &Connections,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    if places.available_permits() == 0 {
        watch.delay();
    }
    let permit = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                return Ok((stream, peer, permit));
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

fn answer_from<S>(service: S, peer: SocketAddr) -> impl Fn(hyper::Request<Incoming>) -> S::Future
where
    S: Service<Request> + Clone,
{
    move |request| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        service.clone().call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    struct Running {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        ended: JoinHandle<io::Result<()>>,
    }

    async fn start(change: impl FnOnce(&mut ServerLimits)) -> Running {
        let mut limits = ServerLimits {
            max_connections: 100,
            max_header_bytes: 8192,
            header_timeout: Duration::from_millis(300),
            shutdown_grace: Duration::from_secs(5),
        };
        change(&mut limits);
        let router = Router::new()
            .route(
                "/",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }),
            )
            .route(
                "/slow",
                get(|| async {
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    "done"
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(async move {
            serve(listener, router, &limits, &Arc::default(), async {
                stopped.await.unwrap();
            })
            .await
        });
        Running { address, stop, ended }
    }

    async fn send(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Everything until the server closes.
    async fn rest(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }

    const CLOSE: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_half_sent_head_a_silent_and_an_idle_connection_are_closed_in_time() {
        let server = start(|_| {}).await;
        for text in ["GET / HTTP/1.1\r\nhost:", "", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
            let before = Instant::now();
            rest(send(server.address, text).await).await;
            let took = before.elapsed();
            assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(3), "{text:?} {took:?}");
        }
    }

    #[tokio::test]
    async fn a_handler_sees_its_peer() {
        let server = start(|_| {}).await;
        assert!(rest(send(server.address, CLOSE).await).await.ends_with("\r\n\r\n127.0.0.1"));
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let server = start(|_| {}).await;
        let text = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(9000));
        let answer = rest(send(server.address, &text).await).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test]
    async fn at_shutdown_a_request_in_flight_is_finished_and_a_new_connection_refused() {
        let server = start(|_| {}).await;
        let slow = send(server.address, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let idle = send(server.address, "").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.stop.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect(server.address).await.is_err());
        assert!(rest(slow).await.ends_with("done"));
        rest(idle).await;
        server.ended.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn shutdown_does_not_wait_longer_than_the_grace() {
        let server = start(|limits| limits.shutdown_grace = Duration::from_millis(50)).await;
        let _slow = send(server.address, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.stop.send(()).unwrap();
        let before = Instant::now();
        server.ended.await.unwrap().unwrap();
        assert!(before.elapsed() < Duration::from_millis(300));
    }

    #[tokio::test]
    async fn no_more_connections_are_served_at_once_than_allowed() {
        let server = start(|limits| {
            limits.max_connections = 2;
            limits.header_timeout = Duration::from_secs(30);
        })
        .await;
        let first = send(server.address, "").await;
        let _second = send(server.address, "").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let third = tokio::spawn(rest(send(server.address, CLOSE).await));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!third.is_finished());
        drop(first);
        let answer = tokio::time::timeout(Duration::from_secs(3), third).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
