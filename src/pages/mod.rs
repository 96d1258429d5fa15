//! What a person sees: sign-in, consent, account, sign-out. Every page is a plain form that works without JavaScript.

mod account;
mod accounts;
mod answer;
mod authorize;
mod browser;
mod consent;
mod cookies;
mod csrf;
mod deliver;
mod destination;
mod device;
mod external;
mod flow;
mod login;
mod logout;
mod own_page;
mod select_account;
mod sent;
mod session_state;
mod sessions;
mod signed_out;
mod views;
mod visit;

#[cfg(test)]
mod gallery;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};

use crate::app::App;
use crate::site::assets;
use answer::{Answer, Failure, Trouble};
use views::Problem;
use visit::Visit;

/// The pages' routes.
pub(crate) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/authorize", show(authorize::get).post(authorize::post))
        .route("/authorize/continue", show(external::go_on))
        .route("/login", show(login::get).post(login::post))
        .route(select_account::PATH, show(select_account::get).post(select_account::post))
        .route("/consent", show(consent::get).post(consent::post))
        .route("/logout", show(logout::get).post(logout::post))
        .route("/check_session", get(session_state::page))
        .route("/device", show(device::get).post(device::post))
        .route("/device/confirm", post(device::confirm))
        .route("/account", show(account::get))
        .route("/account/apps/revoke", post(account::revoke_app))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/password", post(account::change_password))
        .route("/assets/{name}", get(asset))
        .layer(middleware::from_fn_with_state(Arc::clone(app), answer::say_failures))
}

/// A page by GET. What asks for its head only (a preview of a link, a check whether it is there) gets an answer without the
/// handler, which signs in, signs out and issues codes (RFC 9110 9.2.1: HEAD is safe).
fn show<H, T>(handler: H) -> MethodRouter<Arc<App>>
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    get(handler).head(async || [(header::CACHE_CONTROL, answer::NO_STORE)])
}

/// A stylesheet or script; its name changes with its content, so browsers may keep it for ever.
async fn asset(State(app): State<Arc<App>>, Path(name): Path<String>, request: Request) -> Answer {
    let asset = app.site.assets.find(&name).ok_or_else(|| Failure::new(Problem::NotFound))?;
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static(assets::CACHE_CONTROL)),
        (answer::RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    ];
    Ok((headers, asset.document.answer(request.headers()).await).into_response())
}

/// The answer to a browser when there are too many requests.
pub(crate) async fn busy(visit: Visit) -> Response {
    visit.trouble(&Trouble::new(Problem::Busy))
}

/// The answer for every path that is none of ours.
pub(crate) async fn not_found(visit: Visit) -> Response {
    visit.trouble(&Trouble::new(Problem::NotFound))
}
