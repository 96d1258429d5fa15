//! What the tests of tokens need beside the main path.

use std::task::Poll;

use axum::body::Body;
use axum::http::{Request, header};
use chancery::model::{ClientId, Noted};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::server::{Answer, Registration, TestServer};
use super::{REDIRECT_URI, VERIFIER};

/// Parameters with some replaced; an empty value leaves one out.
fn replaced<'p>(base: &[(&'p str, &'p str)], change: &[(&'p str, &'p str)]) -> Vec<(&'p str, &'p str)> {
    let mut form = base.to_vec();
    for (name, value) in change {
        form.retain(|(known, _)| known != name);
        if !value.is_empty() {
            form.push((name, value));
        }
    }
    form
}

impl TestServer {
    pub fn advance(&self, seconds: i64) {
        self.app.clock.advance(seconds);
    }

    /// Posts a body as it is.
    pub async fn post_raw(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Posts a form as a client without a secret.
    pub async fn post_public(&self, client: &Registration, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post(path, &[], &replaced(&[("client_id", &client.id)], form)).await
    }

    /// Redeems a code with these parameters instead of the right ones; an empty one is left out.
    pub async fn redeem_with(&self, client: &Registration, code: &str, change: &[(&str, &str)]) -> Answer {
        let right = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.post_as(client, "/token", &replaced(&right, change)).await
    }

    /// Redeems a code for a client without a secret.
    pub async fn redeem_public(&self, client: &Registration, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.post_public(client, "/token", &form).await
    }

    /// The tokens of a whole flow with other parameters in the authorization request.
    pub async fn tokens_with(&self, client: &Registration, username: &str, change: &[(&str, &str)]) -> Value {
        let code = self.code(client, username, change).await;
        let answer = self.redeem(client, &code).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// An access token of the client's own.
    pub async fn client_token(&self, client: &Registration, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        text(&self.post_as(client, "/token", &form).await.json(), "access_token")
    }

    pub async fn revoke(&self, client: &Registration, token: &str) -> Answer {
        self.post_as(client, "/revoke", &[("token", token)]).await
    }

    pub async fn introspect(&self, client: &Registration, token: &str) -> Answer {
        self.post_as(client, "/introspect", &[("token", token)]).await
    }

    /// Replaces members of a client's metadata, as the operator does.
    pub async fn change_client(&self, client: &Registration, change: Value) {
        let id = ClientId::new(&client.id);
        loop {
            let mut stored = self.app.storage.client(&id).await.unwrap().unwrap();
            let mut metadata = json!(stored.client);
            metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            stored.client = serde_json::from_value(metadata).unwrap();
            if self.app.storage.update_client(Noted::nothing(), &stored, self.app.now()).await.unwrap() {
                return self.app.clients.forget();
            }
        }
    }

    /// Header and claims of a token, whose signature another implementation has verified with the published keys.
    pub async fn verified(&self, token: &str) -> (Value, Value) {
        let keys: JwkSet = serde_json::from_str(&self.get("/jwks").await.body).unwrap();
        let header = decode_header(token).unwrap();
        let jwk = keys.find(header.kid.as_deref().unwrap()).expect("the key is published");
        assert_eq!(jwk.common.key_algorithm.unwrap().to_string(), format!("{:?}", header.alg));
        let mut validation = Validation::new(header.alg);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let claims = decode(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap().claims;
        (json!(header), claims)
    }

    /// A number that a query of one column gives.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let row: Option<(i64,)> = self.app.storage.db().fetch_optional(sql, &[]).await.unwrap();
        row.unwrap().0
    }

    /// Writes to the database what the server never would.
    pub async fn sql(&self, sql: &'static str) {
        self.app.storage.db().execute(sql, &[]).await.unwrap();
    }
}

impl Answer {
    /// A refused client: 401 with a scheme it can use (RFC 6749 5.2).
    #[track_caller]
    pub fn assert_invalid_client(&self) {
        self.assert_error(401, "invalid_client");
        assert!(self.header(header::WWW_AUTHENTICATE).starts_with("Basic realm="), "{self:?}");
    }

    /// The text of a member of a JSON answer.
    #[track_caller]
    pub fn text(&self, member: &str) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        text(&self.json(), member)
    }
}

/// The text of a member.
#[track_caller]
pub fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}")).to_owned()
}

/// The names of the members of an object, in alphabetical order.
#[track_caller]
pub fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Runs futures at once in one task; what came of them is in the order they were given.
pub async fn all<F: Future>(work: Vec<F>) -> Vec<F::Output> {
    let mut work: Vec<_> = work.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in work.iter_mut().filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                *done = Some(output);
            }
        }
        if work.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    work.into_iter().filter_map(|(_, done)| done).collect()
}
