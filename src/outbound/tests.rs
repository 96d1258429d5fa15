//! The client against a server on loopback: what it refuses, and what it bears.
//!
//! `fixtures` holds a certificate and key for localhost; the key of the authority that signed it was not kept.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::model::{ClientId, Household};
use crate::protocol::remote_uri::InvalidRemoteUri;
use crate::server::load::{self, Bounds, Load};

use super::{Limits, Outbound, OutboundError};

fn limits(allow_private: bool) -> Limits {
    Limits { allow_private, ca_file: None, timeout: Duration::from_secs(20), max_bytes: 1000 }
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src/outbound/fixtures", name].iter().collect()
}

/// Answers every connection with these bytes after a pause; counts those that are open at once.
async fn server(response: &'static str, pause: Duration) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&most);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (open, most) = (Arc::clone(&open), Arc::clone(&counted));
            tokio::spawn(async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                tokio::time::sleep(pause).await;
                let _ = stream.write_all(response.as_bytes()).await;
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, most)
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=7\r\n\r\n{}";

async fn get(limits: Limits, url: &str) -> Result<super::Fetched, OutboundError> {
    let outbound = Outbound::new(limits).unwrap();
    outbound.get(outbound.reserve(None).unwrap(), url, "application/json").await
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_before_connecting() {
    let (address, most) = server(GOOD, Duration::ZERO).await;
    for host in ["localhost", "localhost."] {
        let fetched = get(limits(false), &format!("https://{host}:{}/", address.port())).await;
        assert!(
            matches!(
                fetched,
                Err(OutboundError::Uri(InvalidRemoteUri::Private(_)) | OutboundError::Resolve(_))
            ),
            "{fetched:?}"
        );
    }
    assert_eq!(most.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_document_is_fetched_with_its_freshness() {
    let (address, _) = server(GOOD, Duration::ZERO).await;
    let fetched = get(limits(true), &format!("http://{address}/")).await.unwrap();
    assert_eq!((&*fetched.body, fetched.freshness), (&b"{}"[..], Some(7)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for (status, response) in [
        (301, "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        (307, "HTTP/1.1 307 Temporary\r\nLocation: https://id.example/\r\nContent-Length: 0\r\n\r\n"),
        (404, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        (204, "HTTP/1.1 204 No Content\r\n\r\n"),
    ] {
        let (address, _) = server(response, Duration::ZERO).await;
        let fetched = get(limits(true), &format!("http://{address}/")).await;
        assert!(matches!(fetched, Err(OutboundError::Status(found)) if found == status), "{fetched:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_cut_off() {
    let long = Box::leak(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1001)).into_boxed_str());
    let (address, _) = server(long, Duration::ZERO).await;
    let fetched = get(limits(true), &format!("http://{address}/")).await;
    assert!(matches!(fetched, Err(OutboundError::Body)), "{fetched:?}");
    let enough = Limits { max_bytes: 1001, ..limits(true) };
    assert_eq!(get(enough, &format!("http://{address}/")).await.unwrap().body.len(), 1001);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let long =
        Box::leak(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n{{}}", "x".repeat(100_000)).into_boxed_str());
    let (address, _) = server(long, Duration::ZERO).await;
    let fetched = get(limits(true), &format!("http://{address}/")).await;
    assert!(matches!(fetched, Err(OutboundError::Exchange(_))), "{fetched:?}");
}

#[tokio::test]
async fn a_slow_answer_ends_at_the_timeout() {
    let (address, _) = server(GOOD, Duration::from_secs(30)).await;
    let begun = Instant::now();
    let limits = Limits { timeout: Duration::from_millis(500), ..limits(true) };
    let fetched = get(limits, &format!("http://{address}/")).await;
    assert!(matches!(fetched, Err(OutboundError::Timeout)), "{fetched:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn one_host_gets_two_fetches_at_once() {
    let (address, most) = server(GOOD, Duration::from_millis(30)).await;
    let outbound = Arc::new(Outbound::new(limits(true)).unwrap());
    let fetches: Vec<_> = (0..10)
        .map(|_| {
            let (outbound, url) = (Arc::clone(&outbound), format!("http://{address}/"));
            tokio::spawn(async move { outbound.get(outbound.reserve(None).unwrap(), &url, "*/*").await })
        })
        .collect();
    for fetch in fetches {
        fetch.await.unwrap().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), super::room::AT_ONCE_PER_HOST);
}

/// A server with a certificate for localhost by the authority of the fixtures.
async fn tls_server() -> SocketAddr {
    let chain =
        CertificateDer::pem_file_iter(fixture("localhost.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("localhost.key.pem")).unwrap();
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(GOOD.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    address
}

#[tokio::test]
async fn https_needs_a_certificate_of_a_trusted_authority_for_the_host() {
    let address = tls_server().await;
    let trusting = || Limits { ca_file: Some(fixture("authority.pem")), ..limits(true) };
    let url = format!("https://127.0.0.1:{}/", address.port());
    assert_eq!(&*get(trusting(), &url).await.unwrap().body, b"{}");
    let stranger = get(limits(true), &url).await;
    assert!(matches!(stranger, Err(OutboundError::Connect(_))), "{stranger:?}");
    let other_host = get(trusting(), &format!("https://127.0.0.2:{}/", address.port())).await;
    assert!(matches!(other_host, Err(OutboundError::Connect(_))), "{other_host:?}");
}

#[test]
fn a_file_without_certificates_is_refused() {
    for name in ["absent.pem", "localhost.key.pem"] {
        let limits = Limits { ca_file: Some(fixture(name)), ..limits(false) };
        assert!(matches!(Outbound::new(limits), Err(OutboundError::Certificates { .. })), "{name}");
    }
}

#[test]
fn a_client_has_few_fetches_at_once_and_leaves_room_for_others() {
    let outbound = Outbound::new(limits(true)).unwrap();
    let (first, second) = (ClientId::new("first"), ClientId::new("second"));
    let held: Vec<_> = (0..4).map(|_| outbound.reserve(Some(&first)).unwrap()).collect();
    assert!(outbound.reserve(Some(&first)).is_err_and(|error| error.is_busy()));
    assert!(outbound.reserve(Some(&second)).is_ok());
    drop(held);
    assert!(outbound.reserve(Some(&first)).is_ok());
}

#[test]
fn an_address_has_a_quarter_of_all_fetches() {
    let outbound = Outbound::new(limits(true)).unwrap();
    let load = Load::new(Bounds { requests: 9, per_address: 9, waiting: 9 });
    let reserve = |last: u8| {
        let mut slot = load.take(Some(Household::of([192, 0, 2, last].into())));
        load::within(&mut slot, || outbound.reserve(None))
    };
    let held: Vec<_> = (0..super::room::AT_ONCE / 4).map(|_| reserve(1).unwrap()).collect();
    assert!(reserve(1).is_err_and(|error| error.is_busy()));
    assert!(reserve(2).is_ok());
    drop(held);
    assert!(reserve(1).is_ok());
}

#[tokio::test]
async fn a_host_that_stalls_keeps_few_waiting() {
    let (address, _) = server(GOOD, Duration::from_secs(5)).await;
    let outbound = Arc::new(Outbound::new(limits(true)).unwrap());
    let fetches: Vec<_> = (0..super::room::PER_HOST + 3)
        .map(|_| {
            let (outbound, url) = (Arc::clone(&outbound), format!("http://{address}/"));
            tokio::spawn(async move { outbound.get(outbound.reserve(None).unwrap(), &url, "*/*").await })
        })
        .collect();
    let mut busy = 0;
    for fetch in fetches {
        busy += usize::from(fetch.await.unwrap().is_err_and(|error| error.is_busy()));
    }
    assert_eq!(busy, 3);
}
