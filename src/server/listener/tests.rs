//! The accept loop, over real connections.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::config::{ServerLimits, Settings};

/// More than the buffers of both systems take.
const LARGE: usize = 32 << 20;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<()>>,
    connections: Arc<Connections>,
}

async fn start(change: impl FnOnce(&mut ServerLimits)) -> Running {
    let mut settings = Settings::load(None, []).unwrap().server;
    settings.limits = ServerLimits {
        max_connections: 100,
        max_connections_per_address: 100,
        max_header_bytes: 8192,
        header_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(900),
        write_timeout: Duration::from_millis(300),
        shutdown_grace: Duration::from_secs(5),
    };
    change(&mut settings.limits);
    let router = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
        .route("/large", get(|| async { vec![b'x'; LARGE] }))
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
    let connections = Arc::<Connections>::default();
    let watch = Arc::clone(&connections);
    let ended = tokio::spawn(async move {
        serve(listener, None, router, &settings, &watch, async {
            stopped.await.unwrap();
        })
        .await
    });
    Running { address, stop, ended, connections }
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

/// How long the server keeps a connection on which nothing more happens.
async fn patience_with(server: &Running, text: &str) -> u128 {
    let before = Instant::now();
    rest(send(server.address, text).await).await;
    before.elapsed().as_millis()
}

const HEAD: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_half_sent_head_and_a_silent_connection_are_closed_in_time() {
    let server = start(|limits| limits.idle_timeout = Duration::from_secs(60)).await;
    for text in ["GET / HTTP/1.1\r\nhost:", ""] {
        let took = patience_with(&server, text).await;
        assert!((250..5000).contains(&took), "{text:?} {took}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_and_closed_in_time() {
    let server = start(|_| {}).await;
    let two = HEAD.repeat(2);
    for text in [HEAD, two.as_str()] {
        let took = patience_with(&server, text).await;
        assert!((850..5000).contains(&took), "{text:?} {took}");
    }
}

#[tokio::test]
async fn a_second_head_gets_no_more_time_than_the_first() {
    let server = start(|limits| limits.idle_timeout = Duration::from_secs(60)).await;
    let mut stream = send(server.address, HEAD).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stream.write_all(b"GET / HT").await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(5), rest(stream)).await.unwrap();
    assert!(answer.ends_with("127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_gets_no_more_time() {
    let server = start(|_| {}).await;
    let mut stream = send(server.address, HEAD).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = Instant::now();
    for _ in 0..100 {
        if stream.write_all(b"G").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(before.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_busy_connection_lasts_longer_than_any_of_its_times() {
    let server = start(|_| {}).await;
    let mut stream = send(server.address, "").await;
    let (begin, end) = HEAD.split_at(10);
    for _ in 0..6 {
        stream.write_all(begin.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(end.as_bytes()).await.unwrap();
        let mut bytes = [0; 1024];
        let length = stream.read(&mut bytes).await.unwrap();
        assert!(bytes[..length].ends_with(b"127.0.0.1"), "each head has its own time");
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
}

#[tokio::test]
async fn a_handler_may_take_longer_than_a_head() {
    let server = start(|_| {}).await;
    let text = "GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(rest(send(server.address, text).await).await.ends_with("done"));
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_cut_off_though_it_takes_a_byte_now_and_then() {
    let server = start(|limits| limits.max_connections = 1).await;
    let text = "GET /large HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut slow = send(server.address, text).await;
    let reading = tokio::spawn(async move {
        let mut byte = [0];
        while slow.read(&mut byte).await.is_ok_and(|length| length > 0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let next = rest(send(server.address, CLOSE).await);
    let answer = tokio::time::timeout(Duration::from_secs(5), next).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "its place is free again: {answer}");
    assert!(server.connections.delayed() > 0);
    reading.abort();
}

#[tokio::test]
async fn a_client_that_takes_its_answer_in_steps_gets_no_more_time() {
    let server = start(|limits| {
        limits.write_timeout = Duration::from_secs(1);
        limits.idle_timeout = Duration::from_secs(60);
    })
    .await;
    let text = "GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let (mut slow, mut bytes, mut taken) = (send(server.address, text).await, vec![0; 1 << 20], 0);
    while let Ok(length) = slow.read_exact(&mut bytes).await {
        taken += length;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(taken < LARGE, "{taken}");
}

#[tokio::test]
async fn every_answer_has_its_own_time_to_be_taken() {
    let server = start(|limits| {
        limits.write_timeout = Duration::from_secs(2);
        limits.idle_timeout = Duration::from_secs(60);
    })
    .await;
    let mut stream = send(server.address, "").await;
    let mut bytes = vec![0; LARGE];
    for _ in 0..2 {
        stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        stream.read_exact(&mut bytes).await.unwrap();
        // The head is as long as what of the body is left.
        let left = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        stream.read_exact(&mut bytes[..left]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
    }
}

#[tokio::test]
async fn a_client_that_takes_a_large_answer_gets_all_of_it() {
    let server = start(|limits| limits.write_timeout = Duration::from_secs(20)).await;
    let text = "GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(rest(send(server.address, text).await).await.len() > LARGE);
}

#[tokio::test]
async fn an_address_holds_no_more_connections_than_its_share() {
    let server = start(|limits| {
        limits.max_connections_per_address = 2;
        limits.header_timeout = Duration::from_secs(30);
    })
    .await;
    let first = send(server.address, "").await;
    let _second = send(server.address, "").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = TcpStream::connect(server.address).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(3), third.read(&mut [0])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
    let connections = &server.connections;
    assert_eq!((connections.surplus(), connections.refused(), connections.delayed()), (1, 0, 0));
    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(rest(send(server.address, CLOSE).await).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_handler_sees_its_peer() {
    let server = start(|_| {}).await;
    assert!(rest(send(server.address, CLOSE).await).await.ends_with("\r\n\r\n127.0.0.1"));
}

#[tokio::test]
async fn a_head_of_exactly_the_bytes_that_are_allowed_is_served_and_one_more_is_not() {
    for most in [8192, 32_768] {
        let server = start(|limits| limits.max_header_bytes = most).await;
        let head = |in_target: usize, in_header: usize| {
            let (query, value) = ("q".repeat(in_target), "v".repeat(in_header));
            format!("GET /?{query} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {value}\r\n\r\n")
        };
        let spare = most - head(0, 0).len();
        let status =
            async |head: String| rest(send(server.address, &head).await).await.get(9..12).map(str::to_owned);
        for (target, header) in [(0, spare), (spare, 0), (spare / 2, spare - spare / 2)] {
            assert_eq!(
                status(head(target, header)).await.as_deref(),
                Some("200"),
                "{most} {target} {header}"
            );
            let more = status(head(target, header + 1)).await;
            assert_eq!(more.as_deref(), Some("431"), "{most} {target} {header}");
        }
        for beyond in [most / 4, most / 2, most - spare + most * 9 / 10] {
            let answer = status(head(0, spare + beyond)).await;
            assert!(answer.as_deref().is_none_or(|status| status == "431"), "{most} {beyond}: {answer:?}");
        }
    }
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
async fn at_shutdown_an_idle_connection_may_bring_one_more_request() {
    let server = start(|_| {}).await;
    let mut stream = send(server.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let read = stream.read(&mut [0; 1000]).await.unwrap();
    assert!(read > 0);
    let before = Instant::now();
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    server.ended.await.unwrap().unwrap();
    assert!(before.elapsed() < LINGER, "it does not wait when there is nothing to wait for");
}

#[tokio::test]
async fn at_shutdown_an_idle_connection_that_brings_nothing_is_closed() {
    let server = start(|limits| limits.idle_timeout = Duration::from_secs(60)).await;
    let mut stream = send(server.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let read = stream.read(&mut [0; 1000]).await.unwrap();
    assert!(read > 0);
    let before = Instant::now();
    server.stop.send(()).unwrap();
    assert_eq!(rest(stream).await, "");
    server.ended.await.unwrap().unwrap();
    assert!((LINGER..LINGER * 2).contains(&before.elapsed()), "{:?}", before.elapsed());
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

/// Takes everything, and is never done with it.
struct Full;

impl AsyncWrite for Full {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn what_a_stream_buffers_has_to_be_taken_in_time_as_well() {
    let timeouts = Timeouts { head: Duration::MAX, idle: Duration::MAX, answer: Duration::from_millis(100) };
    let mut stream = Timed::new(Full, timeouts);
    stream.write_all(b"answer").await.unwrap();
    assert_eq!(stream.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(stream.shutdown().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
