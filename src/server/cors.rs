//! What pages of other origins may call (Fetch, "CORS protocol"): any origin, and no credentials of the browser, because
//! nothing here reads a cookie. Never the pages.
//!
//! It goes by the endpoint that a request is for. The middleware does it, because a layer of the router costs
//! every request as much as finding its route.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::observe::Endpoint;

const ANY: HeaderValue = HeaderValue::from_static("*");
/// The challenge of a 401 (RFC 6750 3).
const EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("authorization,content-type");
/// Seconds that a browser may remember the answer to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// What pages of other origins may call on a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cors {
    #[default]
    Nothing,
    /// What applications call.
    Endpoints,
    /// Those, and the registration of clients.
    EndpointsAndRegistration,
}

impl Cors {
    /// None: not this endpoint.
    pub fn methods(self, endpoint: Endpoint) -> Option<Methods> {
        match endpoint {
            Endpoint::Token
            | Endpoint::PushedAuthorization
            | Endpoint::DeviceAuthorization
            | Endpoint::Userinfo
            | Endpoint::Revoke
            | Endpoint::Jwks
            | Endpoint::OpenidConfiguration
            | Endpoint::ServerMetadata
            | Endpoint::Webfinger => (self != Self::Nothing).then_some(Methods::GetPost),
            Endpoint::Register | Endpoint::RegisteredClient => {
                (self == Self::EndpointsAndRegistration).then_some(Methods::Manage)
            }
            _ => None,
        }
    }
}

/// The methods by which pages of other origins may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    GetPost,
    /// RFC 7592: a client manages its own registration.
    Manage,
}

impl Methods {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GetPost => "GET,POST",
            Self::Manage => "GET,POST,PUT,DELETE",
        })
    }

    /// The answer to a browser that asks whether it may.
    pub fn preflight(self) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.header());
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        response
    }
}

/// Lets pages of every origin read an answer.
pub(crate) fn share(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
