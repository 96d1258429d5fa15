//! A way to one URL that the operator chose, kept open: many small requests, each over a connection that an earlier one
//! has left, where there is one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::header::HeaderName;
use hyper::{Method, Request, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use super::{Outbound, OutboundError, connection};

/// Requests at once; more wait, within their timeout.
const AT_ONCE: usize = 64;
/// Connections kept for later.
const IDLE: usize = 16;
/// A connection is not used again when it is older than this: the name may lead elsewhere by then.
const OLDEST: Duration = Duration::from_secs(60);

/// Which addresses a connection may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    Public,
    /// Also private ones; by plain http only this machine.
    Private,
    /// Also by plain http. Only for a URL that the operator has written.
    Anywhere,
}

/// What one request may take.
#[derive(Debug, Clone, Copy)]
pub struct ChannelLimits {
    pub reach: Reach,
    /// For the whole exchange, connecting included.
    pub timeout: Duration,
    pub max_bytes: usize,
}

/// The way to one URL. One per process, shared.
pub struct Channel {
    outbound: Arc<Outbound>,
    url: Url,
    limits: ChannelLimits,
    idle: Mutex<Vec<Connection>>,
    at_once: Semaphore,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    opened: Instant,
}

/// An answer of any status.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Channel {
    pub fn new(outbound: Arc<Outbound>, url: Url, limits: ChannelLimits) -> Self {
        let limits = ChannelLimits { reach: limits.reach.max(outbound.reach()), ..limits };
        Self { outbound, url, limits, idle: Mutex::default(), at_once: Semaphore::new(AT_ONCE) }
    }

    /// Sends a request with these headers, and waits for the answer. Redirects are answers like others.
    pub async fn send(
        &self,
        method: Method,
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> Result<Reply, OutboundError> {
        let request = || connection::request(&method, &self.url, headers, body.clone());
        let exchange = async {
            // It is never closed, so a permit that is not given only means that none is held.
            let _permit = self.at_once.acquire().await;
            if let Some(left) = self.take() {
                match self.send_on(left, request()?).await {
                    // The other side may close an idle connection at the moment it is used: that says nothing yet.
                    Err(OutboundError::Exchange(_)) => {}
                    result => return result,
                }
            }
            let fresh = self.open().await?;
            self.send_on(fresh, request()?).await
        };
        tokio::time::timeout(self.limits.timeout, exchange).await.map_err(|_| OutboundError::Timeout)?
    }

    async fn send_on(
        &self,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, OutboundError> {
        connection.sender.ready().await?;
        let answer = connection.sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        // A connection whose answer was not read to its end is not kept.
        let body =
            Limited::new(body, self.limits.max_bytes).collect().await.map_err(|_| OutboundError::Body)?;
        self.keep(connection);
        Ok(Reply { status: head.status, body: body.to_bytes() })
    }

    async fn open(&self) -> Result<Connection, OutboundError> {
        let stream = self.outbound.connect(&self.url, self.limits.reach).await?;
        let (sender, driver) = connection::handshake(stream).await?;
        // It ends when the sender is dropped, or the other side closes.
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection that was kept open broke off");
            }
        });
        Ok(Connection { sender, opened: Instant::now() })
    }

    /// The connection that was left last, if it is still good.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| connection.opened.elapsed() < OLDEST && !connection.sender.is_closed());
        idle.pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }
}
