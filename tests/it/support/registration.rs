//! Applications that register themselves.

use axum::body::Body;
use axum::http::{Method, Request, header};
use chancery::crypto::handle::{self, Purpose};
use chancery::crypto::random;
use chancery::model::{InitialAccessToken, Noted};
use serde_json::{Value, json};

use super::server::{Answer, Registration, TestServer};
use super::{REDIRECT_URI, merged, text};

pub const OPEN: (&str, &str) = ("REGISTRATION__MODE", "open");
pub const BY_TOKEN: (&str, &str) = ("REGISTRATION__MODE", "token");

impl TestServer {
    /// Registers right metadata with these members changed; null takes one away.
    pub async fn register(&self, change: Value) -> Answer {
        self.register_with(None, change).await
    }

    pub async fn register_with(&self, token: Option<&str>, change: Value) -> Answer {
        let right = json!({"client_name": "Acme", "redirect_uris": [REDIRECT_URI]});
        self.send_metadata(Method::POST, "/register", token, &merged(right, &change).to_string()).await
    }

    /// Sends a body as JSON.
    pub async fn send_metadata(&self, method: Method, path: &str, token: Option<&str>, body: &str) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Reads, changes or deletes what a registration response is about.
    pub async fn manage(&self, method: Method, registered: &Value, body: &Value) -> Answer {
        let uri = text(registered, "registration_client_uri");
        let token = text(registered, "registration_access_token");
        let path = uri.strip_prefix(self.issuer()).unwrap();
        self.send_metadata(method, path, Some(&token), &body.to_string()).await
    }

    /// An initial access token, as the operator makes one.
    pub async fn initial_access_token(&self, uses: Option<i64>, lifetime: Option<i64>) -> String {
        let now = self.app.now();
        let token = InitialAccessToken {
            id: random::id(),
            name: "partners".to_owned(),
            uses_left: uses,
            expires_at: lifetime.map(|seconds| now.plus(seconds)),
            created_at: now,
        };
        let salt = random::id();
        self.app.storage.insert_registration_token(Noted::nothing(), &token, &salt).await.unwrap();
        let made = handle::issue(&self.app.master_key, Purpose::InitialAccessToken, &token.id, 0, &salt);
        made.unwrap().expose().to_owned()
    }
}

/// The client of a registration response.
pub fn registration_of(registered: &Value) -> Registration {
    let secret = registered["client_secret"].as_str().unwrap_or_default().to_owned();
    Registration { id: text(registered, "client_id"), secret }
}
