//! What the demo asks the server over HTTP, as JSON.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use axum::http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::outbound::{Channel, ChannelLimits, Outbound, Reach, Reply};

const LIMITS: ChannelLimits =
    ChannelLimits { reach: Reach::Anywhere, timeout: Duration::from_secs(10), max_bytes: 256 * 1024 };

/// Why there was no answer to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{url} does not answer: {cause}")]
    Unreachable { url: String, cause: String },
    #[error("{url} answered {status}")]
    Status { url: String, status: StatusCode },
    #[error("{url} did not answer with JSON")]
    NotJson { url: String },
    /// The server's own words (RFC 6749 5.2).
    #[error("{code}: {description}")]
    OAuth { code: String, description: String },
}

/// It asks one server, which may be on this machine and speak plain HTTP.
#[derive(Clone)]
pub(super) struct HttpClient(Arc<Outbound>);

impl HttpClient {
    pub(super) fn new(outbound: Arc<Outbound>) -> Self {
        Self(outbound)
    }

    /// A JSON document; `bearer` is the access token where one is needed (RFC 6750 2.1).
    pub(super) async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Value, HttpError> {
        let authorization = bearer.map(|token| format!("Bearer {token}"));
        let authorization = authorization.as_deref().map(|value| (AUTHORIZATION, value));
        json(url, &self.send(Method::GET, url, authorization.as_slice(), Bytes::new()).await?)
    }

    /// Posts a form with the client's credentials; an empty answer is `null`.
    pub(super) async fn post(
        &self,
        url: &str,
        authorization: String,
        form: &[(&str, &str)],
    ) -> Result<Value, HttpError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [(AUTHORIZATION, &*authorization), (CONTENT_TYPE, "application/x-www-form-urlencoded")];
        let answer = self.send(Method::POST, url, &headers, body.into()).await?;
        if answer.status.is_success() && answer.body.is_empty() {
            Ok(Value::Null)
        } else {
            json(url, &answer)
        }
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> Result<Reply, HttpError> {
        let unreachable = |cause: String| HttpError::Unreachable { url: url.to_owned(), cause };
        let parsed = Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
        let headers = [headers, &[(ACCEPT, "application/json")]].concat();
        let channel = Channel::new(Arc::clone(&self.0), parsed, LIMITS);
        channel.send(method, &headers, body).await.map_err(|error| unreachable(error.to_string()))
    }
}

fn json(url: &str, answer: &Reply) -> Result<Value, HttpError> {
    let value = serde_json::from_slice::<Value>(&answer.body);
    if answer.status.is_success() {
        return value.map_err(|_| HttpError::NotJson { url: url.to_owned() });
    }
    let code = value.as_ref().ok().and_then(|value| value["error"].as_str());
    match (code, &value) {
        (Some(code), Ok(value)) => Err(HttpError::OAuth {
            code: code.to_owned(),
            description: value["error_description"].as_str().unwrap_or_default().to_owned(),
        }),
        _ => Err(HttpError::Status { url: url.to_owned(), status: answer.status }),
    }
}
