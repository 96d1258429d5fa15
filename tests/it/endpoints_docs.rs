//! docs/endpoints.md lists every endpoint of the public listener, with the methods that it answers.

use std::collections::BTreeMap;
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use chancery::observe::Endpoint;

use crate::support::{Kind, OPEN, TestServer};

/// What labels call the other listeners, and what is none of ours.
const NO_PATHS: [Endpoint; 3] = [Endpoint::Admin, Endpoint::Metrics, Endpoint::Other];

/// Methods by path.
fn documented() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/endpoints.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut found = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `/")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let mut methods: Vec<_> = cells[2].split(", ").map(str::to_owned).collect();
        methods.sort();
        assert!(found.insert(cells[1].trim_matches('`').to_owned(), methods).is_none(), "{row}");
    }
    found
}

/// What the server says it answers at a path: with a 405 (RFC 9110 15.5.6).
async fn answered(server: &TestServer, path: &str) -> Vec<String> {
    let path = path.replace("{client_id}", "some").replace("{name}", "some.css");
    let request = Request::builder().method(Method::PATCH).uri(&path).body(Body::empty()).unwrap();
    let answer = server.send(request).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    let allowed = answer.headers[header::ALLOW].to_str().unwrap();
    let mut methods: Vec<_> =
        allowed.split(',').map(str::trim).filter(|method| *method != "HEAD").map(str::to_owned).collect();
    methods.sort();
    methods
}

#[tokio::test]
async fn every_endpoint_is_documented_with_its_methods() {
    let server = TestServer::start_with(Kind::Sqlite, &[OPEN]).await;
    let mut expected = BTreeMap::new();
    for endpoint in Endpoint::ALL.iter().filter(|endpoint| !NO_PATHS.contains(endpoint)) {
        expected.insert(endpoint.text().to_owned(), answered(&server, endpoint.text()).await);
    }
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(documented(), expected);
}
