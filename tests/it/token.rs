//! The token endpoint (RFC 6749 3.2): the form of requests and answers.

use axum::http::{Method, Request, header};
use serde_json::json;

use crate::support::{START, TestServer, encode, on_both};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

on_both! {
    async fn grant_type_is_required_and_must_be_one_the_server_speaks(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.post_as(&client, "/token", &[]).await.assert_error(400, "invalid_request");
        server.post_as(&client, "/token", &[("grant_type", "")]).await.assert_error(400, "invalid_request");
        for unknown in ["password", "implicit", "AUTHORIZATION_CODE", "urn:example:unknown"] {
            let answer = server.post_as(&client, "/token", &[("grant_type", unknown)]).await;
            answer.assert_error(400, "unsupported_grant_type");
        }
    }

    async fn a_parameter_sent_twice_is_refused_even_with_the_same_value_or_none(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let grant_type = ("grant_type", "client_credentials");
        for twice in [
            [grant_type, grant_type, ("scope", "read")],
            [grant_type, ("scope", "read"), ("scope", "write")],
            [grant_type, ("scope", "read"), ("scope", "")],
            [grant_type, ("unheard-of", "1"), ("unheard-of", "1")],
        ] {
            server.post_as(&client, "/token", &twice).await.assert_error(400, "invalid_request");
        }
    }

    async fn a_parameter_that_nobody_knows_is_ignored(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let form = [("grant_type", "client_credentials"), ("unheard-of", "1")];
        assert_eq!(server.post_as(&client, "/token", &form).await.status, 200);
    }

    async fn a_body_that_is_not_a_form_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"token_endpoint_auth_method": "client_secret_post"})).await;
        let form = encode(&[
            ("grant_type", "client_credentials"),
            ("client_id", &client.id),
            ("client_secret", &client.secret),
        ]);
        for headers in [
            &[][..],
            &[("content-type", "text/plain")],
            &[("content-type", "application/json")],
            &[("content-type", "multipart/form-data; boundary=x")],
        ] {
            let answer = server.post_raw("/token", headers, form.clone()).await;
            answer.assert_error(400, "invalid_request");
        }
        let document = json!({"grant_type": "client_credentials"}).to_string();
        let json = [("content-type", "application/json")];
        server.post_raw("/token", &json, document).await.assert_error(400, "invalid_request");
        let charset = [("content-type", "Application/X-WWW-Form-URLencoded; charset=UTF-8")];
        assert_eq!(server.post_raw("/token", &charset, form).await.status, 200);
    }

    async fn a_parameter_that_is_not_utf8_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        for body in ["grant_type=%FF", "grant_type=a&%C3%28=b"] {
            server.post_raw("/token", &[FORM], body).await.assert_error(400, "invalid_request");
        }
        let raw = b"grant_type=\xff".to_vec();
        server.post_raw("/token", &[FORM], raw).await.assert_error(400, "invalid_request");
    }

    async fn a_flood_of_parameters_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let extra: Vec<String> = (0..100).map(|number| format!("p{number}")).collect();
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(extra.iter().map(|name| (name.as_str(), "1")));
        server.post_as(&client, "/token", &form).await.assert_error(400, "invalid_request");
        form.pop();
        assert_eq!(server.post_as(&client, "/token", &form).await.status, 200);
    }

    async fn a_body_larger_than_allowed_is_413(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__MAX_BODY_BYTES", "1024")]).await;
        let body = format!("grant_type={}", "a".repeat(1024 - 11));
        server.post_raw("/token", &[FORM], body.clone()).await.assert_invalid_client();
        server.post_raw("/token", &[FORM], format!("{body}a")).await.assert_error(413, "invalid_request");
    }

    async fn every_method_but_post_is_405(kind: Kind) {
        let server = TestServer::start(kind).await;
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = Request::builder().method(&method).uri("/token?grant_type=client_credentials");
            let answer = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!((answer.status.as_u16(), answer.header(header::ALLOW)), (405, "POST"), "{method}");
        }
    }

    async fn parameters_in_the_query_are_not_looked_at(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let answer = server.post_as(&client, "/token?grant_type=client_credentials", &[]).await;
        answer.assert_error(400, "invalid_request");
        let client = server.client(json!({"token_endpoint_auth_method": "client_secret_post"})).await;
        let query = encode(&[("client_id", &client.id), ("client_secret", &client.secret)]);
        let form = [("grant_type", "client_credentials")];
        server.post(&format!("/token?{query}"), &[], &form).await.assert_invalid_client();
    }

    async fn nobody_may_keep_an_answer_whether_it_succeeds_or_fails(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for (form, status) in [([("grant_type", "client_credentials")], 200), ([("grant_type", "x")], 400)] {
            let answer = server.post_as(&client, "/token", &form).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
            assert_eq!(answer.header(header::PRAGMA), "no-cache");
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
        }
        let refused = server.post("/token", &[], &[("grant_type", "client_credentials")]).await;
        refused.assert_invalid_client();
        assert_eq!(refused.header(header::PRAGMA), "no-cache");
    }

    async fn a_client_without_the_grant_type_is_unauthorized(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"grant_types": ["client_credentials"]})).await;
        for (grant_type, parameter) in [("authorization_code", "code"), ("refresh_token", "refresh_token")] {
            let form = [("grant_type", grant_type), (parameter, "x")];
            server.post_as(&client, "/token", &form).await.assert_error(400, "unauthorized_client");
        }
        let client = server.client(json!({"grant_types": ["authorization_code"]})).await;
        let form = [("grant_type", "client_credentials")];
        server.post_as(&client, "/token", &form).await.assert_error(400, "unauthorized_client");
    }

    async fn client_credentials_gives_the_client_a_token_of_its_own(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let form = [("grant_type", "client_credentials"), ("scope", "read write")];
        let answer = server.post_as(&client, "/token", &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let tokens = answer.json();
        assert_eq!(crate::support::names(&tokens), ["access_token", "expires_in", "scope", "token_type"]);
        assert_eq!(
            (&tokens["token_type"], &tokens["expires_in"], &tokens["scope"]),
            (&json!("Bearer"), &json!(3600), &json!("read write"))
        );
        let (header, claims) = server.verified(tokens["access_token"].as_str().unwrap()).await;
        assert_eq!(header["typ"], "at+jwt");
        let expected = json!({
            "iss": "https://id.example", "sub": client.id, "client_id": client.id,
            "aud": "https://id.example", "iat": START, "exp": START.plus(3600),
            "jti": claims["jti"], "scope": "read write",
        });
        assert_eq!(claims, expected);
        assert_eq!(claims["jti"].as_str().unwrap().len(), 22);
    }

    async fn client_credentials_has_no_scope_of_a_user_and_none_that_is_not_registered(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for scope in ["openid", "read openid", "offline_access", "admin", "read admin", "re\"ad"] {
            let form = [("grant_type", "client_credentials"), ("scope", scope)];
            server.post_as(&client, "/token", &form).await.assert_error(400, "invalid_scope");
        }
        let answer = server.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await.json();
        assert_eq!(answer.get("scope"), None, "nothing was asked, so nothing is granted");
    }

    async fn client_credentials_is_refused_to_a_client_without_a_secret(kind: Kind) {
        let server = TestServer::start(kind).await;
        let form = [("grant_type", "client_credentials")];
        let public = server.public_client().await;
        server.post_public(&public, "/token", &form).await.assert_error(400, "unauthorized_client");
        // Even where somebody wrote such a registration into the database.
        let change = json!({"token_endpoint_auth_method": "none", "grant_types": ["client_credentials"]});
        let public = server.client(change).await;
        server.post_public(&public, "/token", &form).await.assert_invalid_client();
    }
}
