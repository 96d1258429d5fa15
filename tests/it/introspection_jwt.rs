//! Introspection answers as signed JWTs (RFC 9701).

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Answer, Registration, START, TestServer, names, on_both, text};

const JWT: &str = "application/token-introspection+jwt";

async fn ask(server: &TestServer, caller: &Registration, accept: &str, token: &str) -> Answer {
    let credentials = format!("Basic {}", STANDARD.encode(format!("{}:{}", caller.id, caller.secret)));
    let headers = [("authorization", credentials.as_str()), ("accept", accept)];
    server.post("/introspect", &headers, &[("token", token)]).await
}

/// Header and claims of an answer that has to be a JWT.
async fn verified(server: &TestServer, answer: &Answer) -> (Value, Value) {
    assert_eq!((answer.status.as_u16(), answer.header(header::CONTENT_TYPE)), (200, JWT), "{answer:?}");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    server.verified(&answer.body).await
}

on_both! {
    async fn who_asks_for_a_jwt_gets_the_same_answer_signed_for_them_alone(kind: Kind) {
        let server = TestServer::start(kind).await;
        let api = server.client(json!({"client_id": "api"})).await;
        let client = server.client(json!({"audience": ["https://other.example", "api"]})).await;
        server.user("ada").await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        let (header, claims) = verified(&server, &ask(&server, &api, JWT, &token).await).await;
        assert_eq!(header["typ"], "token-introspection+jwt");
        let plain = server.introspect(&api, &token).await.json();
        assert_eq!(plain["active"], true);
        let expected =
            json!({"iss": "https://id.example", "aud": "api", "iat": START, "token_introspection": plain});
        assert_eq!(claims, expected);
    }

    async fn a_token_that_is_not_good_or_none_of_the_callers_business_is_inactive_and_nothing_else(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        let token = server.client_token(&client, "read").await;
        let revoked = server.client_token(&client, "read").await;
        server.revoke(&client, &revoked).await;
        for (caller, token) in [(&client, "x"), (&client, revoked.as_str()), (&other, token.as_str())] {
            let (_, claims) = verified(&server, &ask(&server, caller, JWT, token).await).await;
            assert_eq!(names(&claims), ["aud", "iat", "iss", "token_introspection"]);
            assert_eq!((&claims["aud"], &claims["token_introspection"]), (&json!(caller.id), &json!({"active": false})));
        }
        server.advance(3600);
        let (_, claims) = verified(&server, &ask(&server, &client, JWT, &token).await).await;
        assert_eq!(claims["token_introspection"], json!({"active": false}));
    }

    async fn the_answer_is_signed_with_the_algorithm_its_caller_registered(kind: Kind) {
        let settings = [("KEYS__ALGORITHMS", "ES256,ES384,EdDSA,RS256"), ("TOKENS__ID_TOKEN_ALG", "RS256")];
        let server = TestServer::start_with(kind, &settings).await;
        for (registered, signed) in [(json!({}), "RS256"), (json!("ES384"), "ES384"), (json!("EdDSA"), "EdDSA")] {
            let change = match registered.is_string() {
                true => json!({"introspection_signed_response_alg": registered}),
                false => json!({}),
            };
            let client = server.client(change).await;
            let (header, _) = verified(&server, &ask(&server, &client, JWT, "x").await).await;
            assert_eq!(header["alg"], signed);
        }
    }

    async fn who_does_not_ask_for_a_jwt_gets_json(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"introspection_signed_response_alg": "ES256"})).await;
        let token = server.client_token(&client, "read").await;
        for accept in ["*/*", "application/json", "application/token-introspection+jwt;q=0", "text/html", "application/jwt"] {
            let answer = ask(&server, &client, accept, &token).await;
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/json", "{accept}");
            assert_eq!(answer.json()["active"], true, "{accept}");
        }
    }

    async fn an_introspection_answer_is_no_token(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        let signed = ask(&server, &client, JWT, &token).await.body;
        assert!(server.is_active(&client, &token).await);
        assert!(!server.is_active(&client, &signed).await);
        assert_eq!(server.get_with_token("/userinfo", &signed).await.status, 401);
        let hint = [("id_token_hint", signed.as_str()), ("prompt", "none")];
        let answer = server.browser().get(&server.authorization(&client, &hint)).await;
        assert_eq!(crate::support::query_of(answer.location(), "code"), None, "{answer:?}");
    }

    async fn a_caller_that_is_not_authenticated_gets_an_error_in_json(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, public) = (server.client(json!({})).await, server.public_client().await);
        let token = server.client_token(&client, "read").await;
        let stranger = Registration { id: client.id.clone(), secret: "wrong".to_owned() };
        ask(&server, &stranger, JWT, &token).await.assert_invalid_client();
        let form = [("client_id", public.id.as_str()), ("token", &token)];
        server.post("/introspect", &[("accept", JWT)], &form).await.assert_invalid_client();
        server.post("/introspect", &[("accept", JWT)], &[("token", &token)]).await.assert_invalid_client();
        ask(&server, &client, JWT, "").await.assert_error(400, "invalid_request");
    }
}
