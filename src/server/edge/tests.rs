//! The rules that hold for every request.

use std::io::Write;
use std::sync::{LazyLock, Mutex};

use axum::Extension;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::config::{LogFormat, Settings};
use crate::telemetry::Line;

fn settings(changes: &[(&str, &str)]) -> ServerSettings {
    let environment =
        changes.iter().map(|(key, value)| (format!("CHANCERY_SERVER__{key}"), value.to_string()));
    Settings::load(None, environment).unwrap().server
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/who", get(|Extension(ClientAddress(client)): Extension<ClientAddress>| async move {
            client.to_string()
        }))
        .route("/id", get(async || request::with(|facts| facts.unwrap().id.to_string())))
        .route("/own", get(|| async { [(REFERRER_POLICY, "same-origin")] }))
        .route("/panic", get(panics))
        .route("/slow", get(std::future::pending::<()>))
        .route("/failing", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/body", post(|body: Bytes| async move { body.len().to_string() }))
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn answer(changes: &[(&str, &str)], request: Request) -> (StatusCode, HeaderMap, String) {
    LazyLock::force(&LOG);
    let response = layers(router(), &settings(changes), watch()).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn watch() -> Watch {
    Watch::new(&std::sync::Arc::default(), crate::observe::Listener::Public)
}

fn request(path: &str) -> Request {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

fn from_peer(path: &str, headers: &[(&str, &str)]) -> Request {
    let peer: SocketAddr = "10.0.0.1:4711".parse().unwrap();
    let mut builder = Request::builder().uri(path).extension(ConnectInfo(peer));
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_a_handler_may_set_its_own() {
    for path in ["/", "/nowhere", "/panic"] {
        let (_, headers, _) = answer(&[], request(path)).await;
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[X_FRAME_OPTIONS], "DENY", "{path}");
        assert_eq!(headers[REFERRER_POLICY], "no-referrer", "{path}");
        assert!(headers.contains_key(X_REQUEST_ID), "{path}");
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY), "plain http has no HSTS");
    }
    let (_, headers, _) = answer(&[], request("/own")).await;
    assert_eq!(headers.get_all(REFERRER_POLICY).iter().collect::<Vec<_>>(), ["same-origin"]);
    let (_, headers, _) = answer(&[("ISSUER", "https://id.example.com")], request("/")).await;
    assert_eq!(headers[STRICT_TRANSPORT_SECURITY], "max-age=31536000");
}

#[tokio::test]
async fn a_request_id_is_made_unless_a_trusted_proxy_gives_one() {
    let (_, headers, body) = answer(&[], from_peer("/id", &[("x-request-id", "mine")])).await;
    assert_eq!(headers[X_REQUEST_ID], body);
    assert_eq!(body.len(), 22);
    let trusting = [("TRUSTED_PROXIES", "10.0.0.0/8")];
    let (_, headers, body) = answer(&trusting, from_peer("/id", &[("x-request-id", "mine")])).await;
    assert_eq!((headers[X_REQUEST_ID].to_str().unwrap(), body.as_str()), ("mine", "mine"));
    let (_, _, body) = answer(&trusting, from_peer("/id", &[("x-request-id", "a b")])).await;
    assert_eq!(body.len(), 22);
}

#[tokio::test]
async fn the_client_address_is_the_peers_unless_a_trusted_proxy_forwards() {
    let forwarded = [("x-forwarded-for", "198.51.100.1")];
    assert_eq!(answer(&[], from_peer("/who", &forwarded)).await.2, "10.0.0.1");
    let trusting = [("TRUSTED_PROXIES", "10.0.0.0/8")];
    assert_eq!(answer(&trusting, from_peer("/who", &forwarded)).await.2, "198.51.100.1");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_goes_on() {
    let (status, headers, body) = answer(&[], request("/panic")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    assert_eq!(body, r#"{"error":"server_error"}"#);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_503() {
    let (status, _, body) = answer(&[("REQUEST_TIMEOUT_SECONDS", "1")], request("/slow")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("temporarily_unavailable"), "{body}");
}

#[tokio::test]
async fn a_body_is_limited_whether_it_tells_its_length_or_not() {
    let limit = [("MAX_BODY_BYTES", "1024")];
    let told = |length| {
        let request = Request::builder().method("POST").uri("/body");
        request.body(Body::from(vec![b'a'; length])).unwrap()
    };
    let untold = |length| told(length).map(|body| Body::new(Untold(body)));
    for request in [told(1024), untold(1024)] {
        let (status, _, body) = answer(&limit, request).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "1024"));
    }
    for request in [told(1025), untold(1025)] {
        let (status, headers, body) = answer(&limit, request).await;
        assert_eq!(
            (status, &headers[CONTENT_TYPE]),
            (StatusCode::PAYLOAD_TOO_LARGE, &HeaderValue::from_static("application/json"))
        );
        assert!(body.contains("invalid_request"), "{body}");
    }
}

#[tokio::test]
async fn every_503_says_when_to_try_again() {
    let (_, headers, _) = answer(&[("REQUEST_TIMEOUT_SECONDS", "1")], request("/slow")).await;
    assert_eq!(headers[RETRY_AFTER], "1");
    assert!(!answer(&[], request("/failing")).await.1.contains_key(RETRY_AFTER));
}

#[tokio::test]
async fn pages_of_other_origins_may_call_what_is_theirs_and_read_why_it_was_refused() {
    let edge = |cors| {
        let settings = settings(&[("MAX_BODY_BYTES", "1024")]);
        layers_with(router(), &settings, watch(), Overload::default(), cors)
    };
    let ask = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).header("origin", "https://spa.example");
        request.body(Body::from(vec![b'a'; if method == "POST" { 1025 } else { 0 }])).unwrap()
    };
    for (cors, path, methods) in [
        (Cors::Nothing, "/token", None),
        (Cors::Endpoints, "/token", Some("GET,POST")),
        (Cors::Endpoints, "/register", None),
        (Cors::Endpoints, "/", None),
        (Cors::EndpointsAndRegistration, "/register/abc", Some("GET,POST,PUT,DELETE")),
    ] {
        let (status, preflight, _) = send(&edge(cors), ask("OPTIONS", path)).await;
        assert_eq!(status == StatusCode::OK, methods.is_some(), "{cors:?} {path}");
        let allowed = preflight.get("access-control-allow-methods").map(|value| value.to_str().unwrap());
        assert_eq!(allowed, methods, "{cors:?} {path}");
        let (status, refused, _) = send(&edge(cors), ask("POST", path)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        for headers in [preflight, refused] {
            assert_eq!(
                headers.contains_key("access-control-allow-origin"),
                methods.is_some(),
                "{cors:?} {path}"
            );
            assert!(!headers.contains_key("access-control-allow-credentials"));
        }
    }
}

fn overloadable(most: &str) -> Edge {
    let overload = Overload {
        exempt: vec!["/id".to_owned()],
        page: Router::new().fallback(async || (StatusCode::SERVICE_UNAVAILABLE, "a page")),
    };
    layers_with(router(), &settings(&[("MAX_REQUESTS", most)]), watch(), overload, Cors::Endpoints)
}

async fn send(edge: &Edge, request: Request) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = edge.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn more_requests_than_allowed_are_refused_at_once_and_no_longer_than_needed() {
    let edge = overloadable("2");
    let held: Vec<_> = (0..2).map(|_| tokio::spawn(edge.clone().oneshot(request("/slow")))).collect();
    tokio::task::yield_now().await;
    let (status, headers, body) = send(&edge, request("/")).await;
    assert_eq!((status, &headers[RETRY_AFTER]), (StatusCode::SERVICE_UNAVAILABLE, &AGAIN_SOON));
    assert!(body.contains("temporarily_unavailable"), "{body}");
    assert_eq!(send(&edge, request("/id")).await.0, StatusCode::OK, "this one is always answered");
    let mut browsers = request("/");
    browsers.headers_mut().insert("accept", HeaderValue::from_static("text/html,*/*;q=0.8"));
    let (status, headers, body) = send(&edge, browsers).await;
    assert_eq!((status.as_u16(), body.as_str()), (503, "a page"));
    assert_eq!(
        (&headers[RETRY_AFTER], &headers[X_FRAME_OPTIONS]),
        (&AGAIN_SOON, &HeaderValue::from_static("DENY"))
    );
    held.iter().for_each(tokio::task::JoinHandle::abort);
    tokio::task::yield_now().await;
    assert_eq!(send(&edge, request("/")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_refused_here_is_counted_by_its_cause() {
    let requests = Arc::<observe::Requests>::default();
    let settings = settings(&[("REQUEST_TIMEOUT_SECONDS", "1"), ("MAX_BODY_BYTES", "1024")]);
    let edge = layers(router(), &settings, Watch::new(&requests, observe::Listener::Public));
    let large = Request::post("/body").body(Body::from(vec![b'a'; 1025])).unwrap();
    for request in [request("/slow"), request("/panic"), large, request("/failing")] {
        send(&edge, request).await;
    }
    let causes = [Outcome::TimedOut, Outcome::Panicked, Outcome::TooLarge, Outcome::ServerError];
    let counted = causes.map(|outcome| requests.outcomes.of((observe::Endpoint::Other, outcome)));
    assert_eq!(counted, [1, 1, 1, 1]);
}

#[tokio::test]
async fn whoever_sends_a_body_slowly_takes_nobodys_place() {
    let edge = overloadable("1");
    let never = Request::post("/body").body(Body::new(Never(0))).unwrap();
    let _held = tokio::spawn(edge.clone().oneshot(never));
    tokio::task::yield_now().await;
    assert_eq!(send(&edge, request("/")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_large_is_refused_before_it_comes() {
    let never = Request::post("/body").body(Body::new(Never(1025))).unwrap();
    let changes = [("MAX_BODY_BYTES", "1024"), ("REQUEST_TIMEOUT_SECONDS", "1")];
    assert_eq!(answer(&changes, never).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_that_never_comes_is_a_503() {
    let never = Request::post("/body").body(Body::new(Never(0))).unwrap();
    let (status, _, body) = answer(&[("REQUEST_TIMEOUT_SECONDS", "1")], never).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("temporarily_unavailable"), "{body}");
}

/// A body of which nothing comes, though it told at least this length.
struct Never(u64);

impl HttpBody for Never {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let mut hint = hyper::body::SizeHint::new();
        hint.set_lower(self.0);
        hint
    }
}

/// A body that does not tell its length, like a chunked one.
struct Untold(Body);

impl HttpBody for Untold {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// One log for all tests of this process: which events are wanted is remembered for the process, so a
/// log of one test's own would miss those that another test met first.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(log.clone());
    builder.event_format(Line(LogFormat::Text)).try_init().unwrap();
    log
});

#[tokio::test]
async fn the_log_has_method_path_and_id_but_neither_query_nor_credentials() {
    let bearer = [("authorization", "Bearer hunter2"), ("cookie", "session=hunter2")];
    let (_, failed, _) = answer(&[], from_peer("/failing?code=hunter2", &bearer)).await;
    let (_, completed, _) = answer(&[], from_peer("/?state=hunter2", &bearer)).await;
    let text = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    let line = |headers: &HeaderMap| {
        let id = headers[X_REQUEST_ID].to_str().unwrap();
        text.lines().find(|line| line.contains(id)).unwrap()
    };
    let (failed, completed) = (line(&failed), line(&completed));
    assert!(failed.contains("ERROR") && failed.contains("/failing") && failed.contains("status=502"));
    assert!(completed.contains("DEBUG") && completed.contains("GET") && completed.contains("status=200"));
    assert!(!text.contains("hunter2"), "{text}");
}
