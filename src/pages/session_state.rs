//! What applications see of the sign-ins in a browser (OpenID Connect Session Management 1.0): a cookie that changes with
//! them, for the script of the page that applications hold in a frame.
//!
//! The cookie says who is signed in to nobody: it is an HMAC over the ids of the sessions. It is there for signed-out
//! browsers too: a frame that finds none is one whose browser keeps cookies from it, and says so, instead of having the
//! application believe that somebody signed out.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::RESOURCE_POLICY;
use super::cookies::{Cookie, SEPARATOR};
use super::visit::Visit;
use crate::app::App;
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{AuthorizationRequest, AuthorizationRequestId, Scope};
use crate::protocol::session_state;
use crate::server::edge::MayBeFramed;
use crate::site::Frame;
use crate::site::i18n;

/// Section 3.1: every application may hold it in a frame, because none knows more by it than it was told before.
const CSP: HeaderValue =
    HeaderValue::from_static("default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors *");
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The page for frames.
#[derive(Template)]
#[template(path = "check_session.html")]
struct CheckSessionPage<'a> {
    frame: Frame<'a>,
    cookie: &'a str,
}

/// `check_session_iframe`
pub(super) async fn page(State(app): State<Arc<App>>) -> Response {
    let frame = app.site.frame(i18n::choose(None, None));
    let cookie = Cookie::BrowserState.name(&app.settings.server.issuer);
    let Ok(html) = (CheckSessionPage { frame, cookie: &cookie }).render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        // Applications that isolate themselves (Cross-Origin-Embedder-Policy) frame it too.
        (RESOURCE_POLICY, HeaderValue::from_static("cross-origin")),
    ];
    let mut response = (headers, html).into_response();
    response.extensions_mut().insert(MayBeFramed);
    response
}

/// The browser state of these sessions, in whatever order.
fn browser_state<'h>(app: &App, sessions: impl Iterator<Item = &'h str>) -> String {
    let mut ids: Vec<String> = sessions
        .filter_map(|handle| Handle::parse(Purpose::Session, handle))
        .map(|handle| handle.id())
        .collect();
    ids.sort();
    let parts: Vec<&[u8]> =
        std::iter::once("browser state").chain(ids.iter().map(String::as_str)).map(str::as_bytes).collect();
    // Applications compare it: another one would tell them that the user has gone.
    URL_SAFE_NO_PAD.encode(&app.master_key.lasting_tag(&parts)[..16])
}

/// Tells the browser that from now on these are its sessions, by their handles.
pub(super) fn set_cookie<'h>(app: &App, response: &mut Response, sessions: impl Iterator<Item = &'h str>) {
    write(app, response, &browser_state(app, sessions));
}

fn write(app: &App, response: &mut Response, state: &str) {
    let lifetime = app.settings.sessions.lifetime_seconds;
    if let Some(value) = Cookie::BrowserState.write(&app.settings.server.issuer, state, Some(lifetime)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

impl Visit {
    /// The state that the browser's sessions make.
    pub(crate) fn browser_state(&self) -> String {
        browser_state(&self.app, self.session_handles())
    }

    /// Gives a browser the cookie of this state, if it should have it and has not.
    pub(crate) fn mend_browser_state(&self, state: &str, response: &mut Response) {
        if self.browser_state_cookie.as_deref() != Some(state) {
            write(&self.app, response, state);
        }
    }

    /// The handles of its sessions that the browser sent, good or not.
    fn session_handles(&self) -> impl Iterator<Item = &str> {
        let others = self.accounts_cookie.as_deref().unwrap_or_default().split(SEPARATOR);
        self.session_cookie.as_deref().into_iter().chain(others)
    }
}

/// `session_state` of the answer to a request, where it is one of OpenID Connect. The salt is the request's own id: it is
/// random, and an answer that is given twice is the same.
pub(super) fn of_answer(
    request: &AuthorizationRequest,
    id: &AuthorizationRequestId,
    browser_state: &str,
) -> Option<String> {
    if !request.scope.contains(Scope::OPENID) {
        return None;
    }
    session_state::compute(&request.client_id, &request.redirect_uri, browser_state, id.as_str())
}
