//! Clients: failed authentication, and those that register themselves.

use axum::http::Method;
use serde_json::json;

use crate::support::{BY_TOKEN, OPEN, TestServer, assert_told, on_both, registration_of, text};

on_both! {
    async fn a_client_that_does_not_authenticate_is_told_by_its_id_only_if_there_is_one(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut client = server.client(json!({})).await;
        let secret = std::mem::replace(&mut client.secret, "wrong-secret".to_owned());
        let form = [("grant_type", "client_credentials")];
        let (told, _) = server.told(server.post_as(&client, "/token", &form)).await;
        assert_told(&told, &[json!({"event": "client.authentication_failed", "actor": "unknown", "client": client.id})]);
        let (told, _) = server.told(server.post_as(&client, "/introspect", &[("token", "x")])).await;
        assert_told(&told, &[json!({"event": "client.authentication_failed", "client": client.id})]);
        client.id = "typed-a-secret-here".to_owned();
        let (told, _) = server.told(server.post_as(&client, "/token", &form)).await;
        assert_told(&told, &[json!({"event": "client.authentication_failed", "client": null})]);
        let log = json!(server.audit_log().await).to_string();
        for never in [secret.as_str(), "wrong-secret", "typed-a-secret-here"] {
            assert!(!log.contains(never), "{never}");
        }
    }

    async fn what_strangers_can_cause_is_bounded_in_a_minute_and_the_rest_is_counted(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut client = server.client(json!({})).await;
        client.secret = "wrong".to_owned();
        let (told, ()) = server.told(async {
            for _ in 0..100 {
                server.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await;
            }
        })
        .await;
        assert_eq!(told.len(), 60);
        let (told, ()) = server.told(async { server.advance(60) }).await;
        let left_out = json!({"event": "audit.left_out", "actor": "server", "of": "client.authentication_failed", "count": 40});
        assert_told(&told, &[left_out]);
        assert!(server.verify_audit_log(None).await.is_ok());
    }

    async fn a_client_that_registers_changes_and_deletes_itself_is_told(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let (told, answer) = server.told(server.register(json!({}))).await;
        let registered = answer.json();
        let id = registration_of(&registered).id;
        assert_told(&told, &[json!({"event": "client.registered", "actor": "unknown", "client": id})]);
        let body = json!({"client_id": id, "client_name": "Other", "redirect_uris": registered["redirect_uris"]});
        let (told, answer) = server.told(server.manage(Method::PUT, &registered, &body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_told(&told, &[json!({"event": "client.updated", "actor": "client", "client": id})]);
        let (told, _) = server.told(server.manage(Method::DELETE, &registered, &json!({}))).await;
        assert_told(&told, &[json!({"event": "client.deleted", "actor": "client", "client": id})]);
        let (told, _) = server.told(server.manage(Method::GET, &registered, &json!({}))).await;
        assert_told(&told, &[json!({
            "event": "client.registration_refused", "actor": "unknown", "reason": "wrong_token",
        })]);
        let token = text(&registered, "registration_access_token");
        assert!(!json!(server.audit_log().await).to_string().contains(&token));
    }

    async fn the_token_that_let_a_client_register_is_told_and_too_many_of_one_address(kind: Kind) {
        let server = TestServer::start_with(kind, &[BY_TOKEN, ("REGISTRATION__MAX_PER_ADDRESS", "1")]).await;
        let token = server.initial_access_token(None, None).await;
        let (told, _) = server.told(server.register_with(Some(&token), json!({}))).await;
        assert_told(&told, &[json!({"event": "client.registered"})]);
        assert_eq!(told[0]["registration_token"].as_str().unwrap().len(), 22);
        let (told, _) = server.told(server.register_with(Some(&token), json!({}))).await;
        assert_told(&told, &[json!({"event": "client.registration_refused", "reason": "too_many"})]);
    }

    async fn clients_that_nobody_used_are_told_by_number_when_they_go(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__UNUSED_SECONDS", "86400")]).await;
        for _ in 0..2 {
            server.register(json!({})).await;
        }
        server.advance(86_401);
        let (told, purged) = server.told(server.app.remove_expired()).await;
        assert_eq!(purged.unwrap().registrations, 2);
        assert_told(&told, &[json!({"event": "client.unused_removed", "actor": "server", "count": 2})]);
    }
}
