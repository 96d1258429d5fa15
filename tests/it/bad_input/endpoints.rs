//! The parameters of the other endpoints for clients, and the credentials at all of them.

use serde_json::json;

use super::{Bad, Empty, Form, Missing, Repeated, TooLong, assert_table, is, optional, send, spoilt, target};
use crate::device;
use crate::support::{Answer, CLIENT_ASSERTION, Signer, TestServer, on_both};

const ENDPOINTS: [&str; 4] = ["/token", "/device_authorization", "/introspect", "/revoke"];

/// What nobody takes for a token.
fn no_tokens() -> [Bad; 6] {
    [TooLong, is("x"), is("\u{1f600}"), is("a.b.c"), is("cy_rt_"), is("cy_at_x")]
}

#[track_caller]
fn assert_invalid_client(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {answer:?}");
    answer.assert_invalid_client();
}

on_both! {
    async fn device_authorization(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = device::device_client(&server, json!({})).await;
        let fresh = async || -> Form { vec![("scope", "openid".into())] };
        let rows = [
            optional("scope", "invalid_scope"),
            vec![
                ("scope", is("openid admin"), "invalid_scope"),
                ("client_id", is("another"), "invalid_request"),
                ("client_secret", is("x"), "invalid_request"),
            ],
            target(),
        ];
        assert_table(&server, &client, "/device_authorization", fresh, rows.concat()).await;
        let other = server.client(json!({})).await;
        send(&server, &other, "/device_authorization", &fresh().await).await.assert_error(400, "unauthorized_client");
    }

    async fn introspection(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        let token = server.client_token(&client, "read").await;
        let fresh = async || -> Form { vec![("token", token.clone()), ("token_type_hint", "access_token".into())] };
        let rows = vec![
            ("token", Missing, "invalid_request"),
            ("token", Empty, "invalid_request"),
            ("token", Repeated, "invalid_request"),
            ("token", is("x\0"), "invalid_request"),
            ("token_type_hint", Repeated, "invalid_request"),
        ];
        assert_table(&server, &client, "/introspect", fresh, rows).await;
        // RFC 7662 2.2: what is no good token is no error.
        let of_another = server.client_token(&other, "read").await;
        let revoked = server.client_token(&client, "read").await;
        server.revoke(&client, &revoked).await;
        for bad in no_tokens().into_iter().chain([is(of_another), is(revoked)]) {
            let answer = send(&server, &client, "/introspect", &spoilt(&fresh().await, "token", &bad)).await;
            assert_eq!((answer.status.as_u16(), &*answer.body), (200, r#"{"active":false}"#), "{bad:?}");
        }
        // RFC 7662 2.1: an unknown hint is nothing to fail for.
        for hint in [Missing, Empty, TooLong, is("refresh_token"), is("\u{1f600}")] {
            let answer = send(&server, &client, "/introspect", &spoilt(&fresh().await, "token_type_hint", &hint)).await;
            assert_eq!(answer.json()["active"], true, "{hint:?}");
        }
        server.advance(3600);
        assert_eq!(send(&server, &client, "/introspect", &fresh().await).await.body, r#"{"active":false}"#);
    }

    async fn revocation(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        let of_another = server.client_token(&other, "read").await;
        let fresh = async || -> Form {
            vec![("token", server.client_token(&client, "read").await), ("token_type_hint", "access_token".into())]
        };
        let rows = vec![
            ("token", Missing, "invalid_request"),
            ("token", Empty, "invalid_request"),
            ("token", Repeated, "invalid_request"),
            ("token", is("x\0"), "invalid_request"),
            ("token_type_hint", Repeated, "invalid_request"),
            // RFC 7009 2.1
            ("token", is(of_another.clone()), "unauthorized_client"),
        ];
        assert_table(&server, &client, "/revoke", fresh, rows).await;
        assert!(server.is_active(&other, &of_another).await);
        // RFC 7009 2.2: what is no token, or no more, is revoked already.
        for bad in no_tokens() {
            let answer = send(&server, &client, "/revoke", &spoilt(&fresh().await, "token", &bad)).await;
            assert_eq!(answer.status, 200, "{bad:?}");
        }
        for hint in [Missing, Empty, TooLong, is("refresh_token"), is("\u{1f600}")] {
            let form = spoilt(&fresh().await, "token_type_hint", &hint);
            assert_eq!(send(&server, &client, "/revoke", &form).await.status, 200, "{hint:?}");
            assert!(!server.is_active(&client, &form[0].1).await, "{hint:?}");
        }
    }

    /// RFC 6749 5.2, 2.3
    async fn credentials(kind: Kind) {
        let server = TestServer::start(kind).await;
        let posted = json!({"token_endpoint_auth_method": "client_secret_post"});
        let (client, basic) = (server.client(posted).await, server.client(json!({})).await);
        let long = "x".repeat(10_000);
        for path in ENDPOINTS {
            for (id, secret) in [
                ("", ""),
                ("", client.secret.as_str()),
                ("unknown", client.secret.as_str()),
                (client.id.as_str(), ""),
                (client.id.as_str(), "x"),
                (client.id.as_str(), long.as_str()),
                (long.as_str(), client.secret.as_str()),
                (client.id.as_str(), basic.secret.as_str()),
                (basic.id.as_str(), basic.secret.as_str()),
                ("\u{1f600}", "\u{1f600}"),
            ] {
                let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("token", "x")];
                let what = format!("{path} {id:.20} {secret:.20}");
                assert_invalid_client(&server.post(path, &[], &form).await, &what);
            }
            for (name, twice) in [("client_id", client.id.as_str()), ("client_secret", client.secret.as_str())] {
                let form = [("client_id", client.id.as_str()), ("client_secret", client.secret.as_str()), (name, twice), ("token", "x")];
                server.post(path, &[], &form).await.assert_error(400, "invalid_request");
            }
            // RFC 6749 2.3: one way at a time.
            let both = [("client_secret", basic.secret.as_str()), ("token", "x")];
            server.post_as(&basic, path, &both).await.assert_error(400, "invalid_request");
        }
    }

    /// RFC 7521 4.2, RFC 7523 3
    async fn client_assertions(kind: Kind) {
        let server = TestServer::start(kind).await;
        let signer = Signer::new("ES256");
        let (client, other) = (server.client_with_keys(&signer, json!({})).await, server.client(json!({})).await);
        let now = server.app.now().unix();
        let assertion = |change| signer.sign(&server.assertion_claims(&client.id, &client.id, change));
        let replayed = assertion(json!({}));
        assert_eq!(server.ask_with(&replayed, &[]).await.status, 200);
        let wrong = [
            "x".to_owned(),
            "x".repeat(10_000),
            replayed,
            assertion(json!({"exp": now - 60})),
            assertion(json!({"exp": now + 86_400})),
            assertion(json!({"aud": "https://other.example"})),
            assertion(json!({"iss": "another"})),
            signer.sign(&server.assertion_claims(&other.id, &other.id, json!({}))),
            Signer::new("ES256").sign(&server.assertion_claims(&client.id, &client.id, json!({}))),
            server.client_token(&other, "read").await,
        ];
        for path in ENDPOINTS {
            for assertion in &wrong {
                let form = [
                    ("grant_type", "client_credentials"), ("token", "x"), ("client_assertion", assertion.as_str()),
                    ("client_assertion_type", CLIENT_ASSERTION),
                ];
                assert_invalid_client(&server.post(path, &[], &form).await, &format!("{path} {assertion:.40}"));
            }
            let good = assertion(json!({}));
            for (name, bad, status, error) in [
                ("client_assertion_type", Missing, 400, "invalid_request"),
                ("client_assertion_type", Repeated, 400, "invalid_request"),
                ("client_assertion_type", TooLong, 401, "invalid_client"),
                ("client_assertion_type", is("jwt"), 401, "invalid_client"),
                ("client_assertion", Missing, 400, "invalid_request"),
                ("client_assertion", Repeated, 400, "invalid_request"),
                ("client_id", is("another"), 400, "invalid_request"),
                ("client_secret", is("x"), 400, "invalid_request"),
            ] {
                let form: Form = vec![
                    ("client_assertion", good.clone()), ("client_assertion_type", CLIENT_ASSERTION.into()),
                    ("token", "x".into()), ("client_id", client.id.clone()),
                ];
                let form = spoilt(&form, name, &bad);
                let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
                server.post(path, &[], &form).await.assert_error(status, error);
            }
        }
    }
}
