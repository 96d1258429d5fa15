//! The public listener: the endpoints of `http`, the pages, and what holds for every request.

use std::sync::Arc;

use axum::Router;

use crate::app::App;
use crate::config::RegistrationMode;
use crate::http::{self, Endpoints, aliases};
use crate::observe::Listener;
use crate::pages;
use crate::server::cors::Cors;
use crate::server::edge::{self, Edge, Overload};

/// What an overloaded server answers as well: others decide by it where to send their requests, and what to believe.
const ALWAYS_ANSWERED: [&str; 5] = [
    "/healthz",
    "/readyz",
    "/jwks",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];

/// The public listener: every endpoint behind the rules for every request.
pub fn service(app: &Arc<App>) -> Edge {
    let server = &app.settings.server;
    let prefix = server.issuer.path_prefix();
    let overload = Overload {
        exempt: ALWAYS_ANSWERED.iter().map(|path| format!("{prefix}{path}")).collect(),
        page: Router::new().fallback(pages::busy).with_state(Arc::clone(app)),
    };
    let cors = match app.settings.registration.mode {
        RegistrationMode::Off => Cors::Endpoints,
        RegistrationMode::Token | RegistrationMode::Open => Cors::EndpointsAndRegistration,
    };
    edge::layers_with(router(Arc::clone(app)), server, app.watch(Listener::Public), overload, cors)
}

/// Every endpoint and every page, below the issuer's path prefix.
fn router(app: Arc<App>) -> Router {
    let prefix = app.settings.server.issuer.path_prefix().to_owned();
    let Endpoints { below_issuer, at_root } = http::endpoints(&app);
    let below_issuer = below_issuer.merge(pages::routes(&app));
    let root = if prefix.is_empty() { below_issuer } else { Router::new().nest(&prefix, below_issuer) };
    let aliases = app.settings.aliases.paths.clone();
    aliases::before(root.merge(at_root).fallback(pages::not_found).with_state(app), &aliases, &prefix)
}
