//! Request objects by value and by reference (RFC 9101, OpenID Connect Core 6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::authorization::{STATE, assert_accepted};
use crate::support::{
    ASYMMETRIC, Answer, CHALLENGE, Documents, Kind, REDIRECT_URI, Registration, Signer, TestServer, encode,
    merged, on_both, text,
};

/// What a fetched request object needs to be reachable here.
const LOOPBACK: [(&str, &str); 1] = [("OUTBOUND__ALLOW_PRIVATE", "true")];

/// A server with a user and a client that signs with this key.
pub async fn start(kind: Kind, signer: &Signer, change: Value) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &LOOPBACK).await;
    server.user("ada").await;
    let client = server.client(merged(json!({"jwks": signer.jwks()}), &change)).await;
    (server, client)
}

/// The claims of a request object that is right in every way; `change` replaces some, null takes one away.
pub fn claims(server: &TestServer, client: &Registration, change: Value) -> Value {
    let now = server.app.now().unix();
    let right = json!({
        "iss": client.id, "aud": server.issuer(), "iat": now, "nbf": now, "exp": now + 60, "jti": "1",
        "client_id": client.id, "response_type": "code", "redirect_uri": REDIRECT_URI, "scope": "openid profile",
        "state": STATE, "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    });
    merged(right, &change)
}

pub fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none"})), part(claims))
}

/// An authorization request with this parameter and nothing else but the client.
pub fn path(client: &Registration, name: &str, value: &str) -> String {
    format!("/authorize?{}", encode(&[("client_id", client.id.as_str()), (name, value)]))
}

pub async fn ask(server: &TestServer, client: &Registration, object: &str) -> Answer {
    server.get(&path(client, "request", object)).await
}

on_both! {
    async fn a_signed_request_object_is_the_whole_request(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let object = signer.sign(&claims(&server, &client, json!({"max_age": 60, "claims": {"userinfo": {}}})));
        let answer = server.browser().authorize_as(&path(&client, "request", &object), "ada").await;
        assert_eq!(answer.returned("state").as_deref(), Some(STATE));
        assert_eq!(server.redeem(&client, &answer.returned("code").unwrap()).await.status, 200);
    }

    async fn what_stands_beside_it_does_not_count(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let object = signer.sign(&claims(&server, &client, json!({"prompt": "none"})));
        let beside = encode(&[
            ("redirect_uri", "https://evil.example/"), ("state", "evil"), ("prompt", "login"),
            ("scope", "admin"), ("response_mode", "fragment"), ("response_type", "token"),
        ]);
        let answer = server.get(&format!("{}&{beside}", path(&client, "request", &object))).await;
        answer.assert_redirect_error("login_required");
        assert_eq!(answer.returned("state").as_deref(), Some(STATE));
        assert!(!answer.location().contains('#'));
        // RFC 9101 6.3: not even what is missing inside.
        let object = signer.sign(&claims(&server, &client, json!({"scope": null})));
        let answer = server.get(&format!("{}&scope=openid", path(&client, "request", &object))).await;
        answer.assert_redirect_error("invalid_scope");
    }

    async fn a_client_with_several_keys_names_the_one_in_kid_of_a_request_object(kind: Kind) {
        let (signer, other) = (Signer::new("ES256"), Signer::new("ES256"));
        let (server, client) =
            start(kind, &signer, json!({"jwks": {"keys": [other.jwk(), signer.jwk()]}})).await;
        let sent = claims(&server, &client, json!({}));
        let unnamed = ask(&server, &client, &signer.sign_with(&json!({"kid": null}), &sent)).await;
        unnamed.assert_redirect_error("invalid_request_object");
        assert!(unnamed.returned("error_description").unwrap().contains("kid"), "{unnamed:?}");
        assert_accepted(&ask(&server, &client, &signer.sign(&sent)).await);
    }

    async fn every_algorithm_with_a_public_key_is_accepted(kind: Kind) {
        for algorithm in ASYMMETRIC {
            let signer = Signer::new(algorithm);
            let (server, client) = start(kind, &signer, json!({})).await;
            let object = signer.sign_with(
                &json!({"typ": "oauth-authz-req+jwt"}), &claims(&server, &client, json!({})));
            assert_accepted(&ask(&server, &client, &object).await);
        }
    }

    async fn a_signature_that_is_not_the_clients_is_refused(kind: Kind) {
        let (signer, other) = (Signer::new("ES256"), Signer::new("ES256"));
        let (server, client) = start(kind, &signer, json!({})).await;
        let second = server.client(json!({"jwks": other.jwks()})).await;
        let right = claims(&server, &client, json!({}));
        let good = signer.sign(&right);
        let (signed, _) = good.rsplit_once('.').unwrap();
        let hmac = Signer::of_secret("HS256", &signer.public_bytes());
        let stolen = other.sign_with(&json!({"kid": signer.jwk()["kid"]}), &right);
        let others_claims = signer.sign(&claims(&server, &second, json!({})));
        for object in [
            other.sign(&right), stolen, format!("{signed}."), format!("{signed}.AAAA"), hmac.sign(&right),
            others_claims, "x".to_owned(), "a.b.c".to_owned(), "a.b.c.d.e".to_owned(),
        ] {
            let answer = ask(&server, &client, &object).await;
            answer.assert_redirect_error("invalid_request_object");
            assert_eq!(answer.returned("state"), None);
        }
        // The other client cannot use it either.
        ask(&server, &second, &good).await.assert_redirect_error("invalid_request_object");
        let keyless = server.client(json!({})).await;
        let object = signer.sign(&claims(&server, &keyless, json!({})));
        ask(&server, &keyless, &object).await.assert_redirect_error("invalid_request_object");
    }

    async fn an_unsigned_object_needs_a_registration_for_it(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let object = unsigned(&claims(&server, &client, json!({})));
        ask(&server, &client, &object).await.assert_redirect_error("request_not_supported");
        let plain = server.client(json!({"request_object_signing_alg": "none"})).await;
        let right = claims(&server, &plain, json!({}));
        assert_accepted(&ask(&server, &plain, &unsigned(&right)).await);
        let oauth = unsigned(&claims(&server, &plain, json!({"scope": "profile"})));
        ask(&server, &plain, &oauth).await.assert_redirect_error("invalid_request_object");
        let forged = format!("{}AAAA", unsigned(&right));
        ask(&server, &plain, &forged).await.assert_redirect_error("invalid_request_object");
        server.change_client(&plain, json!({"require_signed_request_object": true})).await;
        ask(&server, &plain, &unsigned(&right)).await.assert_redirect_error("invalid_request");
    }

    async fn a_registered_algorithm_is_the_only_one(kind: Kind) {
        let signer = Signer::new("RS256");
        let (server, client) = start(kind, &signer, json!({"request_object_signing_alg": "PS256"})).await;
        let right = claims(&server, &client, json!({}));
        ask(&server, &client, &signer.sign(&right)).await.assert_redirect_error("invalid_request_object");
        assert_accepted(&ask(&server, &client, &signer.with_algorithm("PS256").sign(&right)).await);
        let object = unsigned(&right);
        ask(&server, &client, &object).await.assert_redirect_error("invalid_request_object");
    }

    async fn every_claim_about_the_object_is_checked(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let now = server.app.now().unix();
        for change in [
            json!({"client_id": "other"}), json!({"client_id": null}), json!({"iss": "other"}),
            json!({"iss": ["x"]}), json!({"aud": "https://other.example"}), json!({"aud": []}),
            json!({"sub": client.id}), json!({"exp": now - 30}), json!({"exp": "soon"}),
            json!({"nbf": now + 31}), json!({"iat": now + 31}), json!({"request": "x"}),
            json!({"request_uri": "https://app.example/r"}),
        ] {
            let object = signer.sign(&claims(&server, &client, change.clone()));
            let answer = ask(&server, &client, &object).await;
            assert_eq!(answer.returned("error").as_deref(), Some("invalid_request_object"), "{change} {answer:?}");
        }
        for change in [
            json!({"iss": null, "aud": null, "exp": null, "nbf": null, "iat": null, "jti": null}),
            json!({"aud": ["https://other.example", server.issuer()]}), json!({"exp": now - 29}),
        ] {
            assert_accepted(&ask(&server, &client, &signer.sign(&claims(&server, &client, change))).await);
        }
        for header in [json!({"typ": "at+jwt"}), json!({"typ": "client-authentication+jwt"}), json!({"crit": ["x"]})] {
            let object = signer.sign_with(&header, &claims(&server, &client, json!({})));
            ask(&server, &client, &object).await.assert_redirect_error("invalid_request_object");
        }
        // A JWT by which the client authenticates is no request.
        let assertion = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
        ask(&server, &client, &assertion).await.assert_redirect_error("invalid_request_object");
        let nul = signer.sign(&claims(&server, &client, json!({"state": "a\u{0}b"})));
        let answer = ask(&server, &client, &nul).await;
        answer.assert_redirect_error("invalid_request");
    }

    async fn parameters_inside_are_checked_as_outside(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        for (change, code) in [
            (json!({"scope": "admin"}), "invalid_scope"),
            (json!({"code_challenge": null}), "invalid_request"),
            (json!({"response_type": "token"}), "unsupported_response_type"),
            (json!({"resource": ["https://a.example", "not a uri"]}), "invalid_target"),
        ] {
            let answer = ask(&server, &client, &signer.sign(&claims(&server, &client, change))).await;
            answer.assert_redirect_error(code);
        }
        let evil = signer.sign(&claims(&server, &client, json!({"redirect_uri": "https://evil.example/"})));
        ask(&server, &client, &evil).await.assert_page_error(400);
        let both = format!("{}&request_uri=https://app.example/r", path(&client, "request", "x"));
        server.get(&both).await.assert_redirect_error("invalid_request");
    }

    async fn a_signed_object_can_be_required_of_a_client_and_of_all(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({"require_signed_request_object": true})).await;
        server.get(&server.authorization(&client, &[])).await.assert_redirect_error("invalid_request");
        assert_accepted(&ask(&server, &client, &signer.sign(&claims(&server, &client, json!({})))).await);
        let strict = TestServer::start_with(kind, &[("AUTHORIZATION__REQUIRE_SIGNED_REQUEST_OBJECT", "true")]).await;
        let client = strict.client(json!({"jwks": signer.jwks()})).await;
        strict.get(&strict.authorization(&client, &[])).await.assert_redirect_error("invalid_request");
        assert_accepted(&ask(&strict, &client, &signer.sign(&claims(&strict, &client, json!({})))).await);
        let form = [("response_type", "code"), ("redirect_uri", REDIRECT_URI), ("scope", "openid")];
        strict.post_as(&client, "/par", &form).await.assert_error(400, "invalid_request");
    }

    async fn a_request_object_can_be_pushed(kind: Kind) {
        let signer = Signer::new("ES256");
        let required = json!({"require_signed_request_object": true, "require_pushed_authorization_requests": true});
        let (server, client) = start(kind, &signer, required).await;
        let object = signer.sign(&claims(&server, &client, json!({})));
        let beside = [("request", object.as_str()), ("state", "evil")];
        let answer = server.post_as(&client, "/par", &beside).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let uri = text(&answer.json(), "request_uri");
        let answer = server.browser().authorize_as(&path(&client, "request_uri", &uri), "ada").await;
        assert_eq!(answer.returned("state").as_deref(), Some(STATE));
        // By itself it is not pushed.
        ask(&server, &client, &object).await.assert_redirect_error("invalid_request");
        let other = Signer::new("ES256").sign(&claims(&server, &client, json!({})));
        let answer = server.post_as(&client, "/par", &[("request", &other)]).await;
        answer.assert_error(400, "invalid_request_object");
    }

    async fn a_registered_request_uri_is_fetched(kind: Kind) {
        let signer = Signer::new("RS256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let documents = Documents::serve(&json!({})).await;
        server.change_client(&client, json!({"request_uris": [documents.url]})).await;
        let serve = |object: &str| {
            documents.answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{object}", object.len()));
        };
        serve(&signer.sign(&claims(&server, &client, json!({}))));
        assert_accepted(&server.get(&path(&client, "request_uri", &documents.url)).await);
        let with_hash = format!("{}#abc", documents.url);
        assert_accepted(&server.get(&path(&client, "request_uri", &with_hash)).await);
        assert_eq!(documents.requests(), 2);
        serve(&Signer::new("ES256").sign(&claims(&server, &client, json!({}))));
        let answer = server.get(&path(&client, "request_uri", &documents.url)).await;
        answer.assert_redirect_error("invalid_request_object");
        documents.answer("HTTP/1.1 302 Found\r\nLocation: https://app.example/\r\nContent-Length: 0\r\n\r\n");
        let answer = server.get(&path(&client, "request_uri", &documents.url)).await;
        answer.assert_redirect_error("invalid_request_uri");
    }

    async fn an_unsigned_object_is_fetched_for_a_client_that_is_registered_for_it(kind: Kind) {
        let server = TestServer::start_with(kind, &LOOPBACK).await;
        let documents = Documents::serve(&json!({})).await;
        let client = server.client(json!({"request_uris": [documents.url]})).await;
        let object = unsigned(&claims(&server, &client, json!({})));
        documents.answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{object}", object.len()));
        let path = path(&client, "request_uri", &documents.url);
        server.get(&path).await.assert_redirect_error("request_not_supported");
        server.change_client(&client, json!({"request_object_signing_alg": "none"})).await;
        assert_accepted(&server.get(&path).await);
    }

    async fn nothing_else_is_fetched(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let documents = Documents::serve(&json!({})).await;
        for uri in [documents.url.as_str(), "https://app.example/r", "file:///etc/passwd", "urn:x", "x"] {
            let answer = server.get(&path(&client, "request_uri", uri)).await;
            answer.assert_redirect_error("invalid_request_uri");
        }
        assert_eq!(documents.requests(), 0);
        // Registered, and still nowhere to go: internal addresses are not reached unless the operator says so.
        let strict = TestServer::start(kind).await;
        let internal = [&*documents.url, "https://127.0.0.1/r", "https://10.0.0.1/r", "https://[::1]/r",
            "https://169.254.169.254/latest/meta-data", "http://app.example/r"];
        let client = strict.client(json!({"request_uris": internal})).await;
        for uri in internal {
            let answer = strict.get(&path(&client, "request_uri", uri)).await;
            answer.assert_redirect_error("invalid_request_uri");
        }
        assert_eq!(documents.requests(), 0);
    }
}
