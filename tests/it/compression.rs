//! Documents that are the same for everybody are sent compressed to whoever accepts that (RFC 9110 12.5.3); pages never are.

use std::convert::Infallible;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, header};
use axum::response::Response;
use tower::{ServiceExt as _, service_fn};
use tower_http::decompression::Decompression;

use crate::support::{TestServer, on_both};

const CODINGS: [&str; 2] = ["br", "gzip"];

/// A document in this coding: what was sent, and what it is.
async fn coded(server: &TestServer, path: &str, coding: &'static str) -> (usize, Bytes) {
    let request = Request::get(path).header(header::ACCEPT_ENCODING, coding).body(Body::empty()).unwrap();
    let (parts, sent) = server.raw(request).await;
    assert_eq!(
        (&parts.headers[header::CONTENT_ENCODING], &parts.headers[header::VARY]),
        (&coding.parse().unwrap(), &"accept-encoding".parse().unwrap()),
        "{path}"
    );
    let length = sent.len();
    let answer = Response::from_parts(parts, Body::from(sent));
    let mut answers = Some(answer);
    let service = service_fn(move |_: Request<Body>| {
        let answer = answers.take().unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    let answer = Decompression::new(service).oneshot(Request::new(Body::empty())).await.unwrap();
    (length, to_bytes(Body::new(answer.into_body()), usize::MAX).await.unwrap())
}

on_both! {
    async fn metadata_and_keys_are_smaller_where_a_coding_is_accepted(kind: Kind) {
        let server = TestServer::start(kind).await;
        // A key and its thumbprint are random: what is left to compress of a JWK Set is the rest.
        for (path, percent) in
            [("/.well-known/openid-configuration", 33), ("/.well-known/oauth-authorization-server", 33), ("/jwks", 75)]
        {
            let plain = server.get(path).await;
            assert!(!plain.headers.contains_key(header::CONTENT_ENCODING), "{plain:?}");
            assert_eq!(plain.header(header::VARY), "accept-encoding");
            for coding in CODINGS {
                let (length, document) = coded(&server, path, coding).await;
                assert_eq!(document, plain.body.as_bytes());
                assert!(length * 100 <= document.len() * percent, "{path}, {coding}: {length} of {} bytes", document.len());
            }
        }
    }

    async fn stylesheet_and_script_are_smaller_where_a_coding_is_accepted(kind: Kind) {
        let server = TestServer::start(kind).await;
        let assets = &server.app.site.assets;
        for name in [&assets.stylesheet.name, &assets.script.name] {
            let path = format!("/assets/{name}");
            for coding in CODINGS {
                let (length, document) = coded(&server, &path, coding).await;
                assert_eq!(document, server.get(&path).await.body.as_bytes());
                assert!(length * 100 <= document.len() * 55, "{path}, {coding}: {length} of {} bytes", document.len());
            }
        }
    }

    async fn pages_and_tokens_are_never_compressed(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(serde_json::json!({})).await;
        for path in ["/login", "/no-such-page", &server.authorization(&client, &[])] {
            let request = Request::get(path).header(header::ACCEPT_ENCODING, "br, gzip");
            let (parts, _) = server.raw(request.body(Body::empty()).unwrap()).await;
            assert!(!parts.headers.contains_key(header::CONTENT_ENCODING), "{path}");
        }
        let accepts = [("accept-encoding", "br, gzip")];
        let answer = server.post("/token", &accepts, &[("grant_type", "client_credentials")]).await;
        assert!(!answer.headers.contains_key(header::CONTENT_ENCODING), "{answer:?}");
    }
}
