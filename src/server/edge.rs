//! What every request passes first and every answer last: request id, client address, span for traces, the body, overload,
//! timeout, panics, security headers, CORS, and the note of how it ended.
//!
//! One service does all of it, instead of a stack of layers: each layer costs a clone and a boxed
//! future a request, and the answers of this server that matter most take microseconds. An answer
//! that is ready at the first poll never meets a timer.
//!
//! A handler is called with the whole body. Whoever sends one slowly holds a connection meanwhile, and nothing else.

mod body;
mod client_address;
mod refusal;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::header::{
    REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use tokio::time::{Sleep, sleep};
use tower::Service;
use tracing::Span;

use super::accept;
use super::cors::{self, Cors, Methods};
use crate::config::{ServerSettings, TrustedProxies};
use crate::model::Household;
use crate::observe::{self, Connections, Endpoint, Observed, Outcome, Watch, span};
use crate::protocol::ErrorCode;
use crate::request::{self, Facts, RequestId, X_REQUEST_ID};
use crate::server::load::{self, Bounds, Load, Slot};
use body::Receiving;
pub use client_address::ClientAddress;
use refusal::Refusal;

/// A year, as browsers' preload lists ask for at least.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Seconds, with every 503: what is refused for now is worth trying again soon.
const AGAIN_SOON: HeaderValue = HeaderValue::from_static("1");

/// On every answer, unless the handler set its own.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Headers of an answer when everybody has added theirs, so that there is room at once.
pub(crate) const MOST_HEADERS: usize = 12;

/// Marks an answer that pages of other origins may hold in a frame.
#[derive(Debug, Clone, Copy)]
pub struct MayBeFramed;

/// The router behind everything that holds for every request.
#[derive(Clone)]
pub struct Edge(Arc<Rules>);

struct Rules {
    router: Router,
    load: Arc<Load>,
    overload: Overload,
    cors: Cors,
    trusted_proxies: TrustedProxies,
    max_body_bytes: usize,
    request_timeout: Duration,
    strict_transport: bool,
    watch: Watch,
}

/// What is done with a request when there are too many.
#[derive(Default)]
pub struct Overload {
    /// These paths are answered all the same: whoever asks for them must know how things are, and they cost nearly nothing.
    pub exempt: Vec<String>,
    /// Answers browsers, with a page; others get JSON.
    pub page: Router,
}

/// Puts `router` behind the rules for every request.
pub fn layers(router: Router, settings: &ServerSettings, watch: Watch) -> Edge {
    layers_with(router, settings, watch, Overload::default(), Cors::Nothing)
}

/// The same, where a listener has something of its own to say in an overload, or to pages of other origins.
pub fn layers_with(
    router: Router,
    settings: &ServerSettings,
    watch: Watch,
    overload: Overload,
    cors: Cors,
) -> Edge {
    let rules = Rules {
        router,
        load: Load::new(bounds(settings)),
        overload,
        cors,
        trusted_proxies: settings.trusted_proxies.clone(),
        max_body_bytes: settings.max_body_bytes,
        request_timeout: settings.request_timeout,
        // RFC 6797 7.2: not over plain http
        strict_transport: !settings.issuer.is_loopback_http(),
        watch,
    };
    Edge(Arc::new(rules))
}

fn bounds(settings: &ServerSettings) -> Bounds {
    Bounds {
        requests: settings.max_requests,
        per_address: settings.max_requests_per_address,
        waiting: settings.max_waiting,
    }
}

impl<B> Service<Request<B>> for Edge
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer<B> {
        let (mut parts, body) = request.into_parts();
        let (facts, trusted) = self.0.identify(&mut parts);
        let id = facts.id;
        let observed = self.0.watch.begin(parts.uri.path());
        let headers = trusted.then_some(&parts.headers);
        Answer {
            span: span::server(parts.method.as_str(), observed.endpoint, &id, headers),
            state: State::Receiving(Receiving::new(body, self.0.max_body_bytes)),
            parts: Some(parts),
            rules: self.0.clone(),
            id,
            facts: Some(facts),
            deadline: None,
            observed,
        }
    }
}

impl Edge {
    /// Its connections.
    pub fn connections(&self) -> &Arc<Connections> {
        self.0.watch.connections()
    }

    /// What this listener has in hand.
    pub fn load(&self) -> &Arc<Load> {
        &self.0.load
    }
}

impl Rules {
    /// Finds out who asks, which goes into the request's extensions, and names the request. Also whether the peer is
    /// a proxy whose headers count.
    fn identify(&self, parts: &mut Parts) -> (Facts, bool) {
        let peer = parts.extensions.get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let client = ClientAddress::of(peer, &parts.headers, &self.trusted_proxies);
        let is_trusted = self.trusted_proxies.contains(peer);
        let given = parts.headers.get(X_REQUEST_ID).filter(|_| is_trusted);
        let id = given.and_then(RequestId::from_header).unwrap_or_else(RequestId::random);
        parts.extensions.insert(client);
        let facts = Facts {
            id,
            address: client.0,
            user_agent: parts.headers.get(USER_AGENT).cloned(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
        };
        (facts, is_trusted)
    }

    /// Hands a whole request to the router, unless there are too many, or a browser asks whether it may send one.
    fn enter<B>(&self, parts: Parts, body: Bytes, endpoint: Endpoint) -> State<B> {
        if parts.method == Method::OPTIONS
            && let Some(methods) = self.cors.methods(endpoint)
        {
            return State::Preflight(methods);
        }
        let is_exempt = self.overload.exempt.iter().any(|path| path == parts.uri.path());
        let slot = if is_exempt { None } else { self.load.take(self.household(&parts)) };
        if slot.is_none() && !is_exempt {
            return self.shed(parts);
        }
        let request = Request::from_parts(parts, Body::from(body));
        State::Running { future: self.router.clone().call(request), slot }
    }

    /// None: a trusted proxy that does not say for whom it asks.
    fn household(&self, parts: &Parts) -> Option<Household> {
        let ClientAddress(address) = parts.extensions.get()?;
        (!self.trusted_proxies.contains(*address)).then(|| Household::of(*address))
    }

    fn shed<B>(&self, parts: Parts) -> State<B> {
        self.load.note_refusal();
        if !accept::prefers(&parts.headers, "text/html") {
            return State::Refused(Refusal::Overloaded);
        }
        State::Shed(self.overload.page.clone().call(Request::from_parts(parts, Body::empty())))
    }
}

/// The answer to one request, on its way.
pub struct Answer<B> {
    state: State<B>,
    /// Until the body is there.
    parts: Option<Parts>,
    rules: Arc<Rules>,
    id: RequestId,
    /// None while it is polled, and they are current.
    facts: Option<Facts>,
    /// For those who collect traces.
    span: Span,
    deadline: Option<Pin<Box<Sleep>>>,
    observed: Observed,
}

enum State<B> {
    Receiving(Receiving<B>),
    Running {
        future: RouteFuture<Infallible>,
        /// None where it is answered even in an overload, and while it waits for somebody else's server.
        slot: Option<Slot>,
    },
    /// A browser is told of the overload.
    Shed(RouteFuture<Infallible>),
    /// A browser is told what pages of other origins may send.
    Preflight(Methods),
    Refused(Refusal),
}

impl<B> Future for Answer<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Moved out, not cloned: a clone of a span is counted.
        let span = std::mem::replace(&mut this.span, Span::none());
        let mut facts = this.facts.take();
        let advance = || {
            let outer = observe::swap(this.observed.spent);
            let polled = this.advance(cx);
            this.observed.spent = observe::swap(outer);
            polled.map(|response| this.finish(response, &span))
        };
        let polled = request::within(&mut facts, || span.in_scope(advance));
        (this.facts, this.span) = (facts, span);
        polled.map(Ok)
    }
}

impl<B> Answer<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Response> {
        if let State::Receiving(receiving) = &mut self.state {
            match receiving.poll(cx) {
                Poll::Pending => return self.wait(cx),
                Poll::Ready(Err(refusal)) => self.state = State::Refused(refusal),
                Poll::Ready(Ok(body)) => self.enter(body),
            }
        }
        let polled = match &mut self.state {
            State::Running { future, slot } => load::within(slot, || run(future, cx)),
            State::Shed(future) => run(future, cx),
            State::Preflight(methods) => Poll::Ready(Ok(methods.preflight())),
            State::Refused(refusal) => Poll::Ready(Ok(refusal.response())),
            State::Receiving(_) => Poll::Pending,
        };
        match polled {
            Poll::Ready(Ok(response)) => Poll::Ready(response),
            Poll::Ready(Err(refusal)) => Poll::Ready(self.refuse(refusal)),
            Poll::Pending => self.wait(cx),
        }
    }

    /// The body is there.
    fn enter(&mut self, body: Bytes) {
        if let Some(parts) = self.parts.take() {
            self.state = self.rules.enter(parts, body, self.observed.endpoint);
        }
    }

    /// The handler is not ready, or the body is not there: the clock runs.
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
        self.set_headers(&mut response);
        let (outcome, status) = (self.outcome(&response), response.status().as_u16());
        let took = self.observed.end(outcome);
        span::ended(span, status, outcome);
        // What is shed is counted: a line for each would be more work than the answer.
        if response.status().is_server_error() && outcome != Outcome::Overloaded {
            tracing::error!(status, "request failed");
        } else {
            tracing::debug!(status, microseconds = took.as_micros() as u64, "request completed");
        }
        response
    }

    fn outcome(&self, response: &Response) -> Outcome {
        match (&self.state, response.extensions().get::<ErrorCode>()) {
            (State::Refused(refusal), _) => refusal.outcome(),
            (State::Shed(_), _) => Outcome::Overloaded,
            (_, Some(code)) => Outcome::Refused(*code),
            (_, None) => Outcome::of_status(response.status().as_u16()),
        }
    }

    fn set_headers(&self, response: &mut Response) {
        let framed = response.extensions().get::<MayBeFramed>().is_some();
        let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        for (name, value) in HEADERS.into_iter().filter(|(name, _)| !framed || name != X_FRAME_OPTIONS) {
            headers.entry(name).or_insert(value);
        }
        if unavailable {
            headers.entry(RETRY_AFTER).or_insert(AGAIN_SOON);
        }
        if self.rules.strict_transport {
            headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
        }
        if let Some(id) = self.id.header() {
            headers.insert(X_REQUEST_ID, id);
        }
        if self.rules.cors.methods(self.observed.endpoint).is_some() {
            cors::share(headers);
        }
    }
}

/// What a handler shares with others is behind locks and channels of its own, so a panic leaves nothing half-changed that
/// this process would go on with.
fn run(future: &mut RouteFuture<Infallible>, cx: &mut Context<'_>) -> Poll<Result<Response, Refusal>> {
    match catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(cx))) {
        Ok(polled) => polled.map(|Ok(response)| Ok(response)),
        Err(_) => Poll::Ready(Err(Refusal::Panicked)),
    }
}
