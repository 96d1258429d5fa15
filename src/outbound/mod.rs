//! The one HTTP client for what the server fetches from elsewhere, or sends there, at addresses that others chose.
//!
//! It is hardened against being used to reach what only this machine can (server-side request forgery): https only; the
//! address is checked after the name was resolved, and the connection goes to that very address, so that no second
//! answer of the resolver counts; an address written in the URL passes the same check; no redirect is followed; no proxy
//! variable is read; time, size, and the number of fetches at once are limited; a connection is used once.

mod channel;
mod connection;
mod documents;
mod error;
mod flights;
pub(crate) mod remote_keys;
mod response;
mod room;
pub mod sector_identifier;
pub(crate) mod token_hook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tracing::Span;
use url::{Host, Url};

use crate::cache::{self, Cache};
use crate::config::OutboundSettings;
use crate::model::ClientId;
use crate::observe::span;
use crate::protocol::remote_uri::{self, InvalidRemoteUri};

pub use channel::{Channel, ChannelLimits, Reach, Reply};
pub use documents::Documents;
pub use error::OutboundError;
pub use flights::Flights;
pub use response::Fetched;
pub use room::Room;
use room::{RoomOfHost, Rooms};

/// What is told to clients at once.
const POSTS: usize = 32;
/// Hosts whose fetches are counted.
const HOSTS: u64 = 1_000;
/// A name that resolves to more addresses than this is only tried at the first ones.
const ADDRESSES: usize = 4;

/// What the client may do; `[outbound]` of the settings.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Also private addresses, and plain http to loopback: for tests.
    pub allow_private: bool,
    /// Certificates (PEM) to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// For the whole fetch; connecting may take half of it.
    pub timeout: Duration,
    pub max_bytes: usize,
}

/// The client. Cheap to share, one per process.
pub struct Outbound {
    limits: Limits,
    tls: TlsConnector,
    rooms: Rooms,
    posts: Semaphore,
    by_host: Cache<String, Arc<RoomOfHost>>,
}

/// What of an answer is wanted.
#[derive(Clone, Copy)]
enum Wanted {
    /// All of it up to so many bytes, for somebody who waits.
    Document(usize),
    /// Nothing else: something was told, and nobody waits.
    Status,
}

impl Wanted {
    fn bytes(self) -> Option<usize> {
        match self {
            Self::Document(most) => Some(most),
            Self::Status => None,
        }
    }
}

impl Outbound {
    /// As the settings say.
    pub fn open(settings: &OutboundSettings) -> Result<Self, OutboundError> {
        Self::new(Limits {
            allow_private: settings.allow_private,
            ca_file: settings.ca_file.clone(),
            timeout: settings.timeout,
            max_bytes: settings.max_bytes,
        })
    }

    pub fn new(limits: Limits) -> Result<Self, OutboundError> {
        let tls = connection::tls(limits.ca_file.as_deref())?;
        let by_host = cache::recent(HOSTS).build();
        Ok(Self { limits, tls, rooms: Rooms::new(), posts: Semaphore::new(POSTS), by_host })
    }

    /// The longest that a fetch can take.
    pub fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// The room to fetch a document for the request that is being answered: of this client, or one that the operator has
    /// named. An error where too much is under way, for this client, for the address that asks, or for all.
    pub fn reserve(&self, client: Option<&ClientId>) -> Result<Room, OutboundError> {
        self.rooms.reserve(client)
    }

    /// Gets a document. Anything but 200 is an error.
    pub async fn get(&self, _room: Room, url: &str, accept: &str) -> Result<Fetched, OutboundError> {
        let url = remote_uri::check(url, self.limits.allow_private)?;
        let (span, request) = traced("GET", &url, connection::get(&url, accept)?);
        let (head, body) =
            self.exchange(&url, request, Wanted::Document(self.limits.max_bytes)).await?.into_parts();
        span::answered(&span, head.status.as_u16());
        match head.status {
            StatusCode::OK => Ok(Fetched { body, freshness: response::freshness(&head.headers) }),
            status => Err(OutboundError::Status(status)),
        }
    }

    /// Posts a form. Whatever is answered is the caller's to judge, by its status alone.
    pub async fn post_form(&self, url: &str, form: String) -> Result<StatusCode, OutboundError> {
        let url = remote_uri::check(url, self.limits.allow_private)?;
        let (span, request) = traced("POST", &url, connection::post_form(&url, form)?);
        let status = self.exchange(&url, request, Wanted::Status).await?.status();
        span::answered(&span, status.as_u16());
        Ok(status)
    }

    /// Sends a request to where `url` leads, within the limits.
    async fn exchange(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        wanted: Wanted,
    ) -> Result<Response<Bytes>, OutboundError> {
        let exchange = async {
            let host = url.host_str().unwrap_or_default().to_owned();
            let host = self.by_host.get_with(host, Arc::default);
            // No semaphore is ever closed, so a permit that is not given only means that none is held.
            let (_waits, _own) = match wanted {
                Wanted::Document(_) => {
                    (Some(host.waiting.try_acquire().map_err(|_| OutboundError::Busy)?), None)
                }
                Wanted::Status => (None, self.posts.acquire().await.ok()),
            };
            let _of_host = host.at_once.acquire().await;
            let stream = self.connect(url, self.reach()).await?;
            connection::exchange(stream, request, wanted.bytes()).await
        };
        tokio::time::timeout(self.limits.timeout, exchange).await.map_err(|_| OutboundError::Timeout)?
    }

    fn reach(&self) -> Reach {
        if self.limits.allow_private { Reach::Private } else { Reach::Public }
    }

    async fn connect(&self, url: &Url, reach: Reach) -> Result<connection::Stream, OutboundError> {
        let addresses = self.addresses(url, reach).await?;
        let mut last = OutboundError::Timeout;
        for address in addresses.into_iter().take(ADDRESSES) {
            let attempt = connection::open(address, url, &self.tls);
            match tokio::time::timeout(self.limits.timeout / 2, attempt).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = OutboundError::Connect(error),
                Err(_) => last = OutboundError::Timeout,
            }
        }
        Err(last)
    }

    /// Where the host of a URL is. One address that is not public refuses the name altogether: an honest name has none.
    async fn addresses(&self, url: &Url, reach: Reach) -> Result<Vec<SocketAddr>, OutboundError> {
        let port = url.port_or_known_default().ok_or(InvalidRemoteUri::Form)?;
        let found: Vec<SocketAddr> = match url.host().ok_or(InvalidRemoteUri::Form)? {
            Host::Ipv4(address) => vec![(address, port).into()],
            Host::Ipv6(address) => vec![(address, port).into()],
            Host::Domain(name) => {
                tokio::net::lookup_host((name, port)).await.map_err(OutboundError::Resolve)?.collect()
            }
        };
        let refused = found.iter().find(|address| !may_reach(url, **address, reach));
        match refused {
            Some(address) => Err(InvalidRemoteUri::Private(address.ip()).into()),
            None => Ok(found),
        }
    }
}

/// The request with the trace that it belongs to, if somebody collects, and its span.
fn traced(
    method: &'static str,
    url: &Url,
    mut request: Request<Full<Bytes>>,
) -> (Span, Request<Full<Bytes>>) {
    let span = span::outbound(method, url.host_str().unwrap_or_default());
    let context = span::traceparent(&span).and_then(|context| HeaderValue::try_from(context).ok());
    if let Some(context) = context {
        request.headers_mut().insert(span::TRACEPARENT, context);
    }
    (span, request)
}

fn may_reach(url: &Url, address: SocketAddr, reach: Reach) -> bool {
    match (reach, url.scheme()) {
        (Reach::Public, _) => remote_uri::is_public(address.ip()),
        (Reach::Private, "https") | (Reach::Anywhere, _) => true,
        (Reach::Private, _) => address.ip().is_loopback(),
    }
}

#[cfg(test)]
mod tests;
