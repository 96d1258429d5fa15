//! What a client may is looked at when it is used, however long before something was begun.

use serde_json::json;

use crate::device::{self, DEVICE_CODE};
use crate::support::{JWT_BEARER, PASSWORD, TestServer, on_both, query_of, text};
use crate::token_exchange::{ACCESS_TOKEN, TOKEN_EXCHANGE};

/// No grant type that any of these tests uses.
fn nothing_left() -> serde_json::Value {
    json!({"grant_types": ["client_credentials"]})
}

on_both! {
    async fn a_code_that_went_to_an_address_which_is_no_longer_the_clients_redeems_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        server.change_client(&client, json!({"redirect_uris": ["https://app.example/elsewhere"]})).await;
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'revoked'").await, 1);
    }

    async fn tokens_stay_good_when_the_address_goes_that_their_code_went_to(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        server.change_client(&client, json!({"redirect_uris": ["https://app.example/elsewhere"]})).await;
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
        assert_eq!(server.refresh(&client, &text(&tokens, "refresh_token")).await.status, 200);
    }

    async fn a_request_that_waits_is_not_sent_to_an_address_that_was_taken_away(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let mut browser = server.browser();
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(answer).await;
        server.change_client(&client, json!({"redirect_uris": ["https://app.example/elsewhere"]})).await;
        browser.decide(&page, "allow").await.assert_page_error(400);
    }

    async fn a_request_that_waits_is_refused_once_the_client_may_not_ask_so_any_more(kind: Kind) {
        let settings = [("GRANTS__IMPLICIT", "true")];
        let server = TestServer::start_with(kind, &settings).await;
        server.user("ada").await;
        let implicit = json!({
            "grant_types": ["authorization_code", "implicit"],
            "response_types": ["code", "id_token token"],
        });
        for (response_type, taken) in [
            ("code", nothing_left()),
            ("id_token token", json!({"grant_types": ["authorization_code"]})),
            ("id_token token", json!({"response_types": ["code"]})),
        ] {
            let client = server.client(implicit.clone()).await;
            let mut browser = server.browser();
            browser.enter("ada").await;
            let change = [("response_type", response_type), ("scope", "openid profile")];
            let answer = browser.get(&server.authorization(&client, &change)).await;
            let page = browser.follow(answer).await;
            assert!(page.body.contains("name=\"decision\""), "{page:?}");
            server.change_client(&client, taken).await;
            browser.decide(&page, "allow").await.assert_redirect_error("unauthorized_client");
            assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
        }
    }

    async fn a_grant_type_that_was_taken_away_gives_nothing_from_then_on(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__PASSWORD", "true")]).await;
        server.user("ada").await;
        let all = [
            "authorization_code", "refresh_token", "password", DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE,
        ];
        let all = json!({"grant_types": all, "first_party": true, "token_exchange_policy": "any"});
        let client = server.client(all).await;
        let tokens = server.tokens(&client, "ada").await;
        let mut browser = server.browser();
        let answer = browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        let code = query_of(answer.location(), "code").unwrap();
        let started = device::start(&server, &client).await;
        device::answer(&mut browser, "ada", &started, "allow").await;
        server.change_client(&client, nothing_left()).await;
        server.redeem(&client, &code).await.assert_error(400, "unauthorized_client");
        let refreshed = server.refresh(&client, &text(&tokens, "refresh_token")).await;
        refreshed.assert_error(400, "unauthorized_client");
        device::poll(&server, &client, &started).await.assert_error(400, "unauthorized_client");
        let subject = text(&tokens, "access_token");
        for form in [
            &[("grant_type", TOKEN_EXCHANGE), ("subject_token", &*subject), ("subject_token_type", ACCESS_TOKEN)][..],
            &[("grant_type", JWT_BEARER), ("assertion", "x")],
            &[("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)],
        ] {
            server.post_as(&client, "/token", form).await.assert_error(400, "unauthorized_client");
        }
    }
}
