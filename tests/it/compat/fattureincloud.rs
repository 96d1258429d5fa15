//! The promises of Fatture in Cloud's authorization server, kept for a client of the profile `fattureincloud`.

use serde_json::json;

use super::{authorize, code, is_consent, start};
use crate::support::{PASSWORD, on_both, query_of, text};

fn code_flow() -> serde_json::Value {
    json!({"grant_types": ["authorization_code", "refresh_token"]})
}

on_both! {
    async fn fc_01_the_code_grant_is_offered_and_the_older_grants_are_not(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        server.tokens(&client, "ada").await;
        for (grant_type, error) in [
            ("client_credentials", "unauthorized_client"),
            ("password", "unsupported_grant_type"),
            ("urn:ietf:params:oauth:grant-type:jwt-bearer", ""),
        ] {
            let form = [("grant_type", grant_type), ("username", "ada"), ("password", PASSWORD)];
            let answer = server.post_as(&client, "/token", &form).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert!(error.is_empty() || answer.json()["error"] == error, "{answer:?}");
        }
        let answer = server.browser().get(&server.authorization(&client, &[("response_type", "token")])).await;
        answer.assert_redirect_error("unsupported_response_type");
    }

    async fn fc_02_a_resource_server_of_its_own_works_with_the_authorization_server(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", json!({"audience": ["https://api.example"]})).await;
        let api = server.client(json!({"client_id": "https-api", "grant_types": ["client_credentials"]})).await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        // By itself, with the published keys; by asking, where it is in the audience.
        assert_eq!(server.verified(&token).await.1["aud"], "https://api.example");
        assert!(!server.is_active(&api, &token).await);
        server.change_client(&client, json!({"audience": ["https-api"]})).await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        assert!(server.is_active(&api, &token).await);
    }

    async fn fc_03_an_access_token_expires_and_a_new_one_is_needed(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let tokens = server.tokens(&client, "ada").await;
        server.advance(tokens["expires_in"].as_i64().unwrap());
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
        let again = server.refresh(&client, &text(&tokens, "refresh_token")).await;
        assert!(server.is_active(&client, &again.text("access_token")).await);
    }

    async fn fc_04_a_refresh_needs_no_person(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let tokens = server.tokens(&client, "ada").await;
        let again = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_ne!(again["access_token"], tokens["access_token"]);
        assert_eq!(again["scope"], tokens["scope"]);
    }

    async fn fc_05_a_refresh_token_lives_much_longer_than_an_access_token_and_expires(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let tokens = server.tokens(&client, "ada").await;
        let lives = |member: &str| tokens[member].as_i64().unwrap();
        assert!(lives("refresh_token_expires_in") > 100 * lives("expires_in"), "{tokens}");
        server.advance(lives("refresh_token_expires_in"));
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
    }

    async fn fc_06_after_the_refresh_token_the_flow_is_run_again(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let tokens = server.tokens(&client, "ada").await;
        server.advance(tokens["refresh_token_expires_in"].as_i64().unwrap());
        let answer = server.refresh(&client, &text(&tokens, "refresh_token")).await;
        assert!(text(&answer.json(), "error_description").contains("sign in"), "{answer:?}");
        server.tokens(&client, "ada").await;
    }

    async fn fc_07_a_page_of_the_server_asks_for_the_permissions(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &[("scope", "email")])).await;
        let page = browser.follow(answer).await;
        assert!(is_consent(&page) && page.body.contains("See your email address"), "{page:?}");
        // It comes with a refresh token, and the page says so.
        assert!(page.body.contains("even while you are away"), "{page:?}");
    }

    async fn fc_08_approval_returns_with_the_code_in_the_query(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let answer = authorize(&server, &client, &[]).await;
        assert_eq!(answer.status, 303);
        code(&answer);
    }

    async fn fc_09_the_code_is_exchanged_for_an_access_token_and_a_refresh_token(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let code = server.code(&client, "ada", &[("scope", "profile")]).await;
        let tokens = server.redeem(&client, &code).await.json();
        assert!(tokens["access_token"].is_string() && tokens["refresh_token"].is_string(), "{tokens}");
    }

    async fn fc_10_a_code_is_short_lived_and_good_for_one_exchange(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let late = server.code(&client, "ada", &[]).await;
        server.advance(60);
        server.redeem(&client, &late).await.assert_error(400, "invalid_grant");
        let code = server.code(&client, "ada", &[]).await;
        assert_eq!(server.get_with_token("/userinfo", &code).await.status, 401);
        assert_eq!(server.redeem(&client, &code).await.status, 200);
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
    }

    async fn fc_11_an_access_token_is_never_in_the_redirect(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let answer = authorize(&server, &client, &[]).await;
        assert!(!answer.location().contains("access_token") && !answer.location().contains('#'), "{answer:?}");
        for response_type in ["token", "code token", "id_token token"] {
            let path = server.authorization(&client, &[("response_type", response_type)]);
            let answer = server.browser().get(&path).await;
            assert_eq!(query_of(answer.location(), "access_token"), None);
            answer.assert_redirect_error("unsupported_response_type");
        }
    }

    async fn fc_12_an_application_needs_a_registered_redirect_uri(kind: Kind) {
        let (server, client) = start(kind, "fattureincloud", code_flow()).await;
        let path = server.authorization(&client, &[("redirect_uri", "https://evil.example/callback")]);
        server.browser().get(&path).await.assert_page_error(400);
        let metadata = json!({
            "client_id": "none", "client_name": "None", "grant_types": ["authorization_code"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_basic", "profile": "fattureincloud", "client_id_issued_at": 0,
        });
        let problems = crate::compat::problems(metadata);
        assert_eq!(problems.iter().map(|problem| problem.member).collect::<Vec<_>>(), ["redirect_uris"]);
    }
}
