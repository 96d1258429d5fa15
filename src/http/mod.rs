//! The protocol endpoints: extract, call, render.

mod aliases;
pub mod bearer;
mod device_authorization;
mod error;
pub mod extract;
mod introspect;
pub mod json;
mod metadata;
mod par;
mod place;
mod register;
mod revoke;
mod token;
mod userinfo;
mod webfinger;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::config::RegistrationMode;
use crate::observe::Listener;
use crate::pages;
use crate::server::cors::Cors;
use crate::server::edge::{self, Edge, Overload};
pub use error::note;

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

/// Every endpoint, below the issuer's path prefix.
fn router(app: Arc<App>) -> Router {
    let prefix = app.settings.server.issuer.path_prefix().to_owned();
    let documents = Arc::new(metadata::Documents::new(Arc::clone(&app)));
    let endpoints = for_applications(&documents)
        .route("/introspect", post(introspect::introspect))
        .route("/healthz", get(metadata::healthz))
        .route("/readyz", get(metadata::readyz))
        .merge(registration(&app))
        .merge(pages::routes(&app));
    // RFC 7033 4: at the root of the host.
    let at_root = Router::new().route("/.well-known/webfinger", get(webfinger::get));
    let root = if prefix.is_empty() {
        endpoints.merge(at_root)
    } else {
        // RFC 8414 3.1: the well-known part goes between the host and the issuer's path.
        let well_known = format!("/.well-known/oauth-authorization-server{prefix}");
        let discovery = Router::new().route(&well_known, get(metadata::discovery)).with_state(documents);
        Router::new().nest(&prefix, endpoints).merge(at_root.merge(discovery))
    };
    let aliases = app.settings.aliases.paths.clone();
    aliases::before(root.fallback(pages::not_found).with_state(app), &aliases, &prefix)
}

/// What applications call: also those in a browser, from other origins (`server/cors.rs`).
fn for_applications(documents: &Arc<metadata::Documents>) -> Router<Arc<App>> {
    let documents = Router::new()
        .route("/jwks", get(metadata::jwks))
        .route("/.well-known/openid-configuration", get(metadata::discovery))
        .route("/.well-known/oauth-authorization-server", get(metadata::discovery))
        .with_state(Arc::clone(documents));
    Router::new()
        .route("/token", post(token::token))
        .route("/par", post(par::push))
        .route("/device_authorization", post(device_authorization::device_authorization))
        .route("/userinfo", get(userinfo::get).post(userinfo::post))
        .route("/revoke", post(revoke::revoke))
        .merge(documents)
}

/// Nothing, unless clients may register themselves.
fn registration(app: &App) -> Router<Arc<App>> {
    if app.settings.registration.mode == RegistrationMode::Off {
        return Router::new();
    }
    let one = get(register::get).head(register::head).put(register::put).delete(register::delete);
    Router::new().route("/register", post(register::post)).route("/register/{client_id}", one)
}
