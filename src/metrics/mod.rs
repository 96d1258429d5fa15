//! `/metrics`: what the server knows about itself, in the text format that Prometheus scrapes (OpenMetrics 1.0). On a
//! listener of its own, and on the admin listener; never on the public one.
//!
//! Every room keeps its own numbers (`observe`); they are put together here when somebody asks. docs/metrics.md says what
//! each means, and a test compares.

mod page;
mod process;
mod scrape;

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::app::App;
use scrape::Scrape;

/// OpenMetrics 1.0, section 5.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Everything on the metrics listener.
pub fn router(app: Arc<App>) -> Router {
    routes(&app).fallback(async || (StatusCode::NOT_FOUND, "The metrics are at /metrics.\n")).with_state(app)
}

/// The metrics, for a router of somebody else.
pub fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(Arc::clone(app))));
    Router::new().route("/metrics", get(metrics)).layer(Extension(Arc::new(registry)))
}

async fn metrics(Extension(registry): Extension<Arc<Registry>>) -> Response {
    let mut page = String::new();
    match text::encode(&mut page, &registry) {
        Ok(()) => {
            ([(header::CONTENT_TYPE, OPEN_METRICS), (header::CACHE_CONTROL, NO_STORE)], page).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
