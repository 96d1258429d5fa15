//! Authorization requests and what may come of them.

use axum::http::StatusCode;
use chancery::model::{AuthorizationRequestId, Grant, PendingRequest, RequestOwner};
use chancery::storage::Storage;
use serde_json::json;

use super::REDIRECT_URI;
use super::server::{Answer, Registration, TestServer};

pub const STATE: &str = "af0ifjsldkj";

/// A change of a right request: these parameters instead; an empty value takes one away.
pub type Change<'a> = &'a [(&'a str, &'a str)];

pub async fn ask(server: &TestServer, client: &Registration, change: Change<'_>) -> Answer {
    server.get(&server.authorization(client, change)).await
}

/// Asserts that every changed request is sent back with this error, and with its state.
pub async fn assert_refused(server: &TestServer, client: &Registration, code: &str, changes: &[Change<'_>]) {
    for change in changes {
        let answer = ask(server, client, change).await;
        answer.assert_redirect_error(code);
        assert_eq!(answer.returned("state").as_deref(), Some(STATE), "{change:?}");
    }
}

/// Asserts that a request was accepted: someone has to sign in for it.
#[track_caller]
pub fn assert_accepted(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert!(answer.location().starts_with("https://id.example/login?request="), "{answer:?}");
}

#[track_caller]
pub fn assert_code(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert!(answer.returned("code").is_some(), "{answer:?}");
    assert_eq!(answer.returned("iss").as_deref(), Some("https://id.example"));
}

pub fn is_sign_in(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.body.contains("name=\"password\"")
}

pub fn is_consent(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.body.contains("name=\"decision\"")
}

pub fn is_chooser(page: &Answer) -> bool {
    page.status == StatusCode::OK && page.body.contains("<ul class=\"accounts\">")
}

/// Keeps the request that this grant is the answer to, waiting for a person; not where it waits already, or its client is
/// gone.
pub async fn keep_request_of(storage: &Storage, grant: &Grant) {
    let request = json!({"client_id": grant.client_id, "redirect_uri": REDIRECT_URI, "scope": grant.scope});
    let pending = PendingRequest {
        id: AuthorizationRequestId::new(grant.id.as_str()),
        request: serde_json::from_value(request).unwrap(),
        owner: RequestOwner::Browser { digest: "browser".into(), account: None },
        created_at: grant.created_at,
        expires_at: grant.created_at.plus(1000),
    };
    drop(storage.insert_request(&pending).await);
}
