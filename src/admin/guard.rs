//! Who may use the admin listener.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use url::Url;

use super::answer::Refusal;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::crypto::digest;
use crate::http::bearer;
use crate::protocol::redirect_uri::is_loopback;

/// Lets a request pass that carries the token. Without a token, which only a loopback listener may be, the request has
/// to be meant for this computer: a name of somebody else that leads here comes from a page in a browser.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let permitted = match &app.settings.admin.token {
        Some(token) => {
            let sent = bearer::token(request.headers(), None).ok().flatten();
            sent.is_some_and(|sent| {
                digest::equal(&digest::sha256(sent.as_bytes()), &digest::sha256(token.expose().as_bytes()))
            })
        }
        None => is_for_this_computer(&request),
    };
    if permitted {
        return next.run(request).await;
    }
    app.note(&Actor::Unknown, Event::AdminApiRefused);
    Refusal::unauthorized().into_response()
}

fn is_for_this_computer(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let url = host.and_then(|host| Url::parse(&format!("http://{host}/")).ok());
    url.is_some_and(|url| is_loopback(&url))
}
