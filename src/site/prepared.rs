//! Documents that are the same for everybody, each compressed once in every coding that is asked for (RFC 9110 8.4.1).
//!
//! Only these are: a page holds what only its reader may know beside what others may have put there, and the length of
//! the two compressed together tells the one who put it there about the other (docs/adr/0061).

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::OnceCell;
use tower::{ServiceExt as _, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::Compression;

use crate::server::edge::MOST_HEADERS;

/// The best of gzip; of Brotli what takes a tenth of the time of its best, for a tenth more bytes.
const LEVEL: CompressionLevel = CompressionLevel::Precise(9);
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");

/// A content coding that a document is kept in, beside the document as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The smallest that is accepted (RFC 9110 12.5.3). What is not understood is not accepted: the document as it is always
    /// is an answer.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        let accepted = lines.flat_map(|line| line.split(',')).filter_map(Self::parse);
        accepted.reduce(|one, other| if one == Self::Brotli { one } else { other })
    }

    /// One member of the list, unless its weight is zero.
    fn parse(member: &str) -> Option<Self> {
        let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        if !weight.is_ok_and(|weight| weight > 0.0) {
            return None;
        }
        [Self::Brotli, Self::Gzip].into_iter().find(|coding| name.trim().eq_ignore_ascii_case(coding.name()))
    }
}

/// A document, and what it has been compressed to: nothing where that would not be smaller.
#[derive(Clone, Debug)]
pub struct Prepared {
    content_type: &'static str,
    plain: Bytes,
    brotli: OnceCell<Option<Bytes>>,
    gzip: OnceCell<Option<Bytes>>,
}

impl Prepared {
    pub(crate) fn new(content_type: &'static str, document: impl Into<Bytes>) -> Self {
        Self { content_type, plain: document.into(), brotli: OnceCell::new(), gzip: OnceCell::new() }
    }

    /// The document as it is.
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The answer to a request with these headers. How long it may be kept is for the caller to say.
    pub(crate) async fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let coded = match Coding::accepted(request) {
            Some(coding) => self.coded(coding).await.map(|body| (coding, body)),
            None => None,
        };
        let body = coded.map_or(&self.plain, |(_, body)| body);
        let mut response = Response::new(Body::from(body.clone()));
        let headers = response.headers_mut();
        headers.reserve(MOST_HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::VARY, VARY);
        if let Some((coding, _)) = coded {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        response
    }

    async fn coded(&self, coding: Coding) -> Option<&Bytes> {
        let cell = match coding {
            Coding::Brotli => &self.brotli,
            Coding::Gzip => &self.gzip,
        };
        // In a box: what compresses is large, and is moved about with every answer where it is a part of it.
        cell.get_or_init(|| Box::pin(compressed(self.plain.clone(), coding))).await.as_ref()
    }
}

/// The document in this coding. It is in memory, so nothing is waited for.
async fn compressed(document: Bytes, coding: Coding) -> Option<Bytes> {
    let length = document.len();
    let plain = service_fn(move |_: Request<()>| {
        let document = document.clone();
        async move { Ok::<_, Infallible>(Response::new(Full::new(document))) }
    });
    let mut request = Request::new(());
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding.name()));
    let Ok(response) = Compression::new(plain).quality(LEVEL).oneshot(request).await;
    let is_coded =
        response.headers().get(header::CONTENT_ENCODING).is_some_and(|found| found == coding.name());
    let body = response.into_body().collect().await.ok()?.to_bytes();
    (is_coded && body.len() < length).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(accepted: &[&'static str]) -> HeaderMap {
        accepted.iter().map(|line| (header::ACCEPT_ENCODING, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn the_smallest_accepted_coding_is_chosen() {
        use Coding::{Brotli, Gzip};
        for (accepted, expected) in [
            (&["gzip, deflate, br, zstd"][..], Some(Brotli)),
            (&["br;q=0.5, GZIP"], Some(Brotli)),
            (&["gzip", "br"], Some(Brotli)),
            (&["br;q=0, gzip ; q=0.1"], Some(Gzip)),
            (&["gzip;q=0.0"], None),
            (&["gzip;q=x"], None),
            (&["identity, *"], None),
            (&["gzipped, xbr"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(Coding::accepted(&request(accepted)), expected, "{accepted:?}");
        }
    }

    async fn answered(document: &Prepared, accepted: &'static str) -> (Option<HeaderValue>, usize) {
        let response = document.answer(&request(&[accepted])).await;
        assert_eq!(response.headers()[header::VARY], VARY);
        let coding = response.headers().get(header::CONTENT_ENCODING).cloned();
        (coding, response.into_body().collect().await.unwrap().to_bytes().len())
    }

    #[tokio::test]
    async fn a_document_is_answered_in_what_is_accepted_where_that_is_smaller() {
        let document = Prepared::new("text/plain", "what is said a hundred times is soon said ".repeat(100));
        let (plain, length) = answered(&document, "identity").await;
        assert_eq!((plain, length), (None, document.plain().len()));
        for coding in ["br", "gzip"] {
            let (found, length) = answered(&document, coding).await;
            assert_eq!(found.unwrap(), coding);
            assert!(length < document.plain().len() / 10, "{length}");
        }
        let short = Prepared::new("text/plain", "short");
        assert_eq!(answered(&short, "gzip").await, (None, 5));
    }
}
