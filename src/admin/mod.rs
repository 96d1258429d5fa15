//! The admin listener: what other programs of the operator may ask and say. It has a router of its own, nothing of it is
//! on the public listener, and no browser may call it (no CORS).
//!
//! So far: the login and consent pages of somebody else, under `/admin/v1` and under the paths of Hydra v1.6; and the
//! metrics.

mod answer;
mod challenge;
mod consent;
mod guard;
mod login;

use std::sync::Arc;

use axum::routing::{get, put};
use axum::{Router, middleware};

use crate::app::App;
use crate::metrics;
use answer::Refusal;

/// Everything on the admin listener.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .nest("/admin/v1", challenges())
        .nest("/oauth2/auth/requests", challenges())
        .merge(metrics::routes(&app))
        .fallback(async || Refusal::not_found())
        .method_not_allowed_fallback(async || Refusal::method())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard::guard))
        .with_state(app)
}

/// The names and the JSON of Hydra v1.6 (`consent/handler.go`), so that what was written for it works here.
fn challenges() -> Router<Arc<App>> {
    Router::new()
        .route("/login", get(login::show))
        .route("/login/accept", put(login::accept))
        .route("/login/reject", put(login::reject))
        .route("/consent", get(consent::show))
        .route("/consent/accept", put(consent::accept))
        .route("/consent/reject", put(consent::reject))
}
