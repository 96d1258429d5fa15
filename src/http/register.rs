//! The client registration endpoint (RFC 7591 3) and, below it, one client configuration endpoint a client (RFC 7592 2).

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::error::Realm;
use super::{bearer, error, extract, json};
use crate::app::App;
use crate::audit::{Actor, Event, RegistrationProblem};
use crate::grants::registration::{self, Refusal};
use crate::model::NetworkAddress;
use crate::protocol::{ErrorCode, OAuthError};
use crate::server::edge::ClientAddress;

type Address = Option<Extension<ClientAddress>>;
type ClientId = Result<Path<String>, PathRejection>;

/// RFC 7591 3.1
pub(super) async fn post(
    State(app): State<Arc<App>>,
    address: Address,
    headers: HeaderMap,
    body: extract::Body,
) -> Response {
    let result = async {
        let token = bearer::token(&headers, None)?;
        let body = extract::json(&headers, body)?;
        registration::register(&app, token, &body, known(address)).await
    };
    answer(&app, StatusCode::CREATED, result.await)
}

/// RFC 7592 2.1
pub(super) async fn get(State(app): State<Arc<App>>, id: ClientId, headers: HeaderMap) -> Response {
    let result = async { registration::read(&app, &named(id), bearer::token(&headers, None)?).await };
    answer(&app, StatusCode::OK, result.await)
}

/// RFC 9110 9.2.1: whether the token is good, which is not used.
pub(super) async fn head(State(app): State<Arc<App>>, id: ClientId, headers: HeaderMap) -> Response {
    let result = async { registration::look(&app, &named(id), bearer::token(&headers, None)?).await };
    match result.await {
        Ok(()) => json::no_store(StatusCode::OK, Vec::new()),
        Err(refusal) => refuse(&app, &refusal),
    }
}

/// RFC 7592 2.2
pub(super) async fn put(
    State(app): State<Arc<App>>,
    id: ClientId,
    address: Address,
    headers: HeaderMap,
    body: extract::Body,
) -> Response {
    let result = async {
        let token = bearer::token(&headers, None)?;
        let body = extract::json(&headers, body)?;
        registration::update(&app, &named(id), token, &body, known(address)).await
    };
    answer(&app, StatusCode::OK, result.await)
}

/// RFC 7592 2.3
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    id: ClientId,
    address: Address,
    headers: HeaderMap,
) -> Response {
    let result = async {
        registration::delete(&app, &named(id), bearer::token(&headers, None)?, known(address)).await
    };
    match result.await {
        Ok(()) => json::no_content(),
        Err(refusal) => refuse(&app, &refusal),
    }
}

/// What cannot be read names no client.
fn named(id: ClientId) -> String {
    id.map(|Path(id)| id).unwrap_or_default()
}

fn known(address: Address) -> NetworkAddress {
    address.map(|Extension(ClientAddress(address))| address.into()).unwrap_or_default()
}

fn answer(app: &App, status: StatusCode, result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(document) => json::no_store(status, document.to_string().into_bytes()),
        Err(refusal) => refuse(app, &refusal),
    }
}

fn refuse(app: &App, refusal: &Refusal) -> Response {
    let note = |reason| app.note(&Actor::Unknown, Event::RegistrationRefused { reason });
    match refusal {
        Refusal::NoToken => error::bare_challenge(Realm::Registration),
        Refusal::WrongToken => {
            note(RegistrationProblem::WrongToken);
            let description = "The token is not good for this, or not any more.";
            error::challenge(Realm::Registration, &OAuthError::new(ErrorCode::InvalidToken, description))
        }
        Refusal::TooMany => {
            note(RegistrationProblem::TooMany);
            let description =
                "Too many registrations from this address, or of all together; wait a quarter of an hour.";
            error::too_many(description)
        }
        Refusal::TooManyWithToken => {
            note(RegistrationProblem::TooMany);
            error::too_many("Too many registrations with this token; wait a quarter of an hour.")
        }
        Refusal::NoRoom(failure) | Refusal::Error(failure) => error::respond(failure),
    }
}
