//! Login and consent pages of somebody else: what their server says to ours.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use chancery::admin;
use chancery::observe::Listener;
use chancery::server::edge;
use serde_json::{Value, json};
use tower::Service as _;

use super::browser::path_of;
use super::database::Kind;
use super::server::{Answer, Registration, TestServer, query_of};
use super::{Browser, REDIRECT_URI};

pub const ADMIN_TOKEN: &str = "an-admin-token-of-at-least-32-characters";

impl TestServer {
    /// A server with external pages, which clients choose by themselves.
    pub async fn with_external_ui(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("ADMIN__LISTEN", "127.0.0.1:0"),
            ("ADMIN__TOKEN", ADMIN_TOKEN),
            ("UI__LOGIN_URL", "https://login.example/login?theme=dark"),
            ("UI__CONSENT_URL", "https://login.example/consent"),
        ];
        all.extend(settings);
        Self::start_with(kind, &all).await
    }

    /// A client whose pages are the external ones.
    pub async fn external_client(&self) -> Registration {
        let audience = ["https://api.example", "https://other.example"];
        self.client(json!({"ui": "external", "audience": audience})).await
    }

    /// A request to the admin listener as it is.
    pub async fn admin_request(&self, request: Request<Body>) -> Answer {
        let router = admin::router(std::sync::Arc::clone(&self.app));
        let response = edge::layers(router, &self.app.settings.server, self.app.watch(Listener::Admin))
            .call(request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.admin_request(request.body(Body::from(body)).unwrap()).await
    }
}

/// The server behind the external pages.
#[derive(Clone, Copy)]
pub struct ExternalUi<'s>(pub &'s TestServer);

impl ExternalUi<'_> {
    pub async fn get(&self, page: &str, challenge: &str) -> Answer {
        self.0.admin(Method::GET, &format!("/admin/v1/{page}?challenge={challenge}"), None).await
    }

    /// `what` is such as `login/accept`.
    pub async fn put(&self, what: &str, challenge: &str, body: Value) -> Answer {
        self.0.admin(Method::PUT, &format!("/admin/v1/{what}?challenge={challenge}"), Some(body)).await
    }

    /// Starts a request in this browser: the challenge of the login page.
    pub async fn start(
        &self,
        browser: &mut Browser<'_>,
        client: &Registration,
        change: &[(&str, &str)],
    ) -> String {
        let answer = browser.get(&self.0.authorization(client, change)).await;
        login_challenge(&answer)
    }

    /// Answers, and lets the browser come back with the verifier.
    pub async fn answer(
        &self,
        browser: &mut Browser<'_>,
        what: &str,
        challenge: &str,
        body: Value,
    ) -> Answer {
        let answer = self.put(what, challenge, body).await;
        browser.get(&redirect_to(&answer)).await
    }

    /// Signs `subject` in: the challenge of the consent page.
    pub async fn log_in(&self, browser: &mut Browser<'_>, challenge: &str, body: Value) -> String {
        let answer = self.answer(browser, "login/accept", challenge, body).await;
        assert!(answer.location().starts_with("https://login.example/consent?"), "{answer:?}");
        query_of(answer.location(), "consent_challenge").unwrap()
    }

    /// Consents: the code.
    pub async fn allow(&self, browser: &mut Browser<'_>, challenge: &str, body: Value) -> String {
        let answer = self.answer(browser, "consent/accept", challenge, body).await;
        assert!(answer.location().starts_with(REDIRECT_URI), "{answer:?}");
        query_of(answer.location(), "code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    /// A whole flow in a new browser: the tokens.
    pub async fn tokens(&self, client: &Registration, change: &[(&str, &str)], consent: Value) -> Value {
        let mut browser = self.0.browser();
        let challenge = self.start(&mut browser, client, change).await;
        let challenge = self.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        let code = self.allow(&mut browser, &challenge, consent).await;
        let answer = self.0.redeem(client, &code).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }
}

/// Where the browser was sent to sign in.
#[track_caller]
pub fn login_challenge(answer: &Answer) -> String {
    assert!(answer.location().starts_with("https://login.example/login?theme=dark&"), "{answer:?}");
    query_of(answer.location(), "login_challenge").unwrap()
}

/// Path and query of the `redirect_to` of an answer.
#[track_caller]
pub fn redirect_to(answer: &Answer) -> String {
    path_of(&answer.text("redirect_to"))
}
