//! The protocol endpoints: extract, call, render.

pub(crate) mod aliases;
pub mod bearer;
mod device_authorization;
mod error;
pub(crate) mod extract;
mod introspect;
pub(crate) mod json;
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
pub use error::note;

/// The endpoints of the protocol.
pub struct Endpoints {
    /// Below the issuer's path prefix.
    pub below_issuer: Router<Arc<App>>,
    /// At the root of the host, whatever the prefix.
    pub at_root: Router<Arc<App>>,
}

/// Every endpoint but the pages.
pub fn endpoints(app: &Arc<App>) -> Endpoints {
    let prefix = app.settings.server.issuer.path_prefix();
    let documents = Arc::new(metadata::Documents::new(Arc::clone(app)));
    let below_issuer = for_applications(&documents)
        .route("/introspect", post(introspect::introspect))
        .route("/healthz", get(metadata::healthz))
        .route("/readyz", get(metadata::readyz))
        .merge(registration(app));
    // RFC 7033 4: at the root of the host.
    let mut at_root = Router::new().route("/.well-known/webfinger", get(webfinger::get));
    if !prefix.is_empty() {
        // RFC 8414 3.1: the well-known part goes between the host and the issuer's path.
        let well_known = format!("/.well-known/oauth-authorization-server{prefix}");
        at_root =
            at_root.merge(Router::new().route(&well_known, get(metadata::discovery)).with_state(documents));
    }
    Endpoints { below_issuer, at_root }
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
