//! Answers to a browser: a page, a redirect, or a page that says what went wrong. Their headers are set here only.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::cookies::Cookie;
use super::views::{Application, ErrorPage, Problem};
use super::visit::Visit;
use crate::crypto::password::PasswordError;
use crate::model::Client;
use crate::protocol::authorize::Unproven;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::StorageError;
use crate::tries::Wait;
use crate::waiting;

macro_rules! csp {
    () => {
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: https:; \
         base-uri 'none'; frame-ancestors 'none'"
    };
}

/// No inline script or style. `form-action` is left out: browsers apply it to the redirect after a form too, and the
/// forms for sign-in and consent end at the application.
const CSP: HeaderValue = HeaderValue::from_static(csp!());
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// HTML, Cross-Origin-Opener-Policy: no page that opened a window of ours holds a handle to it.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// Fetch, Cross-Origin-Resource-Policy: nothing of it gets into a process of other pages.
pub(super) const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// No page of ours needs anything of the device.
const NO_FEATURES: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), \
     gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), screen-wake-lock=(), \
     usb=(), xr-spatial-tracking=()",
);
const FEATURES: HeaderName = HeaderName::from_static("permissions-policy");

/// Why a page cannot be shown or a form cannot be followed.
pub(crate) enum Failure {
    /// A page says what went wrong.
    Problem(Trouble),
    /// The browser has to go elsewhere first.
    Elsewhere(Box<Response>),
}

/// What a page about a problem says.
#[derive(Clone)]
pub(crate) struct Trouble {
    problem: Problem,
    /// For a developer; never anything secret.
    detail: Option<String>,
    /// The application to go back to; none where it is not proven who asks.
    client: Option<Arc<Client>>,
}

impl Trouble {
    pub(crate) fn new(problem: Problem) -> Self {
        Self { problem, detail: None, client: None }
    }
}

impl Failure {
    pub(crate) fn new(problem: Problem) -> Self {
        Self::Problem(Trouble::new(problem))
    }

    /// The request of this application was answered before, or waited for too long.
    pub(crate) fn expired_at(client: &Arc<Client>) -> Self {
        Self::Problem(Trouble { client: Some(Arc::clone(client)), ..Trouble::new(Problem::Expired) })
    }

    fn told(problem: Problem, detail: String) -> Self {
        Self::Problem(Trouble { detail: Some(detail), ..Trouble::new(problem) })
    }

    pub(crate) fn elsewhere(response: Response) -> Self {
        Self::Elsewhere(Box::new(response))
    }
}

/// What a handler of a page answers.
pub(super) type Answer = Result<Response, Failure>;

impl IntoResponse for Failure {
    /// A problem without a body: [`say_failures`] knows whose language the page has to speak.
    fn into_response(self) -> Response {
        match self {
            Self::Elsewhere(response) => *response,
            Self::Problem(trouble) => {
                let mut response = trouble.problem.status().into_response();
                response.extensions_mut().insert(trouble);
                response
            }
        }
    }
}

/// Makes a page of every failure of a handler.
pub(super) async fn say_failures(visit: Visit, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(visit.clone());
    let mut response = next.run(request).await;
    match response.extensions_mut().remove() {
        Some(trouble) => visit.trouble(&trouble),
        None => response,
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        if error.is_orphan() {
            tracing::info!(%error, "the client or the user was deleted meanwhile");
            return Self::new(Problem::Expired);
        }
        tracing::error!(%error, "page failed");
        Self::new(if error.is_unavailable() { Problem::Unavailable } else { Problem::Internal })
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        tracing::error!(%error, "password check failed");
        Self::new(match error {
            PasswordError::Busy => Problem::Busy,
            PasswordError::Unusable => Problem::Internal,
        })
    }
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        crate::request::log(&error);
        match error.code {
            ErrorCode::ServerError => Self::new(Problem::Internal),
            ErrorCode::TemporarilyUnavailable if error.cause.is_some() => Self::new(Problem::Unavailable),
            ErrorCode::TemporarilyUnavailable => Self::new(Problem::Busy),
            _ => Self::told(Problem::BadRequest, error.description.into_owned()),
        }
    }
}

impl From<Unproven> for Failure {
    fn from(unproven: Unproven) -> Self {
        let problem = match unproven {
            Unproven::ClientIdMissing | Unproven::UnknownClient => Problem::UnknownApplication,
            Unproven::RedirectUriMissing | Unproven::RedirectUriNotRegistered => Problem::WrongReturnAddress,
            Unproven::Malformed | Unproven::StateTooLong | Unproven::StateRepeated => Problem::BadRequest,
            Unproven::PushedRequestUnusable => Problem::Expired,
        };
        Self::told(problem, unproven.description().to_owned())
    }
}

/// Says when it is worth trying again (RFC 9110 10.2.3).
pub(super) fn retry_after(response: &mut Response, wait: Wait) {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.0));
}

impl Visit {
    /// Renders a page.
    pub(crate) fn page(&self, status: StatusCode, view: &impl Template) -> Response {
        match view.render() {
            Ok(html) => {
                let mut response = self.answer(status, Body::from(html));
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, HTML);
                headers.insert(header::CONTENT_SECURITY_POLICY, CSP);
                // With no-referrer browsers send `Origin: null` with a form.
                headers.insert(header::REFERRER_POLICY, SAME_ORIGIN);
                headers.insert(OPENER_POLICY, SAME_ORIGIN);
                headers.insert(RESOURCE_POLICY, SAME_ORIGIN);
                headers.insert(FEATURES, NO_FEATURES);
                response
            }
            Err(error) => {
                tracing::error!(%error, "a template failed");
                self.answer(StatusCode::INTERNAL_SERVER_ERROR, Body::empty())
            }
        }
    }

    /// Renders a page on the way of an application, which may have opened it in a window of its own and waits there for the
    /// answer: any policy but this one takes its handle away for good (`docs/adr/0050`).
    pub(crate) fn page_with_opener(&self, status: StatusCode, view: &impl Template) -> Response {
        let mut response = self.page(status, view);
        response.headers_mut().insert(OPENER_POLICY, HeaderValue::from_static("unsafe-none"));
        response
    }

    /// Renders a page that shows frames of these origins, and of no others.
    pub(crate) fn page_with_frames(
        &self,
        status: StatusCode,
        view: &impl Template,
        origins: &[String],
    ) -> Response {
        let mut response = self.page_with_opener(status, view);
        let policy = format!(concat!(csp!(), "; frame-src {}"), origins.join(" "));
        if !origins.is_empty()
            && let Ok(policy) = HeaderValue::try_from(policy)
        {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }

    /// The page that says what went wrong.
    pub(crate) fn trouble(&self, Trouble { problem, detail, client }: &Trouble) -> Response {
        let frame = self.frame(None);
        let application = client.as_deref().map(|client| Application::of(client, frame.text.tag()));
        let (detail, request_id) = (detail.as_deref(), &*self.request_id);
        let view = ErrorPage { frame, problem: *problem, application, detail, request_id };
        let mut response = self.page(problem.status(), &view);
        if *problem == Problem::TooManyRequests {
            response.headers_mut().insert(header::RETRY_AFTER, waiting::RETRY_AFTER);
        }
        response
    }

    /// Sends the browser on; by GET, whatever the request was (RFC 9700 4.12).
    pub(crate) fn redirect(&self, location: &str) -> Response {
        match HeaderValue::try_from(location) {
            Ok(location) => {
                let mut response = self.answer(StatusCode::SEE_OTHER, Body::empty());
                response.headers_mut().insert(header::LOCATION, location);
                response
            }
            Err(_) => self.trouble(&Trouble::new(Problem::BadRequest)),
        }
    }

    /// Sends the browser to one of our own pages.
    pub(crate) fn redirect_to_page(&self, path: &str) -> Response {
        self.redirect(&self.app.settings.server.issuer.join(path))
    }

    /// A POST from another site carries no SameSite cookie, so it is turned into our own GET, which does. The browser
    /// gets no cookies either: they would take the place of those it has and did not send.
    pub(crate) fn repeat_as_get(&self, path: &str, form: &[u8]) -> Result<Response, Failure> {
        // It becomes a header, so what a form may not hold in the clear is refused here.
        let clean = form.iter().all(u8::is_ascii_graphic);
        let query = std::str::from_utf8(form).ok().filter(|_| clean);
        let not_a_form = || OAuthError::invalid_request("The body is not a form.");
        let query = query.ok_or_else(not_a_form)?.replace('#', "%23");
        // The rest of a head is for what the browser says beside it.
        if query.len() > self.app.settings.server.limits.max_header_bytes / 2 {
            return Err(OAuthError::invalid_request(
                "The request is too long for a URL; push it (RFC 9126).",
            )
            .into());
        }
        let mut response = self.redirect_to_page(&format!("{path}?{query}"));
        response.headers_mut().remove(header::SET_COOKIE);
        Ok(response)
    }

    fn answer(&self, status: StatusCode, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        if self.may_name_browser
            && let Some(cookie) = Cookie::Browser.write(&self.app.settings.server.issuer, &self.browser, None)
        {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}
