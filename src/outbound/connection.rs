//! One connection for one exchange: TCP to an address that was checked, TLS, HTTP/1.1.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use url::{Position, Url};

use super::error::OutboundError;

const USER_AGENT: &str = concat!("chancery/", env!("CARGO_PKG_VERSION"));
/// The largest response head: many times what a document's has.
const MAX_HEAD: usize = 16 * 1024;

/// A connection, encrypted or (to loopback in tests) not.
pub(super) type Stream = Box<dyn Duplex>;

pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// TLS 1.2 and 1.3 with the public authorities of Mozilla's list, and those of the operator.
pub(super) fn tls(ca_file: Option<&Path>) -> Result<TlsConnector, OutboundError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca_file {
        let refuse = |problem: String| OutboundError::Certificates { path: path.to_owned(), problem };
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
    }
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::Connect(io::Error::other(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Connects to `address`, and proves over TLS that the host of `url` is there.
pub(super) async fn open(address: SocketAddr, url: &Url, tls: &TlsConnector) -> io::Result<Stream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    // The brackets of an IPv6 address belong to the URL.
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, tcp).await?))
}

/// A GET of `url`.
pub(super) fn get(url: &Url, accept: &str) -> Result<Request<Full<Bytes>>, OutboundError> {
    Ok(addressed(Request::get(target(url)), url).header(header::ACCEPT, accept).body(Full::default())?)
}

/// A POST of a form to `url`.
pub(super) fn post_form(url: &Url, form: String) -> Result<Request<Full<Bytes>>, OutboundError> {
    Ok(addressed(Request::post(target(url)), url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(form))?)
}

/// What of a URL stands in the request line.
fn target(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

fn addressed(request: request::Builder, url: &Url) -> request::Builder {
    request
        .header(header::HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(header::USER_AGENT, USER_AGENT)
}

/// A request to `url` with these headers.
pub(super) fn request(
    method: &Method,
    url: &Url,
    headers: &[(HeaderName, &str)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, OutboundError> {
    let mut request = addressed(Request::builder().method(method).uri(target(url)), url);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    Ok(request.body(Full::new(body))?)
}

/// HTTP/1.1 on a connection: what sends requests, and what has to be driven meanwhile.
pub(super) async fn handshake(
    stream: Stream,
) -> Result<(SendRequest<Full<Bytes>>, http1::Connection<TokioIo<Stream>, Full<Bytes>>), OutboundError> {
    Ok(http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?)
}

/// One request on a connection of its own, and its answer. The body is read where it is wanted, up to `max_bytes`, and the status is 200.
pub(super) async fn exchange(
    stream: Stream,
    mut request: Request<Full<Bytes>>,
    max_bytes: Option<usize>,
) -> Result<Response<Bytes>, OutboundError> {
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    let (mut sender, connection) = handshake(stream).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = match max_bytes.filter(|_| head.status == StatusCode::OK) {
            Some(most) => {
                Limited::new(body, most).collect().await.map_err(|_| OutboundError::Body)?.to_bytes()
            }
            None => Bytes::new(),
        };
        Ok(Response::from_parts(head, body))
    };
    // The connection is driven here and nowhere else, so that it ends with the fetch.
    let mut connection = std::pin::pin!(connection);
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}

/// The certificates of a PEM file.
fn certificates(
    path: &Path,
) -> Result<Vec<tokio_rustls::rustls::pki_types::CertificateDer<'static>>, OutboundError> {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    let fail = |problem: String| OutboundError::Certificates { path: path.to_owned(), problem };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fail(format!("it cannot be read as PEM: {error}")))?;
    if found.is_empty() { Err(fail("it holds no certificate".to_owned())) } else { Ok(found) }
}
