//! The promises of Ory Hydra v1.6, kept for a client of the profile `hydra16`.

use serde_json::json;

use super::{authorize, code, is_consent, is_sign_in, start, tokens_without_pkce};
use crate::support::{PASSWORD, claims_of, on_both, text};

on_both! {
    async fn hy_01_a_registered_client_sends_a_user_who_signs_in_and_allows_and_gets_tokens(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let login = browser.follow(answer).await;
        assert!(is_sign_in(&login), "{login:?}");
        let answer = browser.sign_in(&login, "ada", PASSWORD).await;
        let page = browser.follow(answer).await;
        assert!(is_consent(&page), "{page:?}");
        let answer = browser.decide(&page, "allow").await;
        assert_eq!(server.redeem(&client, &code(&answer)).await.status, 200);
    }

    async fn hy_03_oauth_works_without_openid(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        let tokens = tokens_without_pkce(&server, &client, "read").await;
        assert!(tokens.get("id_token").is_none(), "{tokens}");
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
    }

    async fn hy_04_a_scope_is_granted_without_a_look_at_the_rights_of_the_user(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({"scope": "openid billing:delete"})).await;
        let tokens = tokens_without_pkce(&server, &client, "billing:delete").await;
        let told = server.introspect(&client, &text(&tokens, "access_token")).await.json();
        // The resource server knows the rights of its users: it is told whose token it is.
        assert_eq!(told["scope"], "billing:delete");
        assert!(told["sub"].is_string());
    }

    async fn hy_05_openid_and_offline_access_have_their_meaning(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        for (scope, id_token, refresh_token) in [
            ("read", false, false), ("openid", true, false), ("offline_access", false, true),
            ("openid offline_access", true, true),
        ] {
            let tokens = tokens_without_pkce(&server, &client, scope).await;
            let has = |member: &str| tokens[member].is_string();
            assert_eq!((has("id_token"), has("refresh_token")), (id_token, refresh_token), "{scope}");
        }
    }

    async fn hy_07_an_audience_is_one_or_more_resource_urls_or_parts_of_them(kind: Kind) {
        let audience = json!(["https://api.example/", "https://api.example/users"]);
        let (server, client) = start(kind, "hydra16", json!({"audience": audience, "token_format": "jwt"})).await;
        let tokens = tokens_without_pkce(&server, &client, "read").await;
        let claims = server.verified(&text(&tokens, "access_token")).await.1;
        assert_eq!(claims["aud"], audience);
    }

    async fn hy_07_hy_08_x24_an_audience_of_the_clients_own_list_is_asked_for_and_narrows_the_token(kind: Kind) {
        let list = json!(["https://api.example/", "https://api.example/users", "billing"]);
        let (server, client) = start(kind, "hydra16", json!({"audience": list, "token_format": "jwt"})).await;
        let asked = [("scope", "openid offline_access read"), ("audience", "https://api.example/users billing")];
        let tokens = server.tokens_with(&client, "ada", &asked).await;
        let aud = |token: &str| claims_of(token)["aud"].clone();
        let access_token = text(&tokens, "access_token");
        assert_eq!(aud(&access_token), json!(["https://api.example/users", "billing"]));
        assert_eq!(claims_of(&access_token)["scope"], "openid offline_access read");
        assert_eq!(server.get_with_token("/userinfo", &access_token).await.status, 200);
        // A refresh narrows, and never widens.
        let mut token = text(&tokens, "refresh_token");
        for (name, status) in [("billing", 200), ("https://api.example/", 400), ("", 200)] {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("audience", name)];
            let answer = server.post_as(&client, "/token", &form).await;
            match status {
                200 => token = answer.text("refresh_token"),
                _ => answer.assert_error(400, "invalid_target"),
            }
            if name == "billing" {
                assert_eq!(aud(&answer.text("access_token")), "billing");
            }
        }
        // What is not in the list, as it is written there, is nothing to ask for.
        for other in ["https://api.example", "https://api.example/users/1", "https://other.example", "Billing", "\u{e4}"] {
            let path = server.authorization(&client, &[("audience", other)]);
            server.browser().get(&path).await.assert_redirect_error("invalid_target");
            let form = [("grant_type", "client_credentials"), ("audience", other)];
            server.post_as(&client, "/token", &form).await.assert_error(400, "invalid_target");
        }
        let form = [("grant_type", "client_credentials"), ("scope", "read"), ("audience", "billing")];
        let answer = server.post_as(&client, "/token", &form).await;
        assert_eq!(aud(&answer.text("access_token")), "billing");
        // One that is taken from the list is in no new token.
        server.change_client(&client, json!({"audience": ["https://api.example/users"]})).await;
        assert_eq!(aud(&server.refresh(&client, &token).await.text("access_token")), "https://api.example/users");
    }

    async fn hy_09_a_refresh_token_comes_with_the_code(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        assert!(server.tokens(&client, "ada").await["refresh_token"].is_string());
    }

    async fn hy_10_client_credentials_and_implicit_types_get_no_refresh_token(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        for policy in ["offline_access", "offline_or_secret", "always", "confidential_only"] {
            server.change_client(&client, json!({"refresh_policy": policy})).await;
            let form = [("grant_type", "client_credentials"), ("scope", "read offline_access")];
            assert!(server.post_as(&client, "/token", &form).await.json().get("refresh_token").is_none());
        }
        for response_type in ["token", "id_token", "id_token token"] {
            let path = server.authorization(&client, &[("response_type", response_type)]);
            server.browser().get(&path).await.assert_redirect_error("unsupported_response_type");
        }
    }

    async fn hy_11_the_client_must_be_allowed_offline_access(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({"scope": "openid read"})).await;
        let path = server.authorization(&client, &[("scope", "read offline_access")]);
        server.browser().get(&path).await.assert_redirect_error("invalid_scope");
        server.change_client(&client, json!({"scope": "offline_access", "grant_types": ["authorization_code"]})).await;
        assert!(tokens_without_pkce(&server, &client, "offline_access").await.get("refresh_token").is_none());
    }

    async fn hy_12_offline_access_must_be_in_the_request(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        assert!(tokens_without_pkce(&server, &client, "read").await.get("refresh_token").is_none());
        assert!(tokens_without_pkce(&server, &client, "read offline_access").await["refresh_token"].is_string());
    }

    async fn hy_13_offline_access_must_be_granted(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(answer).await;
        assert!(page.body.contains("Keep this access while you are away"), "{page:?}");
        browser.decide(&page, "deny").await.assert_redirect_error("access_denied");
        // Consent to less is no consent to it.
        code(&authorize(&server, &client, &[("scope", "openid")]).await);
        let answer = browser.get(&server.authorization(&client, &[])).await;
        assert!(is_consent(&browser.follow(answer).await));
    }

    async fn hy_16_introspection_tells_state_and_metadata(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        let told = server.introspect(&client, &token).await.json();
        for member in ["active", "scope", "client_id", "sub", "exp", "iat", "iss", "token_type"] {
            assert!(told.get(member).is_some(), "{member}: {told}");
        }
        assert_eq!(server.introspect(&client, "made-up").await.body, "{\"active\":false}");
    }

    async fn hy_17_introspection_needs_an_access_token_or_credentials(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        let bearer = async |by: &str| {
            server.post("/introspect", &[("authorization", &format!("Bearer {by}"))], &[("token", &token)]).await
        };
        assert_eq!(server.introspect(&client, &token).await.json()["active"], true);
        assert_eq!(bearer(&token).await.json()["active"], true);
        assert_eq!(bearer(&server.client_token(&client, "read").await).await.json()["active"], true);
        server.post("/introspect", &[], &[("token", &token)]).await.assert_invalid_client();
        for bad in ["made-up", "", &format!("{token}x")] {
            bearer(bad).await.assert_error(if bad.is_empty() { 400 } else { 401 }, if bad.is_empty() { "invalid_request" } else { "invalid_client" });
        }
        let revoked = server.client_token(&client, "read").await;
        server.revoke(&client, &revoked).await;
        bearer(&revoked).await.assert_invalid_client();
        // A client that may not ask about any token may not ask with its token.
        let strict = server.client(json!({})).await;
        bearer(&server.client_token(&strict, "read").await).await.assert_invalid_client();
    }

    async fn hy_18_introspection_accepts_any_credentials(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({})).await;
        let owner = server.client(json!({})).await;
        let token = text(&server.tokens(&owner, "ada").await, "access_token");
        assert!(server.is_active(&client, &token).await);
        let strict = server.client(json!({})).await;
        assert!(!server.is_active(&strict, &token).await);
    }

    async fn hy_19_offline_is_another_name_of_offline_access(kind: Kind) {
        let (server, client) = start(kind, "hydra16", json!({"scope": "openid offline read"})).await;
        for scope in ["read offline", "read offline_access", "offline read offline_access"] {
            let tokens = tokens_without_pkce(&server, &client, scope).await;
            assert!(tokens["refresh_token"].is_string(), "{scope}: {tokens}");
            let granted = text(&tokens, "scope");
            assert!(granted.split(' ').any(|name| name == "offline_access"), "{granted}");
            assert!(!granted.split(' ').any(|name| name == "offline"), "{granted}");
        }
        let token = text(&tokens_without_pkce(&server, &client, "read offline").await, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", "offline read")];
        assert_eq!(server.post_as(&client, "/token", &form).await.json()["scope"], "offline_access read");
        let form = [("grant_type", "client_credentials"), ("scope", "offline")];
        server.post_as(&client, "/token", &form).await.assert_error(400, "invalid_scope");
        // It has to be registered under one of its names, and the alias has to be on.
        server.change_client(&client, json!({"scope": "openid read"})).await;
        let path = server.authorization(&client, &[("scope", "read offline")]);
        server.browser().get(&path).await.assert_redirect_error("invalid_scope");
        server.change_client(&client, json!({"scope": "openid read offline", "offline_alias": false})).await;
        let tokens = tokens_without_pkce(&server, &client, "read offline").await;
        assert_eq!((&tokens["scope"], tokens.get("refresh_token")), (&json!("read offline"), None));
    }

    async fn hy_19_a_lifetime_of_minus_one_has_no_end(kind: Kind) {
        let members = json!({"refresh_token_lifetime": -1, "refresh_token_idle_lifetime": -1});
        let (server, client) = start(kind, "hydra16", members).await;
        let tokens = server.tokens(&client, "ada").await;
        assert!(tokens.get("refresh_token_expires_in").is_none(), "{tokens}");
        server.advance(50 * 365 * 86_400);
        assert_eq!(server.refresh(&client, &text(&tokens, "refresh_token")).await.status, 200);
    }
}
