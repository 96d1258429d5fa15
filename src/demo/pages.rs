//! The demo's routes: one page, and the steps that lead back to it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::client::{RelyingParty, StepError};
use super::session::{Outcome, Session, Sessions, Tokens};
use crate::crypto::digest;

const STYLE: &str = include_str!("../../templates/demo/demo.css");
const COOKIE_NAME: &str = "demo";
/// Enough of a refresh token's end to see that it changes, too little to use it.
const SHOWN_OF_REFRESH_TOKEN: usize = 8;

struct Demo {
    relying_party: RelyingParty,
    sessions: Sessions,
    policy: HeaderValue,
}

type Shared = State<Arc<Demo>>;

/// The whole application.
pub(crate) fn router(relying_party: RelyingParty) -> Router {
    let policy = policy(&relying_party.settings().issuer);
    let demo = Arc::new(Demo { relying_party, sessions: Sessions::default(), policy });
    Router::new()
        .route("/", get(home))
        .route("/style.css", get(style))
        // HEAD begins and finishes nothing (RFC 9110 9.2.1).
        .route("/sign-in", get(sign_in).head(async || StatusCode::OK))
        .route("/callback", get(callback).head(async || StatusCode::OK))
        .route("/refresh", post(refresh))
        .route("/introspect", post(introspect))
        .route("/revoke", post(revoke))
        .route("/sign-out", post(sign_out))
        .with_state(demo)
}

/// Browsers hold the redirect after a form to `form-action` too, and signing out redirects to the server.
fn policy(issuer: &str) -> HeaderValue {
    let server = url::Url::parse(issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' {server}; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[derive(Template)]
#[template(path = "demo/index.html")]
struct Page<'a> {
    issuer: &'a str,
    client_id: &'a str,
    csrf: &'a str,
    outcome: Option<&'a Outcome>,
    signed_in: Option<SignedIn<'a>>,
}

struct SignedIn<'a> {
    name: &'a str,
    access_token: &'a str,
    refresh_token: Option<String>,
    claims: String,
    userinfo: String,
}

impl<'a> SignedIn<'a> {
    fn new(tokens: &'a Tokens) -> Self {
        let named = |member: &str| tokens.userinfo[member].as_str();
        let name = named("name").or_else(|| named("preferred_username")).or_else(|| named("sub"));
        let shorten = |token: &String| {
            let hidden = token.chars().count().saturating_sub(SHOWN_OF_REFRESH_TOKEN);
            format!("…{}", token.chars().skip(hidden).collect::<String>())
        };
        Self {
            name: name.unwrap_or_default(),
            access_token: &tokens.access_token,
            refresh_token: tokens.refresh_token.as_ref().map(shorten),
            claims: pretty(&tokens.claims),
            userinfo: pretty(&tokens.userinfo),
        }
    }
}

async fn home(State(demo): Shared, headers: HeaderMap) -> Response {
    let session = cookie(&headers).and_then(|id| demo.sessions.get(id)).unwrap_or_default();
    demo.render(StatusCode::OK, &session)
}

async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "no-cache")], STYLE)
}

async fn sign_in(State(demo): Shared, headers: HeaderMap) -> Response {
    let (session, to) = match demo.relying_party.start().await {
        Ok((url, started)) => (Session { started: Some(started), ..Session::default() }, url.into()),
        Err(error) => (Session { outcome: Some(failed(&error)), ..Session::default() }, "/".to_owned()),
    };
    demo.begin(&headers, session, &to)
}

async fn callback(State(demo): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let started = cookie(&headers).and_then(|id| demo.sessions.get(id)).and_then(|session| session.started);
    let finished = match started {
        Some(started) => demo.relying_party.finish(&query.unwrap_or_default(), &started).await,
        None => Err(StepError::Answer("this browser has no sign-in under way here; sign in again")),
    };
    let session = match finished {
        Ok(tokens) => Session {
            tokens: Some(tokens),
            outcome: Some(Outcome {
                failed: false,
                told: "The server sent your browser back with a code. The application exchanged it for tokens, \
                       checked the ID token's signature, issuer, audience, expiry and nonce, and asked for userinfo."
                    .to_owned(),
                answer: String::new(),
            }),
            ..Session::default()
        },
        Err(error) => Session { outcome: Some(failed(&error)), ..Session::default() },
    };
    // A new id: one that was planted before the sign-in is worth nothing after it.
    demo.begin(&headers, session, "/")
}

async fn refresh(State(demo): Shared, headers: HeaderMap, form: String) -> Response {
    let (id, tokens) = match demo.pressed(&headers, &form) {
        Ok(pressed) => pressed,
        Err(refused) => return *refused,
    };
    let refreshed = demo.relying_party.refresh(&tokens).await;
    demo.sessions.change(&id, |session| match refreshed {
        Ok(tokens) => {
            session.outcome = Some(told(
                "The application exchanged the refresh token for new tokens; the old refresh token is used up.",
                String::new(),
            ));
            session.tokens = Some(tokens);
        }
        Err(error) => session.outcome = Some(failed(&error)),
    });
    to("/")
}

async fn introspect(State(demo): Shared, headers: HeaderMap, form: String) -> Response {
    let (id, tokens) = match demo.pressed(&headers, &form) {
        Ok(pressed) => pressed,
        Err(refused) => return *refused,
    };
    let outcome = match demo.relying_party.introspect(&tokens).await {
        Ok(answer) if answer["active"] == true => told(
            "The server was asked about the access token: it is good, and this is what it stands for.",
            pretty(&answer),
        ),
        Ok(answer) => told(
            "The server was asked about the access token: it is not good any more, whatever is written in it.",
            pretty(&answer),
        ),
        Err(error) => failed(&error),
    };
    demo.sessions.change(&id, |session| session.outcome = Some(outcome));
    to("/")
}

async fn revoke(State(demo): Shared, headers: HeaderMap, form: String) -> Response {
    let (id, tokens) = match demo.pressed(&headers, &form) {
        Ok(pressed) => pressed,
        Err(refused) => return *refused,
    };
    let outcome = match demo.relying_party.revoke(&tokens).await {
        Ok(()) => told(
            "The application gave its tokens back. Introspect to see that they ended at once; refreshing fails now.",
            String::new(),
        ),
        Err(error) => failed(&error),
    };
    demo.sessions.change(&id, |session| session.outcome = Some(outcome));
    to("/")
}

async fn sign_out(State(demo): Shared, headers: HeaderMap, form: String) -> Response {
    let (id, tokens) = match demo.pressed(&headers, &form) {
        Ok(pressed) => pressed,
        Err(refused) => return *refused,
    };
    demo.sessions.end(&id);
    let target = demo.relying_party.sign_out(&tokens).await.map_or_else(|_| "/".to_owned(), String::from);
    with_cookie(to(&target), "", "; Max-Age=0")
}

impl Demo {
    /// The session and its tokens, where the button was pressed on this very page.
    fn pressed(&self, headers: &HeaderMap, form: &str) -> Result<(String, Tokens), Box<Response>> {
        let found = cookie(headers).and_then(|id| self.sessions.get(id).map(|session| (id, session)));
        let Some((id, session)) = found else { return Err(Box::new(to("/"))) };
        let given = url::form_urlencoded::parse(form.as_bytes()).find(|(key, _)| key == "csrf");
        if given.is_none_or(|(_, value)| !digest::equal(value.as_bytes(), session.csrf.as_bytes())) {
            let outcome = Outcome {
                failed: true,
                told: "That button belongs to an older page; press it again.".to_owned(),
                answer: String::new(),
            };
            let session = Session { outcome: Some(outcome), ..session };
            return Err(Box::new(self.render(StatusCode::FORBIDDEN, &session)));
        }
        let tokens = session.tokens.ok_or_else(|| Box::new(to("/")))?;
        Ok((id.to_owned(), tokens))
    }

    /// Puts the browser into a new session on its way to `target`.
    fn begin(&self, headers: &HeaderMap, session: Session, target: &str) -> Response {
        let id = self.sessions.begin(cookie(headers), session);
        with_cookie(to(target), &id, "")
    }

    fn render(&self, status: StatusCode, session: &Session) -> Response {
        let settings = self.relying_party.settings();
        let page = Page {
            issuer: &settings.issuer,
            client_id: &settings.client_id,
            csrf: &session.csrf,
            outcome: session.outcome.as_ref(),
            signed_in: session.tokens.as_ref().map(SignedIn::new),
        };
        let Ok(html) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
        let headers: [(HeaderName, HeaderValue); 3] = [
            (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (CONTENT_SECURITY_POLICY, self.policy.clone()),
        ];
        (status, headers, html).into_response()
    }
}

fn told(sentence: &str, answer: String) -> Outcome {
    Outcome { failed: false, told: sentence.to_owned(), answer }
}

fn failed(error: &StepError) -> Outcome {
    let told = match error {
        StepError::Refused { code, .. } if code == "access_denied" => {
            "You said no, so the application got nothing. The server told it so:"
        }
        _ => "That did not work:",
    };
    Outcome { failed: true, told: told.to_owned(), answer: error.to_string() }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

fn to(target: &str) -> Response {
    match HeaderValue::try_from(target) {
        Ok(target) => (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn with_cookie(mut response: Response, value: &str, end: &str) -> Response {
    let cookie = format!("{COOKIE_NAME}={value}; Path=/; HttpOnly; SameSite=Lax{end}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
