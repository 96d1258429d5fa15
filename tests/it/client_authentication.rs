//! Client authentication (RFC 6749 2.3) at every endpoint that asks for it.

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::crypto::digest;
use chancery::model::{ClientId, ClientSecrets, Noted, RetiredSecret};
use serde_json::json;

use crate::support::{Answer, Registration, START, TestServer, on_both};

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Authenticates for nothing in particular, and gets an answer that is the same every time.
async fn ask(server: &TestServer, authorization: &str, form: &[(&str, &str)]) -> Answer {
    let mut whole = vec![("grant_type", "client_credentials")];
    whole.extend_from_slice(form);
    match authorization {
        "" => server.post("/token", &[], &whole).await,
        _ => server.post("/token", &[("authorization", authorization)], &whole).await,
    }
}

async fn posting_client(server: &TestServer) -> Registration {
    server.client(json!({"token_endpoint_auth_method": "client_secret_post"})).await
}

on_both! {
    async fn a_client_authenticates_by_the_method_it_is_registered_for(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, posting) = (server.client(json!({})).await, posting_client(&server).await);
        assert_eq!(ask(&server, &basic(&client.id, &client.secret), &[]).await.status, 200);
        let form = [("client_id", posting.id.as_str()), ("client_secret", &posting.secret)];
        assert_eq!(ask(&server, "", &form).await.status, 200);
    }

    async fn basic_credentials_are_form_encoded_and_the_scheme_is_case_insensitive(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"client_id": "app.one~x"})).await;
        for id in ["app.one~x", "app%2Eone%7Ex", "app%2eone%7ex"] {
            assert_eq!(ask(&server, &basic(id, &client.secret), &[]).await.status, 200, "{id}");
        }
        let lower = basic("app.one~x", &client.secret).replacen("Basic", "basic", 1);
        assert_eq!(ask(&server, &lower, &[]).await.status, 200);
        ask(&server, &basic("app.one%257Ex", &client.secret), &[]).await.assert_invalid_client();
    }

    async fn every_way_to_fail_is_invalid_client_and_says_the_same(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, posting) = (server.client(json!({})).await, posting_client(&server).await);
        let wrong_secret = [("client_id", posting.id.as_str()), ("client_secret", "wrong")];
        let basic_posted = [("client_id", client.id.as_str()), ("client_secret", client.secret.as_str())];
        let unknown_posted = [("client_id", "unknown"), ("client_secret", posting.secret.as_str())];
        let first = ask(&server, &basic(&client.id, "wrong"), &[]).await;
        for answer in [
            ask(&server, &basic(&client.id, ""), &[]).await,
            ask(&server, &basic(&client.id, &client.secret[1..]), &[]).await,
            ask(&server, &basic(&client.id, &posting.secret), &[]).await,
            ask(&server, &basic("unknown", &client.secret), &[]).await,
            ask(&server, &basic(&posting.id, &posting.secret), &[]).await,
            ask(&server, "", &wrong_secret).await,
            ask(&server, "", &wrong_secret[..1]).await,
            ask(&server, "", &basic_posted).await,
            ask(&server, "", &unknown_posted).await,
            ask(&server, "", &[("client_id", "unknown")]).await,
            ask(&server, "", &[("client_secret", &posting.secret)]).await,
            ask(&server, "", &[]).await,
            ask(&server, "Basic", &[]).await,
            ask(&server, "Basic !!!", &[]).await,
            ask(&server, "Bearer abc", &[]).await,
            first,
        ] {
            answer.assert_invalid_client();
            let description = answer.json()["error_description"].clone();
            assert!(description.as_str().unwrap().starts_with("Client authentication failed"));
        }
    }

    async fn a_client_id_that_cannot_be_is_an_unknown_client_and_never_a_failure_of_ours(kind: Kind) {
        let server = TestServer::start(kind).await;
        for id in ["\0", "client\0", "\u{fffd}", "💥", &"x".repeat(5000)] {
            ask(&server, &basic(id, "secret"), &[]).await.assert_invalid_client();
            let posted = ask(&server, "", &[("client_id", id), ("client_secret", "secret")]).await;
            match id.contains('\0') {
                true => posted.assert_error(400, "invalid_request"),
                false => posted.assert_invalid_client(),
            }
        }
    }

    async fn every_endpoint_for_clients_asks_who_they_are(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for path in ["/token", "/introspect", "/revoke"] {
            let form = [("token", "x"), ("grant_type", "client_credentials")];
            server.post(path, &[], &form).await.assert_invalid_client();
            let wrong = [("authorization", basic(&client.id, "wrong"))];
            server.post(path, &[(wrong[0].0, &wrong[0].1)], &form).await.assert_invalid_client();
            assert_eq!(server.post_as(&client, path, &form).await.status, 200, "{path}");
        }
    }

    async fn two_methods_in_one_request_are_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let right = basic(&client.id, &client.secret);
        let posted = [("client_id", client.id.as_str()), ("client_secret", client.secret.as_str())];
        ask(&server, &right, &posted).await.assert_error(400, "invalid_request");
        ask(&server, &right, &posted[1..]).await.assert_error(400, "invalid_request");
        ask(&server, &right, &[("client_id", "another")]).await.assert_error(400, "invalid_request");
        assert_eq!(ask(&server, &right, &posted[..1]).await.status, 200, "the same client_id is no method");
    }

    async fn two_authorization_headers_are_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let right = basic(&client.id, &client.secret);
        let headers = [("authorization", right.as_str()), ("authorization", right.as_str())];
        let answer = server.post("/token", &headers, &[("grant_type", "client_credentials")]).await;
        answer.assert_error(400, "invalid_request");
    }

    async fn a_client_without_a_secret_must_not_send_one(kind: Kind) {
        let server = TestServer::start(kind).await;
        let public = server.public_client().await;
        let form = [("token", "x"), ("client_id", public.id.as_str()), ("client_secret", "anything")];
        server.post("/revoke", &[], &form).await.assert_invalid_client();
        let header = basic(&public.id, "anything");
        server.post("/revoke", &[("authorization", &header)], &form[..1]).await.assert_invalid_client();
        assert_eq!(server.post("/revoke", &[], &form[..2]).await.status, 200);
        // What some libraries send for a client without a secret.
        let empty = basic(&public.id, "");
        assert_eq!(server.post("/revoke", &[("authorization", &empty)], &form[..1]).await.status, 200);
    }

    async fn a_retired_secret_counts_until_its_end(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let id = ClientId::new(&client.id);
        let mut stored = server.app.storage.client(&id).await.unwrap().unwrap();
        let old = stored.secrets.current.unwrap();
        let retired = RetiredSecret { digest: old, sealed: None, expires_at: START.plus(100) };
        stored.secrets = ClientSecrets { current: Some(digest::sha256(b"the new one")), sealed: None, retired: Some(retired) };
        server.app.storage.update_client(Noted::nothing(), &stored, START).await.unwrap();
        server.app.clients.forget();
        server.advance(99);
        for secret in [client.secret.as_str(), "the new one"] {
            assert_eq!(ask(&server, &basic(&client.id, secret), &[]).await.status, 200);
        }
        server.advance(1);
        ask(&server, &basic(&client.id, &client.secret), &[]).await.assert_invalid_client();
        assert_eq!(ask(&server, &basic(&client.id, "the new one"), &[]).await.status, 200);
    }

    async fn a_secret_is_in_no_answer_and_not_in_the_database(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, posting) = (server.client(json!({})).await, posting_client(&server).await);
        let form = [("client_id", posting.id.as_str()), ("client_secret", posting.secret.as_str())];
        let encoded = basic(&client.id, &client.secret);
        for answer in [
            ask(&server, &encoded, &[]).await,
            ask(&server, &encoded, &form).await,
            ask(&server, "", &form).await,
            ask(&server, "", &[form[0], ("client_secret", &client.secret)]).await,
            ask(&server, &encoded, &[("scope", &client.secret)]).await,
            server.post("/token", &[("authorization", &encoded)], &[("grant_type", &client.secret)]).await,
        ] {
            for secret in [&client.secret, &posting.secret, &encoded[6..].to_owned()] {
                assert!(!answer.body.contains(secret.as_str()), "{answer:?}");
                assert!(!answer.header(header::WWW_AUTHENTICATE).contains(secret.as_str()));
            }
        }
        let rows: Vec<(String, String)> =
            server.app.storage.db().fetch_all("SELECT metadata, secret_digest FROM clients", &[]).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|(metadata, digest)| ![metadata, digest]
            .iter()
            .any(|text| text.contains(&client.secret) || text.contains(&posting.secret))));
    }
}
