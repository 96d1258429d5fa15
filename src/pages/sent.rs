//! What a browser sends to a page: a query or a form. One that cannot be read is answered by the page that says so.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;

use super::answer::Failure;
use crate::app::App;
use crate::http::extract;
use crate::protocol::{OAuthError, Parameters};

/// What came in the address or in the body, to be parsed where it is used.
pub(super) struct Sent(Bytes);

impl Sent {
    pub(super) fn parameters(&self) -> Result<Parameters<'_>, OAuthError> {
        Parameters::parse(&self.0)
    }

    /// As it was encoded.
    pub(super) fn encoded(&self) -> &[u8] {
        &self.0
    }
}

/// The query of a request.
pub(super) struct Query(pub Sent);

impl FromRequestParts<Arc<App>> for Query {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(Sent(Bytes::copy_from_slice(query.as_bytes()))))
    }
}

/// The form in a request's body.
pub(super) struct Form(pub Sent);

impl FromRequest<Arc<App>> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::new(body), app).await;
        Ok(Self(Sent(extract::form(&parts.headers, body)?)))
    }
}
