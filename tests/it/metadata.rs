//! Documents about the server: discovery (RFC 8414), JWK Set (RFC 7517), health; and who may read them from where.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, names, on_both, text};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
/// What applications in a browser may call.
const FOR_BROWSER_APPS: [(&str, &str); 9] = [
    ("POST", "/token"),
    ("POST", "/par"),
    ("POST", "/device_authorization"),
    ("GET", "/userinfo"),
    ("POST", "/revoke"),
    ("GET", "/jwks"),
    ("GET", "/.well-known/webfinger"),
    ("GET", OPENID),
    ("GET", OAUTH),
];
const NOT_FOR_BROWSER_APPS: [(&str, &str); 9] = [
    ("GET", "/device"),
    ("POST", "/introspect"),
    ("GET", "/authorize"),
    ("GET", "/login"),
    ("GET", "/consent"),
    ("GET", "/account"),
    ("GET", "/logout"),
    ("GET", "/healthz"),
    ("GET", "/no-such-page"),
];

async fn from_another_origin(server: &TestServer, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header(header::ORIGIN, "https://spa.example");
    server.send(request.body(Body::empty()).unwrap()).await
}

async fn preflight(server: &TestServer, method: &str, path: &str) -> Answer {
    let request = Request::builder()
        .method("OPTIONS")
        .uri(path)
        .header(header::ORIGIN, "https://spa.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, method)
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    server.send(request.body(Body::empty()).unwrap()).await
}

on_both! {
    async fn the_discovery_document_is_the_one_checked_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        let answer = server.get(OPENID).await;
        assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (StatusCode::OK, "application/json"));
        let expected: Value = serde_json::from_str(include_str!("snapshots/discovery.json")).unwrap();
        let found = answer.json();
        let pretty = serde_json::to_string_pretty(&found).unwrap();
        assert_eq!(found, expected, "if this is meant, it is the new tests/it/snapshots/discovery.json:\n{pretty}");
    }

    async fn both_well_known_documents_are_the_same(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (openid, oauth) = (server.get(OPENID).await, server.get(OAUTH).await);
        assert_eq!((openid.status, &openid.body), (oauth.status, &oauth.body));
        assert_eq!(openid.header(header::CACHE_CONTROL), "public, max-age=900");
    }

    async fn below_a_path_every_endpoint_and_both_documents_move(kind: Kind) {
        let issuer = "https://id.example/sso";
        let server = TestServer::start_with(kind, &[("SERVER__ISSUER", issuer)]).await;
        let document = server.get(&format!("/sso{OPENID}")).await.json();
        assert_eq!(document["issuer"], issuer);
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name.ends_with("_uri") {
                assert!(value.as_str().unwrap().starts_with("https://id.example/sso/"), "{name}: {value}");
            }
        }
        // RFC 8414 3.1: the well-known part goes between the host and the path.
        assert_eq!(server.get(&format!("{OAUTH}/sso")).await.json(), document);
        assert_eq!(server.get("/sso/jwks").await.status, 200);
        assert_eq!(server.get("/jwks").await.status, 404);
    }

    async fn policy_and_terms_are_named_where_the_operator_set_them(kind: Kind) {
        let (policy, terms) = ("https://id.example/privacy", "https://id.example/terms");
        let settings = [("BRANDING__POLICY_URL", policy), ("BRANDING__TOS_URL", terms)];
        let document = TestServer::start_with(kind, &settings).await.get(OPENID).await.json();
        assert_eq!((&document["op_policy_uri"], &document["op_tos_uri"]), (&json!(policy), &json!(terms)));
    }

    async fn the_languages_of_the_document_are_those_of_the_pages(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/messages")).unwrap();
        let files = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
        let files: std::collections::BTreeSet<String> = files.collect();
        for document in [OPENID, OAUTH] {
            let document = server.get(document).await.json();
            let named: Vec<String> = serde_json::from_value(document["ui_locales_supported"].clone()).unwrap();
            assert_eq!(named.iter().cloned().collect::<std::collections::BTreeSet<_>>(), files);
            // The languages of claims are those of each user.
            assert_eq!(document.get("claims_locales_supported"), None);
        }
        for tag in files {
            let mut browser = server.browser();
            let answer = browser.get(&server.authorization(&client, &[("ui_locales", &tag)])).await;
            let page = browser.follow(answer).await;
            assert!(page.body.contains(&format!("<html lang=\"{tag}\"")), "{page:?}");
        }
    }

    async fn every_endpoint_of_the_document_answers(kind: Kind) {
        let server = TestServer::start(kind).await;
        let document = server.get(OPENID).await.json();
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let path = value.as_str().unwrap().strip_prefix(server.issuer()).unwrap();
                assert_ne!(server.get(path).await.status, StatusCode::NOT_FOUND, "{name}");
            }
        }
    }

    async fn the_jwk_set_holds_only_public_members(kind: Kind) {
        let server = TestServer::start_with(kind, &[("KEYS__ALGORITHMS", "ES256,EdDSA,RS256,PS256")]).await;
        let answer = server.get("/jwks").await;
        assert_eq!(answer.header(header::CACHE_CONTROL), "public, max-age=900");
        let set = answer.json();
        assert_eq!(names(&set), ["keys"]);
        let (keys, to_encrypt): (Vec<Value>, _) =
            set["keys"].as_array().unwrap().iter().cloned().partition(|key| key["use"] == "sig");
        let [to_encrypt] = to_encrypt.try_into().unwrap();
        assert_eq!(names(&to_encrypt), ["crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(to_encrypt["use"], "enc");
        let mut algorithms: Vec<_> = keys.iter().map(|key| text(key, "alg")).collect();
        algorithms.sort_unstable();
        assert_eq!(algorithms, ["ES256", "EdDSA", "PS256", "RS256"]);
        for key in &keys {
            let expected: &[&str] = match key["kty"].as_str().unwrap() {
                "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
                "OKP" => &["alg", "crv", "kid", "kty", "use", "x"],
                _ => &["alg", "e", "kid", "kty", "n", "use"],
            };
            assert_eq!(names(key), expected);
            assert_eq!(text(key, "kid").len(), 43, "an RFC 7638 thumbprint");
        }
    }

    async fn applications_in_a_browser_may_call_what_is_theirs_from_any_origin(kind: Kind) {
        let server = TestServer::start(kind).await;
        for (method, path) in FOR_BROWSER_APPS {
            for answer in [
                from_another_origin(&server, method, path).await,
                preflight(&server, method, path).await,
            ] {
                assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*", "{path}");
                assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "{path}");
            }
            let answer = preflight(&server, method, path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_METHODS), "GET,POST");
            assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_HEADERS), "authorization,content-type");
        }
        let refused = from_another_origin(&server, "GET", "/userinfo").await;
        assert_eq!(refused.header(header::ACCESS_CONTROL_EXPOSE_HEADERS), "www-authenticate");
    }

    async fn pages_and_introspection_are_not_for_other_origins(kind: Kind) {
        let server = TestServer::start(kind).await;
        for (method, path) in NOT_FOR_BROWSER_APPS {
            for answer in [
                from_another_origin(&server, method, path).await,
                preflight(&server, method, path).await,
            ] {
                let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(cors, None, "{path}");
            }
        }
    }

    async fn health_is_about_the_process_and_readiness_about_the_database(kind: Kind) {
        let server = TestServer::start(kind).await;
        for path in ["/healthz", "/readyz"] {
            assert_eq!(server.get(path).await.status, 200, "{path}");
        }
        server.app.storage.db().close().await;
        assert_eq!(server.get("/healthz").await.status, 200);
        assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    async fn without_the_database_an_endpoint_fails_in_the_standards_own_way(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.app.storage.db().close().await;
        let form = [("grant_type", "client_credentials")];
        let answer = server.post_as(&client, "/token", &form).await;
        answer.assert_error(503, "temporarily_unavailable");
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(!answer.body.to_lowercase().contains("pool"), "{answer:?}");
    }
}
