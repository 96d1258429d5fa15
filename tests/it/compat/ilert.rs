//! The promises of ilert's authorization server, kept for a client of the profile `ilert`.

use serde_json::json;

use super::{NO_PKCE, authorize, client, code, is_consent, is_sign_in, public, start, tokens_without_pkce};
use crate::support::{
    CLIENT_ASSERTION, PASSWORD, REDIRECT_URI, Registration, Signer, TestServer, VERIFIER, claims_of, on_both,
    query_of, text,
};

const YEAR: i64 = 365 * 86_400;

on_both! {
    async fn il_01_an_application_gets_what_was_consented_to_and_never_the_password(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let answer = authorize(&server, &client, &[("scope", "openid profile")]).await;
        let tokens = server.redeem(&client, &code(&answer)).await;
        assert_eq!(tokens.json()["scope"], "openid profile");
        for seen_by_the_application in [answer.location(), &tokens.body] {
            assert!(!seen_by_the_application.contains(PASSWORD));
        }
    }

    async fn il_02_confidential_and_public_clients_of_the_web_of_phones_and_of_desktops_are_served(kind: Kind) {
        let (server, web) = start(kind, "ilert", json!({})).await;
        server.tokens(&web, "ada").await;
        for (registered, used) in [
            ("https://app.example/callback", "https://app.example/callback"),
            ("com.example.app:/callback", "com.example.app:/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:49152/callback"),
        ] {
            let mut members = public();
            members["redirect_uris"] = json!([registered]);
            let app = client(&server, "ilert", members).await;
            let answer = authorize(&server, &app, &[("redirect_uri", used)]).await;
            assert!(answer.location().starts_with(used), "{answer:?}");
            let form = [
                ("grant_type", "authorization_code"), ("code", &code(&answer)), ("redirect_uri", used),
                ("code_verifier", VERIFIER),
            ];
            assert_eq!(server.post_public(&app, "/token", &form).await.status, 200);
        }
    }

    async fn il_03_an_access_token_is_a_jwt(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let (header, claims) = server.verified(&text(&server.tokens(&client, "ada").await, "access_token")).await;
        assert_eq!((&header["typ"], &claims["client_id"]), (&json!("at+jwt"), &json!(client.id)));
    }

    async fn il_04_a_resource_server_validates_a_token_alone(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({"audience": ["https://api.example"]})).await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        // With nothing but the published keys, which cost the server no look at its database.
        let (statements, (_, claims)) = server.statements(server.verified(&token)).await;
        assert_eq!((statements, &claims["aud"]), (0, &json!("https://api.example")));
    }

    async fn il_05_scopes_are_the_servers_and_the_person_sees_them(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &[("scope", "profile read")])).await;
        let page = browser.follow(answer).await;
        assert!(page.body.contains("See your name") && page.body.contains("read"), "{page:?}");
        let answer = browser.get(&server.authorization(&client, &[("scope", "made_up")])).await;
        answer.assert_redirect_error("invalid_scope");
    }

    async fn il_07_the_implicit_grant_is_refused(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let answer = server.browser().get(&server.authorization(&client, &[("response_type", "token")])).await;
        answer.assert_redirect_error("unsupported_response_type");
        assert!(!answer.location().contains("access_token"));
    }

    async fn il_08_a_code_works_without_pkce_for_a_client_with_a_secret(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let tokens = tokens_without_pkce(&server, &client, "profile").await;
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
    }

    async fn il_09_pkce_is_the_clients_to_use_where_it_has_a_secret(kind: Kind) {
        let (server, confidential) = start(kind, "ilert", json!({})).await;
        server.tokens(&confidential, "ada").await;
        tokens_without_pkce(&server, &confidential, "profile").await;
        let public = client(&server, "ilert", public()).await;
        assert_eq!(server.redeem_public(&public, &server.code(&public, "ada", &[]).await).await.status, 200);
        // RFC 9700 2.1.1: a public client has nothing else, so for it PKCE stays required.
        let answer = server.browser().get(&server.authorization(&public, &NO_PKCE)).await;
        answer.assert_redirect_error("invalid_request");
    }

    async fn il_10_the_request_carries_client_scope_challenge_and_redirect_uri(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let change = [("scope", "profile"), ("nonce", ""), ("state", "")];
        code(&authorize(&server, &client, &change).await);
        server.get(&server.authorization(&client, &[("client_id", "")])).await.assert_page_error(400);
        server.get(&server.authorization(&client, &[("redirect_uri", "https://evil.example/")])).await.assert_page_error(400);
        for (name, code) in [("scope", "invalid_scope"), ("code_challenge", "invalid_request")] {
            server.get(&server.authorization(&client, &[(name, "")])).await.assert_redirect_error(code);
        }
    }

    async fn il_11_sign_in_comes_first_and_then_the_accept_page(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let login = browser.follow(answer).await;
        assert!(is_sign_in(&login), "{login:?}");
        let answer = browser.sign_in(&login, "ada", PASSWORD).await;
        let page = browser.follow(answer).await;
        assert!(is_consent(&page), "{page:?}");
    }

    async fn il_12_after_accepting_the_browser_returns_to_the_redirect_uri(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let answer = authorize(&server, &client, &[]).await;
        assert_eq!(answer.status, 303);
        assert!(answer.location().starts_with(&format!("{REDIRECT_URI}?")), "{answer:?}");
    }

    async fn il_13_the_code_is_in_the_query_of_the_redirect(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let answer = authorize(&server, &client, &[]).await;
        assert!(query_of(answer.location(), "code").is_some() && !answer.location().contains('#'), "{answer:?}");
    }

    async fn il_14_the_verifier_is_compared_with_the_hashed_challenge(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let right = server.code(&client, "ada", &[]).await;
        assert_eq!(server.redeem(&client, &right).await.status, 200);
        let wrong = "wrong".repeat(10);
        for verifier in ["", wrong.as_str(), crate::support::CHALLENGE] {
            let code = server.code(&client, "ada", &[]).await;
            let answer = server.redeem_with(&client, &code, &[("code_verifier", verifier)]).await;
            answer.assert_error(401, "invalid_grant");
        }
    }

    async fn il_15_a_client_with_a_secret_sends_it_and_a_wrong_one_fails(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({"token_endpoint_auth_method": "client_secret_post"})).await;
        let code = server.code(&client, "ada", &[]).await;
        for (secret, status) in [("", 401), ("wrong", 401), (client.secret.as_str(), 200)] {
            let form = [
                ("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT_URI),
                ("code_verifier", VERIFIER), ("client_secret", secret),
            ];
            assert_eq!(server.post_public(&client, "/token", &form).await.status, status, "{secret}");
        }
    }

    async fn il_16_code_secret_and_verifier_give_an_access_token_and_a_refresh_token(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let code = server.code(&client, "ada", &[("scope", "profile")]).await;
        let tokens = server.redeem(&client, &code).await.json();
        for token in ["access_token", "refresh_token"] {
            assert!(server.is_active(&client, &text(&tokens, token)).await, "{token}");
        }
    }

    async fn il_17_an_access_token_lives_an_hour_and_the_response_says_so(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let tokens = server.tokens(&client, "ada").await;
        assert_eq!(tokens["expires_in"], 3600);
        let claims = claims_of(&text(&tokens, "access_token"));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    }

    async fn il_18_a_refresh_token_is_issued_with_a_secret_or_offline_access(kind: Kind) {
        let (server, confidential) = start(kind, "ilert", json!({})).await;
        let public = client(&server, "ilert", public()).await;
        let gets = async |client: &Registration, scope: &str| {
            let code = server.code(client, "ada", &[("scope", scope)]).await;
            let answer = match client.id == confidential.id {
                true => server.redeem(client, &code).await,
                false => server.redeem_public(client, &code).await,
            };
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()["refresh_token"].is_string()
        };
        assert!(gets(&confidential, "profile").await);
        assert!(gets(&confidential, "profile offline_access").await);
        assert!(gets(&public, "profile offline_access").await);
        assert!(!gets(&public, "profile").await);
    }

    async fn il_18_a_key_is_no_secret(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let signer = Signer::new("ES256");
        let keyed = server.client_with_keys(&signer, json!({"profile": "ilert"})).await;
        let gets = async |scope: &str| {
            let code = server.code(&keyed, "ada", &[("scope", scope)]).await;
            let assertion = signer.sign(&server.assertion_claims(&keyed.id, &keyed.id, json!({})));
            let form = [
                ("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT_URI),
                ("code_verifier", VERIFIER), ("client_assertion", &assertion),
                ("client_assertion_type", CLIENT_ASSERTION),
            ];
            server.post("/token", &[], &form).await.json()["refresh_token"].is_string()
        };
        assert!(!gets("profile").await);
        assert!(gets("profile offline_access").await);
        server.change_client(&keyed, json!({"refresh_policy": "confidential_only"})).await;
        assert!(gets("profile").await, "by that policy a key is as good");
        // Whichever way a secret proves its client.
        for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt"] {
            server.change_client(&client, json!({"token_endpoint_auth_method": method})).await;
            let id = chancery::model::ClientId::new(&client.id);
            let registered = server.app.clients.find(&id).await.unwrap().unwrap();
            assert!(registered.client.gets_refresh_token(&"profile".parse().unwrap()), "{method}");
        }
    }

    async fn il_19_a_refresh_token_lives_a_year_and_the_response_says_so(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let tokens = server.tokens(&client, "ada").await;
        assert_eq!(tokens["refresh_token_expires_in"], YEAR);
        server.advance(YEAR - 1);
        assert_eq!(server.refresh(&client, &text(&tokens, "refresh_token")).await.status, 200);
    }

    async fn il_20_an_expired_or_made_up_access_token_gets_401(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        assert_eq!(server.get_with_token("/userinfo", &token).await.status, 200);
        assert_eq!(server.get_with_token("/userinfo", "made-up").await.status, 401);
        server.advance(3600);
        assert_eq!(server.get_with_token("/userinfo", &token).await.status, 401);
        assert!(!server.is_active(&client, &token).await);
    }

    async fn il_21_a_refresh_gives_a_fresh_access_token(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let tokens = server.tokens(&client, "ada").await;
        server.advance(3600);
        let again = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_ne!(again["access_token"], tokens["access_token"]);
        assert!(server.is_active(&client, &text(&again, "access_token")).await);
    }

    async fn il_22_an_expired_refresh_token_is_refused(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        server.advance(YEAR);
        server.refresh(&client, &token).await.assert_error(401, "invalid_grant");
    }

    async fn il_26_invalid_grant_is_401_and_other_errors_are_400(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let answer = server.redeem(&client, "made-up").await;
        answer.assert_error(401, "invalid_grant");
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{answer:?}");
        server.post_as(&client, "/token", &[("grant_type", "made_up")]).await.assert_error(400, "unsupported_grant_type");
        let other = client_of_the_default(&server).await;
        server.redeem(&other, "made-up").await.assert_error(400, "invalid_grant");
    }

    async fn il_27_ten_grants_with_refresh_tokens_are_kept_and_the_oldest_goes(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({})).await;
        let mut browser = server.browser();
        let mut tokens = Vec::new();
        for _ in 0..11 {
            tokens.push(text(&browser.tokens(&client, "ada", &[]).await, "refresh_token"));
            server.advance(1);
        }
        assert!(!server.is_active(&client, &tokens[0]).await);
        for token in &tokens[1..] {
            assert!(server.is_active(&client, token).await);
        }
    }

    async fn il_27_a_refresh_interval_can_be_set(kind: Kind) {
        let (server, client) = start(kind, "ilert", json!({"refresh_interval": 300})).await;
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        server.advance(299);
        server.refresh(&client, &token).await.assert_error(503, "temporarily_unavailable");
        server.advance(1);
        let next = server.refresh(&client, &token).await.text("refresh_token");
        // A lost response is given again; the next refresh has to wait.
        assert_eq!(server.refresh(&client, &token).await.text("refresh_token"), next);
        server.refresh(&client, &next).await.assert_error(503, "temporarily_unavailable");
    }
}

async fn client_of_the_default(server: &TestServer) -> Registration {
    client(server, "default", json!({})).await
}
