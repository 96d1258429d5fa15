//! What every request passes first and every answer last: request id, client address, trace span,
//! body limit, timeout, panics, security headers, and the note of how it ended.
//!
//! One service does all of it, instead of a stack of layers: each layer costs a clone and a boxed
//! future a request, and the answers of this server that matter most take microseconds. An answer
//! that is ready at the first poll never meets a timer.

mod body_limit;
mod client_address;
mod request_id;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, USER_AGENT,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use tokio::time::{Sleep, sleep};
use tower::Service;
use tracing::Span;

use crate::audit::{self, Origin};
use crate::config::{ServerSettings, TrustedProxies};
use crate::observe::{self, Observed, Outcome, Watch, span};
use crate::protocol::ErrorCode;
use body_limit::{Limited, Size};
pub use client_address::ClientAddress;
pub use request_id::{RequestId, X_REQUEST_ID};

/// A year, as browsers' preload lists ask for at least.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// On every answer, unless the handler set its own.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Marks an answer that pages of other origins may hold in a frame.
#[derive(Debug, Clone, Copy)]
pub struct MayBeFramed;

/// The longest path that goes into the log.
const LONGEST_PATH: usize = 200;

/// The router behind everything that holds for every request.
#[derive(Clone)]
pub struct Edge {
    inner: Router,
    rules: Arc<Rules>,
}

struct Rules {
    trusted_proxies: TrustedProxies,
    max_body_bytes: u64,
    request_timeout: Duration,
    strict_transport: bool,
    watch: Watch,
}

/// Puts `router` behind the rules for every request.
pub fn layers(router: Router, settings: &ServerSettings, watch: Watch) -> Edge {
    let rules = Rules {
        trusted_proxies: settings.trusted_proxies.clone(),
        max_body_bytes: settings.max_body_bytes as u64,
        request_timeout: settings.request_timeout,
        // RFC 6797 7.2: not over plain http
        strict_transport: !settings.issuer.is_loopback_http(),
        watch,
    };
    Edge { inner: router, rules: Arc::new(rules) }
}

impl Service<Request> for Edge {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Answer {
        let (origin, trusted) = self.identify(&mut request);
        let id = origin.request_id;
        let observed = self.rules.watch.begin(request.uri().path());
        let span = span(&request, &id);
        let headers = trusted.then(|| request.headers());
        let traced = span::server(&span, request.method().as_str(), observed.endpoint, id.as_str(), headers);
        let span = traced.unwrap_or(span);
        let mut answer = Answer {
            state: State::Refused(Refusal::TooLarge),
            rules: self.rules.clone(),
            id,
            origin: Some(origin),
            span,
            deadline: None,
            exceeded: None,
            observed,
        };
        match Size::of(&request, self.rules.max_body_bytes) {
            Size::TooLarge => return answer,
            Size::Fits => {}
            Size::Unknown => {
                let (limited, exceeded) = Limited::wrap(request, self.rules.max_body_bytes);
                (request, answer.exceeded) = (limited, Some(exceeded));
            }
        }
        answer.state = State::Running(self.inner.call(request));
        answer
    }
}

impl Edge {
    /// Finds out who asks, names the request, and puts both into its extensions. Also whether the peer is a proxy whose
    /// headers count.
    fn identify(&self, request: &mut Request) -> (Origin, bool) {
        let peer = request.extensions().get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let trusted = &self.rules.trusted_proxies;
        let client = ClientAddress::of(peer, request.headers(), trusted);
        let is_trusted = trusted.contains(peer);
        let given = request.headers().get(X_REQUEST_ID).filter(|_| is_trusted);
        let id = given.and_then(RequestId::from_header).unwrap_or_else(RequestId::random);
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(id);
        let user_agent = request.headers().get(USER_AGENT).cloned();
        (Origin { address: client.0, user_agent, request_id: id }, is_trusted)
    }
}

/// Method and path only: a query may hold codes and states, a header holds credentials. The span is
/// at the error level so that every event of a request carries it whatever the level of the log is.
fn span(request: &Request, id: &RequestId) -> Span {
    let path = request.uri().path();
    let path = &path[..path.floor_char_boundary(LONGEST_PATH)];
    tracing::error_span!("request", id = id.as_str(), method = request.method().as_str(), path)
}

/// The answer to one request, on its way.
pub struct Answer {
    state: State,
    rules: Arc<Rules>,
    id: RequestId,
    origin: Option<Origin>,
    span: Span,
    deadline: Option<Pin<Box<Sleep>>>,
    exceeded: Option<Arc<AtomicBool>>,
    observed: Observed,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every request is running: a box would be one more allocation"
)]
enum State {
    Running(RouteFuture<Infallible>),
    Refused(Refusal),
}

#[derive(Clone, Copy)]
enum Refusal {
    TooLarge,
    TimedOut,
    Panicked,
}

impl Future for Answer {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Moved out, not cloned: a clone of a span is counted.
        let span = std::mem::replace(&mut this.span, Span::none());
        let polled = span.in_scope(|| {
            let outer = observe::swap(this.observed.spent);
            let polled = this.advance(cx);
            this.observed.spent = observe::swap(outer);
            polled.map(|response| this.finish(response, &span))
        });
        this.span = span;
        polled.map(Ok)
    }
}

impl Answer {
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Response> {
        match &mut self.state {
            State::Refused(refusal) => Poll::Ready(refusal.response()),
            // What a handler shares with others is behind locks and channels of its own, so a panic
            // leaves nothing half-changed that this process would go on with.
            State::Running(future) => {
                let poll = || catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(cx)));
                match audit::within(&mut self.origin, poll) {
                    Ok(Poll::Ready(Ok(response))) => Poll::Ready(response),
                    Ok(Poll::Pending) => self.wait(cx),
                    Err(_) => Poll::Ready(self.refuse(Refusal::Panicked)),
                }
            }
        }
    }

    /// The handler is not ready: the clock runs.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Response> {
        let timeout = self.rules.request_timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
        deadline.as_mut().poll(cx).map(|()| self.refuse(Refusal::TimedOut))
    }

    /// Answers in place of the handler, which is dropped at once.
    fn refuse(&mut self, refusal: Refusal) -> Response {
        self.state = State::Refused(refusal);
        refusal.response()
    }

    fn finish(&mut self, mut response: Response, span: &Span) -> Response {
        if self.exceeded.as_ref().is_some_and(|exceeded| exceeded.load(Ordering::Relaxed)) {
            response = self.refuse(Refusal::TooLarge);
        }
        self.set_headers(&mut response);
        let (outcome, status) = (self.outcome(&response), response.status().as_u16());
        let took = self.observed.end(outcome);
        span::ended(span, status, outcome);
        if response.status().is_server_error() {
            tracing::error!(status, "request failed");
        } else {
            tracing::debug!(status, microseconds = took.as_micros() as u64, "request completed");
        }
        response
    }

    fn outcome(&self, response: &Response) -> Outcome {
        match (&self.state, response.extensions().get::<ErrorCode>()) {
            (State::Refused(refusal), _) => refusal.outcome(),
            (State::Running(_), Some(code)) => Outcome::Refused(*code),
            (State::Running(_), None) => Outcome::of_status(response.status().as_u16()),
        }
    }

    fn set_headers(&self, response: &mut Response) {
        let framed = response.extensions().get::<MayBeFramed>().is_some();
        let headers = response.headers_mut();
        for (name, value) in HEADERS.into_iter().filter(|(name, _)| !framed || name != X_FRAME_OPTIONS) {
            headers.entry(name).or_insert(value);
        }
        if self.rules.strict_transport {
            headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
        }
        if let Some(id) = self.id.header() {
            headers.insert(X_REQUEST_ID, id);
        }
    }
}

impl Refusal {
    fn outcome(self) -> Outcome {
        match self {
            Self::TooLarge => Outcome::TooLarge,
            Self::TimedOut => Outcome::TimedOut,
            Self::Panicked => Outcome::Panicked,
        }
    }

    fn response(self) -> Response {
        let (status, body) = match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                r#"{"error":"invalid_request","error_description":"the request body is too large"}"#,
            ),
            Self::TimedOut => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"temporarily_unavailable","error_description":"the request took too long; try again"}"#,
            ),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"server_error"}"#),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
