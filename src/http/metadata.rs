//! Documents about the server: metadata (RFC 8414), JWK Set, health. The metadata is written at start, and again when
//! the registered scopes change.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::config::RegistrationMode;
use crate::model::Catalogue;
use crate::protocol::discovery::{self, Operator};
use crate::site::i18n;
use crate::site::prepared::Prepared;

const JSON: &str = "application/json";
/// Seconds others may keep the documents; a new key is published for longer before it signs.
const MAX_AGE: i64 = 900;

/// What hardly ever changes while the server runs.
pub(super) struct Documents {
    app: Arc<App>,
    discovery: RwLock<Discovery>,
    cache_control: HeaderValue,
}

/// The metadata document, and what it was written from.
#[derive(Clone)]
struct Discovery {
    catalogue: Arc<Catalogue>,
    document: Arc<Prepared>,
}

impl Discovery {
    fn new(app: &App) -> Self {
        let catalogue = app.registry.catalogue();
        let branding = &app.settings.branding;
        let ui_locales: Vec<&str> = i18n::languages().collect();
        let operator = Operator {
            policy_uri: branding.policy_url.as_deref(),
            tos_uri: branding.tos_url.as_deref(),
            ui_locales: &ui_locales,
            password_grant: app.settings.grants.password,
            registration: app.settings.registration.mode != RegistrationMode::Off,
            implicit: app.settings.grants.implicit,
            sign_up: app.settings.ui.external.is_some(),
            must_be_pushed: app.settings.authorization.require_pushed_authorization_requests,
            must_be_signed: app.settings.authorization.require_signed_request_object,
        };
        let (algorithms, scopes) = (&app.settings.keys.algorithms, catalogue.public_scopes());
        let document = discovery::document(app.issuer(), algorithms, operator, scopes);
        Self { document: Arc::new(Prepared::new(JSON, document.to_string())), catalogue }
    }
}

impl Documents {
    pub(super) fn new(app: Arc<App>) -> Self {
        // Half of it: another process may notice a new key a little later than the one that was asked.
        let max_age = MAX_AGE.min(app.settings.keys.publish_seconds / 2);
        let cache_control = format!("public, max-age={max_age}");
        Self {
            discovery: RwLock::new(Discovery::new(&app)),
            cache_control: HeaderValue::try_from(cache_control)
                .unwrap_or(HeaderValue::from_static("no-cache")),
            app,
        }
    }

    fn discovery(&self) -> Arc<Prepared> {
        let known = self.discovery.read().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&known.catalogue, &self.app.registry.catalogue()) {
            return Arc::clone(&known.document);
        }
        drop(known);
        let now = Discovery::new(&self.app);
        self.discovery.write().unwrap_or_else(PoisonError::into_inner).clone_from(&now);
        now.document
    }

    async fn answer(&self, document: &Prepared, request: &HeaderMap) -> Response {
        let mut response = document.answer(request).await;
        response.headers_mut().insert(header::CACHE_CONTROL, self.cache_control.clone());
        response
    }
}

/// Both well-known documents (RFC 8414 3, OpenID Connect Discovery 4).
pub(super) async fn discovery(State(documents): State<Arc<Documents>>, request: Request) -> Response {
    documents.answer(&documents.discovery(), request.headers()).await
}

/// The JWK Set (RFC 7517 5).
pub(super) async fn jwks(State(documents): State<Arc<Documents>>, request: Request) -> Response {
    documents.answer(documents.app.keys.ring().jwks(), request.headers()).await
}

/// Whether the process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether it can serve: the database answers.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.storage.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}
