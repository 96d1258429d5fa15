//! Clients of five other systems: one test a promise, named after its id in docs/compatibility.md.

mod aqueduct;
mod fattureincloud;
mod hydra16;
mod ilert;
mod primer;
mod profiles;
mod table;

use axum::http::StatusCode;
use chancery::config::Settings;
use chancery::protocol::registration::{self, InvalidMetadata};
use serde_json::{Value, json};

use crate::support::{Answer, Registration, TestServer, query_of};

/// What a request without PKCE leaves out.
const NO_PKCE: [(&str, &str); 2] = [("code_challenge", ""), ("code_challenge_method", "")];

/// A server with a user, and a client of a profile; `change` replaces members of its metadata.
async fn start(kind: crate::support::Kind, profile: &str, change: Value) -> (TestServer, Registration) {
    let server = TestServer::start(kind).await;
    server.user("ada").await;
    let client = client(&server, profile, change).await;
    (server, client)
}

async fn client(server: &TestServer, profile: &str, change: Value) -> Registration {
    let mut members = json!({"profile": profile});
    members.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    server.client(members).await
}

/// What keeps a client of this metadata from being registered.
fn problems(metadata: Value) -> Vec<InvalidMetadata> {
    let profiles = Settings::load(None, []).unwrap().clients.profiles;
    registration::check(&profiles.resolve(serde_json::from_value(metadata).unwrap()).unwrap())
}

/// The members that make a client public.
fn public() -> Value {
    json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"]})
}

/// An authorization request of somebody who has to sign in and to consent, up to where it returns to.
async fn authorize(server: &TestServer, client: &Registration, change: &[(&str, &str)]) -> Answer {
    server.browser().authorize_as(&server.authorization(client, change), "ada").await
}

/// The tokens of a flow without PKCE.
async fn tokens_without_pkce(server: &TestServer, client: &Registration, scope: &str) -> Value {
    let change = [NO_PKCE.as_slice(), &[("scope", scope)]].concat();
    let code = server.code(client, "ada", &change).await;
    let answer = server.redeem_with(client, &code, &[("code_verifier", "")]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[track_caller]
fn code(answer: &Answer) -> String {
    query_of(answer.location(), "code").unwrap_or_else(|| panic!("no code: {answer:?}"))
}

fn is_sign_in(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.body.contains("name=\"password\"")
}

fn is_consent(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.body.contains("name=\"decision\"")
}
