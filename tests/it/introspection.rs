//! Introspection (RFC 7662): who may ask, and what is said.

use axum::body::Body;
use axum::http::{Request, header};
use chancery::model::{ClientId, Noted};
use serde_json::json;

use crate::support::{Answer, START, TestServer, claims_of, on_both, text};

/// The answer for everything that is not good: nothing else is said.
#[track_caller]
fn assert_inactive(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, r#"{"active":false}"#));
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
}

on_both! {
    async fn an_active_access_token_is_told_in_full(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        let answer = server.introspect(&client, &token).await;
        let claims = claims_of(&token);
        let expected = json!({
            "active": true, "client_id": client.id, "sub": user.id, "iss": "https://id.example",
            "aud": "https://id.example", "scope": "openid profile email offline_access",
            "token_type": "Bearer", "iat": START, "exp": START.plus(3600), "jti": claims["jti"],
            "sid": claims["sid"], "auth_time": START, "acr": "1", "amr": ["pwd"],
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    }

    async fn an_active_refresh_token_has_no_token_type_and_ends_at_the_nearer_end(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let answer = server.introspect(&client, &text(&tokens, "refresh_token")).await.json();
        let expected = json!({
            "active": true, "client_id": client.id, "sub": user.id, "iss": "https://id.example",
            "scope": "openid profile email offline_access", "iat": START, "exp": START.plus(2_592_000),
            "sid": claims_of(&text(&tokens, "access_token"))["sid"], "auth_time": START, "acr": "1",
            "amr": ["pwd"],
        });
        assert_eq!(answer, expected);
    }

    async fn an_access_token_of_a_client_names_the_client_as_its_subject(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let token = server.client_token(&client, "read").await;
        let expected = json!({
            "active": true, "client_id": client.id, "sub": client.id, "iss": "https://id.example",
            "aud": "https://id.example", "scope": "read", "token_type": "Bearer", "iat": START,
            "exp": START.plus(3600), "jti": claims_of(&token)["jti"],
        });
        assert_eq!(server.introspect(&client, &token).await.json(), expected);
    }

    async fn what_is_no_token_of_this_server_is_inactive_and_nothing_else(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        let tokens = server.tokens(&client, "ada").await;
        let access_token = text(&tokens, "access_token");
        let parts: Vec<&str> = access_token.split('.').collect();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
        let truncated = format!("{}.{}", parts[0], parts[1]);
        let unknown = format!("cy_rt_{}", "A".repeat(48));
        let id_token = text(&tokens, "id_token");
        let foreign = TestServer::start(kind).await;
        let owner = foreign.client(json!({"client_id": client.id})).await;
        let foreign = foreign.client_token(&owner, "read").await;
        for wrong in ["x", "..", "a.b.c", &code, &unsigned, &truncated, &unknown, &id_token, &foreign, "\u{fffd}"] {
            assert_inactive(&server.introspect(&client, wrong).await);
        }
        assert!(server.is_active(&client, &access_token).await);
    }

    async fn an_expired_token_is_inactive(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        server.advance(3600);
        assert_inactive(&server.introspect(&client, &text(&tokens, "access_token")).await);
        assert!(server.is_active(&client, &text(&tokens, "refresh_token")).await);
        server.advance(2_592_000 - 3600);
        assert_inactive(&server.introspect(&client, &text(&tokens, "refresh_token")).await);
    }

    async fn a_token_of_another_client_is_inactive_to_those_it_does_not_concern(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        let tokens = server.tokens(&client, "ada").await;
        for token in ["access_token", "refresh_token"] {
            assert_inactive(&server.introspect(&other, &text(&tokens, token)).await);
            assert!(server.is_active(&client, &text(&tokens, token)).await);
        }
    }

    async fn the_audience_may_ask_about_access_tokens_but_not_about_refresh_tokens(kind: Kind) {
        let server = TestServer::start(kind).await;
        let api = server.client(json!({"client_id": "api"})).await;
        let client = server.client(json!({"audience": ["https://other.example", "api"]})).await;
        server.user("ada").await;
        let tokens = server.tokens(&client, "ada").await;
        let answer = server.introspect(&api, &text(&tokens, "access_token")).await.json();
        assert_eq!((&answer["active"], &answer["client_id"]), (&json!(true), &json!(client.id)));
        assert_eq!(answer["aud"], json!(["https://other.example", "api"]));
        assert_inactive(&server.introspect(&api, &text(&tokens, "refresh_token")).await);
    }

    async fn the_policy_any_opens_every_token_to_that_client(kind: Kind) {
        let server = TestServer::start(kind).await;
        let gateway = server.client(json!({"introspection_policy": "any"})).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        for token in ["access_token", "refresh_token"] {
            assert!(server.is_active(&gateway, &text(&tokens, token)).await);
        }
        server.revoke(&client, &text(&tokens, "refresh_token")).await;
        for token in ["access_token", "refresh_token"] {
            assert_inactive(&server.introspect(&gateway, &text(&tokens, token)).await);
        }
    }

    async fn a_client_without_a_secret_may_not_ask(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (public, _) = (server.public_client().await, server.user("ada").await);
        let code = server.code(&public, "ada", &[]).await;
        let token = server.redeem_public(&public, &code).await.text("access_token");
        server.post_public(&public, "/introspect", &[("token", &token)]).await.assert_invalid_client();
        let answer = server.get_with_token("/introspect", &token).await;
        assert_eq!(answer.status, 405);
        let bearer = [("authorization", format!("Bearer {token}"))];
        let answer = server.post("/introspect", &[(bearer[0].0, &bearer[0].1)], &[("token", &token)]).await;
        answer.assert_invalid_client();
    }

    async fn the_token_is_required_and_the_hint_is_only_a_hint(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        server.post_as(&client, "/introspect", &[]).await.assert_error(400, "invalid_request");
        server.introspect(&client, "").await.assert_error(400, "invalid_request");
        let twice = [("token", "x"), ("token", "x")];
        server.post_as(&client, "/introspect", &twice).await.assert_error(400, "invalid_request");
        let tokens = server.tokens(&client, "ada").await;
        for (token, hint) in [
            ("access_token", "refresh_token"),
            ("refresh_token", "access_token"),
            ("access_token", "unheard-of"),
        ] {
            let form = [("token", text(&tokens, token)), ("token_type_hint", hint.to_owned())];
            let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
            assert_eq!(server.post_as(&client, "/introspect", &form).await.json()["active"], true);
        }
    }

    async fn every_method_but_post_is_405(kind: Kind) {
        let server = TestServer::start(kind).await;
        for method in ["GET", "PUT", "DELETE"] {
            let request = Request::builder().method(method).uri("/introspect?token=x");
            let answer = server.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!((answer.status.as_u16(), answer.header(header::ALLOW)), (405, "POST"));
        }
    }

    async fn the_tokens_of_a_disabled_or_deleted_user_are_inactive_at_once(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let both = [text(&tokens, "access_token"), text(&tokens, "refresh_token")];
        for (disabled, active) in [(true, false), (false, true)] {
            server.app.storage.set_disabled(Noted::nothing(), &user.id, disabled, START).await.unwrap();
            for token in &both {
                assert_eq!(server.is_active(&client, token).await, active);
            }
        }
        server.app.storage.delete_user(Noted::nothing(), &user.id, server.app.now()).await.unwrap();
        for token in &both {
            assert_inactive(&server.introspect(&client, token).await);
        }
    }

    async fn the_tokens_of_a_deleted_client_are_inactive_at_once(kind: Kind) {
        let server = TestServer::start(kind).await;
        let gateway = server.client(json!({"introspection_policy": "any"})).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let own = server.client_token(&client, "read").await;
        server.app.storage.delete_client(Noted::nothing(), &ClientId::new(&client.id)).await.unwrap();
        server.app.clients.forget();
        for token in [text(&tokens, "access_token"), text(&tokens, "refresh_token"), own] {
            assert_inactive(&server.introspect(&gateway, &token).await);
        }
    }

    async fn an_old_generation_of_a_refresh_token_is_inactive(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let (old, access_token) = (text(&tokens, "refresh_token"), text(&tokens, "access_token"));
        let new = server.refresh(&client, &old).await.text("refresh_token");
        assert_inactive(&server.introspect(&client, &old).await);
        assert!(server.is_active(&client, &new).await, "asking about the old one revokes nothing");
        assert!(server.is_active(&client, &access_token).await, "a refresh ends no access token");
    }
}
