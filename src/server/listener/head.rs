//! The size of a request head. hyper bounds the buffer that a head comes in, which may grow to twice the bound and
//! holds a whole head by then; this counts.

use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use hyper::Request;

/// The ends of the lines of a head, and what stands between its parts.
const REQUEST_LINE: usize = "  HTTP/1.1\r\n".len();
const HEADER: usize = ": \r\n".len();
const END: usize = "\r\n".len();

/// Bytes of a request head: the request line, and each header as `name: value`.
pub(super) fn size<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let origin = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len())
        + uri.authority().map_or(0, |authority| authority.as_str().len());
    let target = origin + uri.path_and_query().map_or(0, |path| path.as_str().len());
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER).sum();
    request.method().as_str().len() + target + REQUEST_LINE + headers + END
}

/// RFC 6585 5. Whoever sends such a head has more to come, so the connection ends with it.
pub(super) fn too_large() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
