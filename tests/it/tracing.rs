//! Traces as a collector gets them: a real process, a real OTLP request, read with the protocol's own types.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, header};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::clock::Clock;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{
    Answer, HookService, Kind, PASSWORD, Process, REDIRECT_URI, Registration, START, TestServer, VERIFIER,
    encode, on_both, text,
};

const USER: &str = "ada-of-the-traces";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that keeps what it gets.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

impl Collector {
    async fn serve() -> (Self, String) {
        let collector = Self::default();
        let keep = async |State(collector): State<Self>, headers: HeaderMap, body: Bytes| {
            collector.0.lock().unwrap().push((headers, body));
        };
        let router = axum::Router::new().route("/v1/traces", post(keep)).with_state(collector.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, url)
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().iter().flat_map(|(_, body)| body.to_vec()).collect()
    }

    fn exports(&self) -> Vec<ExportTraceServiceRequest> {
        let kept = self.0.lock().unwrap();
        kept.iter().map(|(_, body)| ExportTraceServiceRequest::decode(body.clone()).unwrap()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.exports().into_iter().flat_map(|export| export.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The spans of one trace.
    fn of_trace(&self, trace: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| hex(&span.trace_id) == trace).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => panic!("{key} is {other:?} in {span:?}"),
    }
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// A database with a client and a user, whose pages run in this process, and a process that exports its traces.
struct Deployment {
    pages: TestServer,
    client: Registration,
    process: Process,
    collector: Collector,
}

impl Deployment {
    async fn start(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let pages = TestServer::start(kind).await;
        pages.advance(Clock::System.now().since(START));
        pages.user(USER).await;
        let grant_types = ["authorization_code", "refresh_token", "client_credentials", "password"];
        let client = pages.client(json!({"grant_types": grant_types, "first_party": true})).await;
        let (collector, url) = Collector::serve().await;
        let mut environment = pages.environment.clone();
        let own = [("TRACING__OTLP_ENDPOINT", url.as_str()), ("GRANTS__PASSWORD", "true")];
        for (name, value) in own.iter().chain(settings) {
            environment.push((format!("CHANCERY_{name}"), (*value).to_owned()));
        }
        let process = Process::start(&environment).await;
        Self { pages, client, process, collector }
    }

    /// A token request within a trace.
    async fn token(&self, trace: &str, form: &[(&str, &str)]) -> Answer {
        let credentials = STANDARD.encode(format!("{}:{}", self.client.id, self.client.secret));
        let request = Request::post("/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, format!("Basic {credentials}"))
            .header("traceparent", format!("00-{trace}-{PARENT}-01"))
            .header("tracestate", "vendor=opaque");
        self.process.try_send(request.body(Body::from(encode(form))).unwrap()).await.unwrap()
    }

    /// Ends the process, which sends its last spans.
    async fn ended(self) -> Collector {
        self.process.terminate();
        assert_eq!(self.process.ended().await, Some(0));
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.collector
    }
}

const TRUSTED: (&str, &str) = ("SERVER__TRUSTED_PROXIES", "127.0.0.1/32");

on_both! {
    async fn a_request_of_a_trusted_proxy_continues_its_trace_with_a_span_a_statement(kind: Kind) {
        let deployment = Deployment::start(kind, &[TRUSTED]).await;
        let code = deployment.pages.code(&deployment.client, USER, &[]).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let answer = deployment.token(TRACE, &form).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        let collector = deployment.ended().await;
        let spans = collector.of_trace(TRACE);
        let [server] = named(&spans, "POST /token")[..] else { panic!("{spans:?}") };
        assert_eq!(hex(&server.parent_span_id), PARENT);
        assert_eq!(server.kind, 2, "server");
        assert_eq!(attribute(server, "http.route"), "/token");
        assert_eq!(attribute(server, "http.request.method"), "POST");
        assert_eq!(attribute(server, "http.response.status_code"), "200");
        assert_eq!(attribute(server, "chancery.outcome"), "success");
        assert_eq!(attribute(server, "chancery.request.id"), answer.header("x-request-id"));
        let statements: Vec<&Span> =
            spans.iter().filter(|span| span.attributes.iter().any(|pair| pair.key == "db.query.text")).collect();
        // The client is not in the cache yet.
        let names: Vec<&str> = statements.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["select clients", "select grants", "update grants"]);
        let system = if kind == Kind::Postgres { "postgresql" } else { "sqlite" };
        for statement in &statements {
            assert_eq!(statement.parent_span_id, server.span_id);
            assert_eq!(attribute(statement, "db.system.name"), system);
            assert!(attribute(statement, "db.query.text").contains("$1"));
            assert!(statement.end_time_unix_nano > statement.start_time_unix_nano);
        }
        assert_eq!(attribute(statements[2], "db.operation.name"), "update");
        assert_eq!(attribute(statements[2], "db.collection.name"), "grants");
        let signed = named(&spans, "sign");
        assert_eq!(signed.len(), 2);
        assert!(signed.iter().all(|span| span.parent_span_id == server.span_id));
        assert_eq!(attribute(signed[0], "chancery.algorithm"), "ES256");
        let exports = collector.exports();
        let resource = exports[0].resource_spans[0].resource.as_ref().unwrap();
        let service = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
        assert!(matches!(&service.value.as_ref().unwrap().value, Some(Any::StringValue(name)) if name == "chancery"));
        let (headers, _) = collector.0.lock().unwrap()[0].clone();
        assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    }

    async fn nothing_secret_and_nothing_personal_is_in_a_trace(kind: Kind) {
        let deployment = Deployment::start(kind, &[TRUSTED]).await;
        let (pages, client) = (&deployment.pages, &deployment.client);
        let tokens = pages.tokens(client, USER).await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let by_password = [("grant_type", "password"), ("username", USER), ("password", PASSWORD)];
        let answer = deployment.token(TRACE, &by_password).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        let wrong = [("grant_type", "password"), ("username", USER), ("password", "typed-wrongly")];
        deployment.token(TRACE, &wrong).await.assert_error(400, "invalid_grant");
        let successor = deployment.token(TRACE, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
        deployment.process.post(client, "/introspect", &[("token", &access)]).await;
        let bearer = format!("Bearer {access}");
        deployment.process.get("/userinfo", &[("authorization", &bearer)]).await;
        deployment.process.get("/a-path-of-somebody?with=a-query-of-somebody", &[]).await;
        let authorization = pages.authorization(client, &[]);
        deployment.process.get(&authorization, &[("cookie", "__Host-browser=a-cookie-value")]).await;
        let secrets = [
            PASSWORD.to_owned(),
            "typed-wrongly".to_owned(),
            client.secret.clone(),
            client.id.clone(),
            access,
            refresh,
            text(&successor.json(), "access_token"),
            text(&successor.json(), "refresh_token"),
            text(&answer.json(), "access_token"),
            USER.to_owned(),
            "a-path-of-somebody".to_owned(),
            "a-query-of-somebody".to_owned(),
            "a-cookie-value".to_owned(),
            "af0ifjsldkj".to_owned(),
            "n-0S6_WzA2Mj".to_owned(),
            "127.0.0.1".to_owned(),
            "$argon2".to_owned(),
        ];
        let collector = deployment.ended().await;
        let spans = collector.spans();
        for expected in ["hash password", "POST /introspect", "GET /userinfo", "GET other", "GET /authorize"] {
            assert!(!named(&spans, expected).is_empty(), "{expected:?} is not exported, so this test sees nothing");
        }
        let exported = String::from_utf8_lossy(&collector.bytes()).into_owned();
        assert!(exported.contains("UPDATE grants"));
        for secret in secrets {
            assert!(!exported.contains(&secret), "{secret:?} is exported");
        }
    }
}

#[tokio::test]
async fn a_stranger_does_not_decide_what_is_traced() {
    let deployment = Deployment::start(Kind::Sqlite, &[("TRACING__SAMPLE_RATIO", "0")]).await;
    let form = [("grant_type", "client_credentials"), ("scope", "read")];
    assert_eq!(deployment.token(TRACE, &form).await.status.as_u16(), 200);
    assert!(deployment.ended().await.spans().is_empty());

    let deployment = Deployment::start(Kind::Sqlite, &[]).await;
    assert_eq!(deployment.token(TRACE, &form).await.status.as_u16(), 200);
    let collector = deployment.ended().await;
    assert!(collector.of_trace(TRACE).is_empty());
    let spans = collector.spans();
    let [server] = named(&spans, "POST /token")[..] else { panic!("{spans:?}") };
    assert!(server.parent_span_id.is_empty());
}

#[tokio::test]
async fn a_trusted_proxy_decides_whatever_the_ratio_is() {
    let deployment = Deployment::start(Kind::Sqlite, &[TRUSTED, ("TRACING__SAMPLE_RATIO", "0")]).await;
    let form = [("grant_type", "client_credentials"), ("scope", "read")];
    assert_eq!(deployment.token(TRACE, &form).await.status.as_u16(), 200);
    assert_eq!(named(&deployment.ended().await.of_trace(TRACE), "POST /token").len(), 1);
}

#[tokio::test]
async fn background_work_makes_no_traces_of_its_own() {
    let deployment = Deployment::start(Kind::Sqlite, &[]).await;
    // Longer than the pauses of what looks for changes and for clients to tell.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let spans = deployment.ended().await.spans();
    assert!(spans.is_empty(), "{spans:?}");
}

#[tokio::test]
async fn the_token_hook_gets_the_trace_that_its_request_belongs_to() {
    let hook = HookService::serve().await;
    hook.answer(200, "{}");
    let authority = HookService::authority();
    let settings = [
        TRUSTED,
        ("TOKEN_HOOK__URL", hook.url.as_str()),
        ("TOKEN_HOOK__SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("TOKEN_HOOK__ALLOW_PRIVATE", "true"),
        ("OUTBOUND__CA_FILE", authority.as_str()),
    ];
    let deployment = Deployment::start(Kind::Sqlite, &settings).await;
    let form = [("grant_type", "client_credentials"), ("scope", "read")];
    let answer = deployment.token(TRACE, &form).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let sent = hook.last();
    let spans = deployment.ended().await.of_trace(TRACE);
    let asked: Vec<&Span> = named(&spans, "POST");
    let [asked] = asked[..] else { panic!("{spans:?}") };
    assert_eq!(asked.kind, 3, "client");
    assert_eq!(sent.header("traceparent"), format!("00-{TRACE}-{}-01", hex(&asked.span_id)));
    assert_eq!(sent.header("tracestate"), "");
    assert_eq!(attribute(asked, "http.response.status_code"), "200");
    let [server] = named(&spans, "POST /token")[..] else { panic!("{spans:?}") };
    assert_eq!(asked.parent_span_id, server.span_id);
}

#[tokio::test]
async fn the_variables_of_opentelemetry_count_where_no_endpoint_is_set() {
    let pages = TestServer::start(Kind::Sqlite).await;
    let (collector, url) = Collector::serve().await;
    let mut environment = pages.environment.clone();
    let own = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collectors-token"),
        ("OTEL_SERVICE_NAME", "sign-in"),
    ];
    environment.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let process = Process::start(&environment).await;
    process.get("/jwks", &[]).await;
    process.terminate();
    assert_eq!(process.ended().await, Some(0));
    assert_eq!(named(&collector.spans(), "GET /jwks").len(), 1);
    let (headers, _) = collector.0.lock().unwrap()[0].clone();
    assert_eq!(headers[header::AUTHORIZATION], "Bearer collectors-token");
    assert!(String::from_utf8_lossy(&collector.bytes()).contains("sign-in"));
}

#[tokio::test]
async fn a_collector_that_does_not_answer_costs_no_request_anything() {
    let pages = TestServer::start(Kind::Sqlite).await;
    let mut environment = pages.environment.clone();
    environment.push(("CHANCERY_TRACING__OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:9".to_owned()));
    let process = Process::start(&environment).await;
    assert_eq!(process.get("/jwks", &[]).await.status.as_u16(), 200);
    process.terminate();
    process.logged("the traces could not be sent to the collector").await;
    assert_eq!(process.ended().await, Some(0));
}
