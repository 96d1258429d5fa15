//! What an authorization request says about who should sign in, and how (OpenID Connect Core 3.1.2.1): id_token_hint,
//! display, acr_values, locales, and what is not known; what a client registers for all its requests.

use chancery::keys::TokenType;
use chancery::model::Algorithm;
use serde_json::json;

use crate::support::authorization::{assert_accepted, assert_code, assert_refused, is_sign_in};
use crate::support::{PASSWORD, START, TestServer, claims_of, on_both, query_of, text};

on_both! {
    async fn id_token_hint_names_the_only_user_whom_the_answer_may_be_about(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        let (ada, _) = (server.user("ada").await, server.user("bob").await);
        let mut browser = server.browser();
        let hint = text(&browser.tokens(&client, "ada", &[]).await, "id_token");
        let silent = server.authorization(&client, &[("prompt", "none"), ("id_token_hint", &hint)]);
        assert_code(&browser.get(&silent).await);
        // Expired, it is as good a hint as before.
        server.app.clock.advance(7200);
        assert_code(&browser.get(&silent).await);
        // Of several accounts it selects one, whoever is the current one.
        browser.add("bob").await;
        let answer = browser.get(&silent).await;
        let tokens = server.redeem(&client, &query_of(answer.location(), "code").unwrap()).await.json();
        assert_eq!(claims_of(&text(&tokens, "id_token"))["sub"], ada.id.as_str());
        // It is no authority: where its user is not signed in, it signs nobody in.
        let mut other = server.browser();
        other.get(&silent).await.assert_redirect_error("login_required");
        other.enter("bob").await;
        other.get(&silent).await.assert_redirect_error("login_required");
    }

    async fn a_pairwise_subject_hints_at_its_user_too(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true, "subject_type": "pairwise"})).await;
        let ada = server.user("ada").await;
        let mut browser = server.browser();
        let hint = text(&browser.tokens(&client, "ada", &[]).await, "id_token");
        assert_ne!(claims_of(&hint)["sub"], ada.id.as_str());
        let silent = server.authorization(&client, &[("prompt", "none"), ("id_token_hint", &hint)]);
        assert_code(&browser.get(&silent).await);
    }

    async fn whoever_signs_in_in_place_of_the_hinted_user_gets_no_code(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        server.user("bob").await;
        let hint = text(&server.browser().tokens(&client, "ada", &[]).await, "id_token");
        for (username, code) in [("bob", false), ("ada", true)] {
            let mut browser = server.browser();
            browser.enter("bob").await;
            let answer = browser.get(&server.authorization(&client, &[("id_token_hint", &hint)])).await;
            let page = browser.follow(answer).await;
            assert!(is_sign_in(&page), "{page:?}");
            let answer = browser.sign_in(&page, username, PASSWORD).await;
            let answer = browser.follow(answer).await;
            match code {
                true => assert_code(&answer),
                false => answer.assert_redirect_error("login_required"),
            }
        }
    }

    async fn a_hint_of_another_client_or_issuer_or_one_that_was_changed_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        let another = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let own = browser.tokens(&client, "ada", &[]).await;
        let others = text(&browser.tokens(&another, "ada", &[]).await, "id_token");
        let elsewhere = TestServer::start(kind).await;
        let same = elsewhere.client(json!({"skip_consent": true, "client_id": client.id})).await;
        elsewhere.user("ada").await;
        let foreign = text(&elsewhere.browser().tokens(&same, "ada", &[]).await, "id_token");
        let id_token = text(&own, "id_token");
        let [head, payload, signature] = id_token.split('.').collect::<Vec<_>>()[..] else { panic!("{id_token}") };
        let other_payload = others.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
        let mixed = format!("{head}.{other_payload}.{signature}");
        let access_token = text(&own, "access_token");
        let mut claims = claims_of(&id_token);
        claims["iss"] = json!("https://before.example");
        let renamed = server.app.keys.ring().sign(TokenType::IdToken, Algorithm::ES256, START, &claims).unwrap();
        for hint in [&others, &foreign, &unsigned, &mixed, &access_token, &renamed, "x"] {
            for prompt in ["none", "login", ""] {
                let request = server.authorization(&client, &[("id_token_hint", hint), ("prompt", prompt)]);
                browser.get(&request).await.assert_redirect_error("invalid_request");
            }
        }
    }

    async fn hints_for_the_pages_and_unknown_parameters_change_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let long = "x".repeat(5000);
        for (name, value) in [
            ("display", "page"),
            ("display", "popup"),
            ("display", "touch"),
            ("display", "wap"),
            ("display", "hologram"),
            ("ui_locales", "se fr-CA de"),
            ("claims_locales", "se de"),
            ("acr_values", "1 2"),
            ("acr_values", &long),
            ("extra", "foobar"),
        ] {
            assert_code(&browser.get(&server.authorization(&client, &[(name, value)])).await);
        }
    }

    async fn ui_locales_choose_the_language_of_the_pages(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let mut browser = server.browser();
        for (locales, language) in [("de", "de"), ("fr de-AT en", "de"), ("en", "en"), ("tlh", "en")] {
            let answer = browser.get(&server.authorization(&client, &[("ui_locales", locales)])).await;
            let page = browser.follow(answer).await;
            assert!(page.body.contains(&format!("<html lang=\"{language}\"")), "{locales}: {page:?}");
        }
    }

    async fn prompt_create_is_refused_where_nobody_can_register(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        assert_refused(&server, &client, "invalid_request", &[&[("prompt", "create")]]).await;
    }

    async fn default_max_age_counts_where_the_request_says_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let metadata = json!({"skip_consent": true, "default_max_age": 60, "require_auth_time": true});
        let client = server.client(metadata).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let signed_in = server.app.now().unix();
        server.app.clock.advance(61);
        assert_accepted(&browser.get(&server.authorization(&client, &[])).await);
        let answer = browser.get(&server.authorization(&client, &[("max_age", "10000")])).await;
        assert_code(&answer);
        let tokens = server.redeem(&client, &query_of(answer.location(), "code").unwrap()).await.json();
        assert_eq!(claims_of(&text(&tokens, "id_token"))["auth_time"], signed_in);
    }
}
