//! A small HTTP client for plain http on this machine, bounded in time and size.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 256 * 1024;

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

#[derive(Clone)]
pub(super) struct HttpClient(Client<HttpConnector, Body>);

/// An answer of any status.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl HttpClient {
    pub(super) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// A JSON document; `bearer` is the access token where one is needed (RFC 6750 2.1).
    pub(super) async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Value, HttpError> {
        let authorization = bearer.map(|token| format!("Bearer {token}"));
        let answer = self.send(Method::GET, url, authorization, String::new()).await?;
        json(url, answer)
    }

    /// Posts a form with the client's credentials; an empty answer is `null`.
    pub(super) async fn post(
        &self,
        url: &str,
        authorization: String,
        form: &[(&str, &str)],
    ) -> Result<Value, HttpError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let answer = self.send(Method::POST, url, Some(authorization), body).await?;
        if answer.status.is_success() && answer.body.is_empty() { Ok(Value::Null) } else { json(url, answer) }
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        authorization: Option<String>,
        body: String,
    ) -> Result<Answer, HttpError> {
        let unreachable = |cause: String| HttpError::Unreachable { url: url.to_owned(), cause };
        let mut request = Request::builder().method(&method).uri(url).header(ACCEPT, "application/json");
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(authorization) = authorization {
            let mut value =
                HeaderValue::try_from(authorization).map_err(|error| unreachable(error.to_string()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Body::from(body)).map_err(|error| unreachable(error.to_string()))?;
        let exchange = async {
            let response = self.0.request(request).await.map_err(|error| unreachable(error.to_string()))?;
            let (parts, body) = response.into_parts();
            let body = to_bytes(Body::new(body), LARGEST_ANSWER).await;
            let body = body.map_err(|error| unreachable(error.to_string()))?.to_vec();
            Ok(Answer { status: parts.status, body })
        };
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(unreachable("it took too long".to_owned())),
        }
    }
}

fn json(url: &str, answer: Answer) -> Result<Value, HttpError> {
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
