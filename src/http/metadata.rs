//! Documents about the server: metadata (RFC 8414), JWK Set, health. The metadata is written once at start.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::protocol::discovery::{self, Operator};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Seconds others may keep the documents; a new key is published for longer before it signs.
const MAX_AGE: i64 = 900;

/// What never changes while the server runs.
#[derive(Clone)]
pub struct Documents {
    discovery: Bytes,
    cache_control: HeaderValue,
}

impl Documents {
    pub fn new(app: &App) -> Self {
        let branding = &app.settings.branding;
        let operator = Operator {
            policy_uri: branding.policy_url.as_deref(),
            tos_uri: branding.tos_url.as_deref(),
            password_grant: app.settings.grants.password,
        };
        let document = discovery::document(app.issuer(), &app.settings.keys.algorithms, operator);
        let max_age = MAX_AGE.min(app.settings.keys.publish_seconds);
        let cache_control = format!("public, max-age={max_age}");
        Self {
            discovery: document.to_string().into(),
            cache_control: HeaderValue::try_from(cache_control)
                .unwrap_or(HeaderValue::from_static("no-cache")),
        }
    }

    fn answer(&self, body: Bytes) -> Response {
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        response.headers_mut().insert(header::CACHE_CONTROL, self.cache_control.clone());
        response
    }
}

/// Both well-known documents (RFC 8414 3, OpenID Connect Discovery 4).
pub async fn discovery(Extension(documents): Extension<Documents>) -> Response {
    documents.answer(documents.discovery.clone())
}

/// The JWK Set (RFC 7517 5).
pub async fn jwks(State(app): State<Arc<App>>, Extension(documents): Extension<Documents>) -> Response {
    documents.answer(app.keys.ring().jwks())
}

/// Whether the process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether it can serve: the database answers.
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.storage.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}
