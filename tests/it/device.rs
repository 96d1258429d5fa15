//! The device authorization grant (RFC 8628): the device asks and polls, a person types the code and decides.

mod pages;

use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, PASSWORD, Registration, TestServer, claims_of, encode, hidden, on_both, text,
};
use chancery::model::Noted;

pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPE: &str = "openid profile offline_access";

/// A client with the device grant; `change` replaces members of its metadata.
pub async fn device_client(server: &TestServer, change: Value) -> Registration {
    let mut metadata = json!({
        "client_name": "Television",
        "redirect_uris": [],
        "grant_types": [DEVICE_CODE, "refresh_token"],
    });
    metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    server.client(metadata).await
}

/// A server with a device client and a user.
async fn ready(kind: crate::support::Kind) -> (TestServer, Registration) {
    let server = TestServer::start(kind).await;
    server.user("ada").await;
    let client = device_client(&server, json!({})).await;
    (server, client)
}

async fn ask(server: &TestServer, client: &Registration, form: &[(&str, &str)]) -> Answer {
    server.post_as(client, "/device_authorization", form).await
}

/// The answer of the device authorization endpoint.
pub async fn start(server: &TestServer, client: &Registration) -> Value {
    let answer = ask(server, client, &[("scope", SCOPE)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

pub async fn poll(server: &TestServer, client: &Registration, started: &Value) -> Answer {
    let code = text(started, "device_code");
    server.post_as(client, "/token", &[("grant_type", DEVICE_CODE), ("device_code", &code)]).await
}

/// Polls after the interval, so that pace is no matter.
async fn poll_later(server: &TestServer, client: &Registration, started: &Value) -> Answer {
    server.advance(60);
    poll(server, client, started).await
}

/// The device page, by way of the sign-in page where nobody is signed in.
async fn device_page(browser: &mut Browser<'_>, path: &str, username: &str) -> Answer {
    let answer = browser.get(path).await;
    let page = browser.follow(answer).await;
    if !page.body.contains("name=\"password\"") {
        return page;
    }
    let back = hidden(&page, "return").replace("&#38;", "&").replace("&amp;", "&");
    let csrf = hidden(&page, "csrf");
    let form = [("return", &*back), ("csrf", &csrf), ("username", username), ("password", PASSWORD)];
    let answer = browser.post("/login", &form).await;
    browser.follow(answer).await
}

/// Types a code at the device page.
pub async fn type_code(browser: &mut Browser<'_>, username: &str, code: &str) -> Answer {
    let page = device_page(browser, "/device", username).await;
    let csrf = hidden(&page, "csrf");
    browser.post("/device", &[("csrf", &csrf), ("user_code", code)]).await
}

/// Decides at the confirmation page.
pub async fn decide(browser: &mut Browser<'_>, page: &Answer, decision: &str) -> Answer {
    let (csrf, code) = (hidden(page, "csrf"), hidden(page, "user_code"));
    browser.post("/device/confirm", &[("csrf", &csrf), ("user_code", &code), ("decision", decision)]).await
}

/// Types the code and decides.
pub async fn answer(browser: &mut Browser<'_>, username: &str, started: &Value, decision: &str) -> Answer {
    let page = type_code(browser, username, &text(started, "user_code")).await;
    assert_eq!(page.status, 200, "{page:?}");
    decide(browser, &page, decision).await
}

/// The tokens of a whole flow.
async fn tokens(server: &TestServer, client: &Registration, browser: &mut Browser<'_>) -> Value {
    let started = start(server, client).await;
    let page = answer(browser, "ada", &started, "allow").await;
    assert_eq!(page.status, 200, "{page:?}");
    let answer = poll(server, client, &started).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

on_both! {
    async fn fc_13_a_device_that_cannot_keep_a_secret_gets_tokens(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let client = device_client(&server, json!({"token_endpoint_auth_method": "none"})).await;
        let started = server.post_public(&client, "/device_authorization", &[("scope", SCOPE)]).await.json();
        let mut browser = server.browser();
        assert_eq!(answer(&mut browser, "ada", &started, "allow").await.status, 200);
        let code = text(&started, "device_code");
        let form = [("grant_type", DEVICE_CODE), ("device_code", code.as_str())];
        let answer = server.post_public(&client, "/token", &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(claims_of(&answer.text("id_token"))["sub"], user.id.as_str());
    }

    async fn fc_14_the_device_grant_is_refused_until_the_operator_enables_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        ask(&server, &client, &[("scope", SCOPE)]).await.assert_error(400, "unauthorized_client");
        let form = [("grant_type", DEVICE_CODE), ("device_code", "cy_dc_x")];
        server.post_as(&client, "/token", &form).await.assert_error(400, "unauthorized_client");
        server.change_client(&client, json!({"grant_types": [DEVICE_CODE]})).await;
        start(&server, &client).await;
    }

    async fn a_device_grant_that_is_switched_off_meanwhile_ends_what_has_begun(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        server.change_client(&client, json!({"grant_types": ["client_credentials"]})).await;
        let page = type_code(&mut server.browser(), "ada", &text(&started, "user_code")).await;
        assert_eq!(page.status, 422, "{page:?}");
        poll(&server, &client, &started).await.assert_error(400, "unauthorized_client");
    }

    async fn fc_15_the_device_gets_codes_an_address_and_their_times(kind: Kind) {
        let (server, client) = ready(kind).await;
        let answer = ask(&server, &client, &[("scope", SCOPE)]).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let started = answer.json();
        assert!(text(&started, "device_code").starts_with("cy_dc_"));
        let user_code = text(&started, "user_code");
        let (first, second) = user_code.split_once('-').unwrap();
        for half in [first, second] {
            assert!(half.len() == 4 && half.bytes().all(|c| b"BCDFGHJKLMNPQRSTVWXZ".contains(&c)), "{user_code}");
        }
        assert_eq!(started["verification_uri"], "https://id.example/device");
        assert_eq!((&started["interval"], &started["expires_in"]), (&json!(5), &json!(600)));
        assert_eq!(started.get("verification_uri_complete"), None);
    }

    async fn the_lifetime_is_a_setting(kind: Kind) {
        let server = TestServer::start_with(kind, &[("TOKENS__DEVICE_CODE_SECONDS", "120")]).await;
        let client = device_client(&server, json!({})).await;
        let started = start(&server, &client).await;
        assert_eq!(started["expires_in"], 120);
        server.advance(119);
        poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
        server.advance(1);
        poll(&server, &client, &started).await.assert_error(400, "expired_token");
    }

    async fn fc_16_a_device_polls_until_the_user_decides(kind: Kind) {
        let (server, client) = ready(kind).await;
        let (started, other) = (start(&server, &client).await, start(&server, &client).await);
        for _ in 0..3 {
            poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
            server.advance(5);
        }
        let mut browser = server.browser();
        answer(&mut browser, "ada", &started, "allow").await;
        assert_eq!(poll(&server, &client, &started).await.status, 200);
        answer(&mut browser, "ada", &other, "deny").await;
        for _ in 0..2 {
            poll_later(&server, &client, &other).await.assert_error(400, "access_denied");
        }
    }

    async fn fc_17_the_first_poll_after_approval_returns_access_and_refresh_token(kind: Kind) {
        let (server, client) = ready(kind).await;
        let tokens = tokens(&server, &client, &mut server.browser()).await;
        assert_eq!((&tokens["token_type"], &tokens["scope"]), (&json!("Bearer"), &json!(SCOPE)));
        let again = server.refresh(&client, &text(&tokens, "refresh_token")).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_ne!(again.text("refresh_token"), text(&tokens, "refresh_token"));
    }

    async fn a_refresh_token_needs_offline_access_and_the_grant_type_as_everywhere(kind: Kind) {
        let (server, client) = ready(kind).await;
        let without = device_client(&server, json!({"grant_types": [DEVICE_CODE]})).await;
        for (client, scope, expected) in
            [(&client, "openid", false), (&client, "openid offline_access", true), (&without, SCOPE, false)]
        {
            let started = ask(&server, client, &[("scope", scope)]).await.json();
            answer(&mut server.browser(), "ada", &started, "allow").await;
            let tokens = poll(&server, client, &started).await.json();
            assert_eq!(tokens.get("refresh_token").is_some(), expected, "{scope} {tokens}");
        }
    }

    async fn the_refresh_policy_and_the_limit_of_grants_hold_for_devices_too(kind: Kind) {
        let (server, _) = ready(kind).await;
        let metadata = json!({"refresh_policy": "always", "max_refresh_grants": 1});
        let client = device_client(&server, metadata).await;
        let mut refresh_tokens = Vec::new();
        for _ in 0..2 {
            let started = ask(&server, &client, &[("scope", "openid")]).await.json();
            let mut browser = server.browser();
            let page = type_code(&mut browser, "ada", &text(&started, "user_code")).await;
            assert!(page.body.contains("even while you are away"), "{page:?}");
            decide(&mut browser, &page, "allow").await;
            let tokens = poll(&server, &client, &started).await.json();
            refresh_tokens.push(text(&tokens, "refresh_token"));
            server.advance(1);
        }
        server.refresh(&client, &refresh_tokens[0]).await.assert_error(400, "invalid_grant");
        assert_eq!(server.refresh(&client, &refresh_tokens[1]).await.status, 200);
    }

    async fn a_device_that_polls_too_often_has_to_slow_down_more_each_time(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
        server.advance(4);
        poll(&server, &client, &started).await.assert_error(400, "slow_down");
        // The interval is ten seconds now, on every replica.
        server.advance(9);
        server.replica().await;
        poll(&server, &client, &started).await.assert_error(400, "slow_down");
        server.advance(14);
        poll(&server.replica().await, &client, &started).await.assert_error(400, "slow_down");
        server.advance(20);
        poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
    }

    async fn a_device_code_is_good_for_tokens_once(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        answer(&mut server.browser(), "ada", &started, "allow").await;
        let tokens = poll(&server, &client, &started).await.json();
        poll_later(&server, &client, &started).await.assert_error(400, "invalid_grant");
        server.advance(600);
        poll(&server, &client, &started).await.assert_error(400, "invalid_grant");
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
    }

    async fn an_approval_that_no_device_comes_for_expires(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        answer(&mut server.browser(), "ada", &started, "allow").await;
        server.advance(600);
        poll(&server, &client, &started).await.assert_error(400, "expired_token");
    }

    async fn a_device_code_of_another_client_is_refused_and_not_consumed(kind: Kind) {
        let (server, client) = ready(kind).await;
        let other = device_client(&server, json!({})).await;
        let started = start(&server, &client).await;
        poll(&server, &other, &started).await.assert_error(400, "invalid_grant");
        answer(&mut server.browser(), "ada", &started, "allow").await;
        poll(&server, &other, &started).await.assert_error(400, "invalid_grant");
        assert_eq!(poll(&server, &client, &started).await.status, 200);
    }

    async fn what_is_no_device_code_is_refused(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        answer(&mut server.browser(), "ada", &started, "allow").await;
        let code = text(&started, "device_code");
        let unknown = format!("cy_dc_{}", "A".repeat(48));
        let changed = format!("{}{}", &code[..code.len() - 4], "AAAA");
        let as_code = code.replace("cy_dc_", "cy_ac_");
        for wrong in ["x", "cy_dc_", &unknown, &changed, &as_code, &text(&started, "user_code")] {
            poll(&server, &client, &json!({"device_code": wrong})).await.assert_error(400, "invalid_grant");
        }
        let missing = server.post_as(&client, "/token", &[("grant_type", DEVICE_CODE)]).await;
        missing.assert_error(400, "invalid_request");
        // Nor is it an authorization code or a refresh token.
        server.redeem(&client, &code).await.assert_error(400, "unauthorized_client");
        server.refresh(&client, &code).await.assert_error(400, "invalid_grant");
        assert_eq!(poll(&server, &client, &started).await.status, 200);
    }

    async fn the_request_of_a_device_is_checked_as_at_the_other_endpoints(kind: Kind) {
        let (server, client) = ready(kind).await;
        for (form, error) in [
            (&[][..], "invalid_scope"),
            (&[("scope", "")], "invalid_scope"),
            (&[("scope", "openid unheard-of")], "invalid_scope"),
            (&[("scope", "open\"id")], "invalid_scope"),
            (&[("scope", "openid"), ("scope", "openid")], "invalid_request"),
        ] {
            ask(&server, &client, form).await.assert_error(400, error);
        }
        let impostor = Registration { id: client.id.clone(), secret: "wrong".to_owned() };
        ask(&server, &impostor, &[("scope", SCOPE)]).await.assert_invalid_client();
        server.post_public(&client, "/device_authorization", &[("scope", SCOPE)]).await.assert_invalid_client();
        let body = server.post_raw("/device_authorization", &[("content-type", "application/json")], "{}").await;
        body.assert_error(400, "invalid_request");
        assert_eq!(server.get("/device_authorization").await.status, 405);
    }

    async fn the_tokens_of_a_device_work_like_any_others(kind: Kind) {
        let (server, client) = ready(kind).await;
        let tokens = tokens(&server, &client, &mut server.browser()).await;
        let (access_token, refresh_token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let userinfo = server.get_with_token("/userinfo", &access_token).await.json();
        assert_eq!(userinfo["name"], "Ada Lovelace");
        assert!(server.is_active(&client, &access_token).await && server.is_active(&client, &refresh_token).await);
        let claims = claims_of(&access_token);
        assert!(claims["sid"].is_string() && claims["amr"] == json!(["pwd"]) && claims["auth_time"].is_i64());
        server.revoke(&client, &refresh_token).await;
        assert!(!server.is_active(&client, &access_token).await);
    }

    async fn the_account_page_shows_the_app_and_takes_its_access_back(kind: Kind) {
        let (server, client) = ready(kind).await;
        let mut browser = server.browser();
        let tokens = tokens(&server, &client, &mut browser).await;
        let page = browser.get("/account").await;
        assert!(page.body.contains("Television") && page.body.contains("See your name"), "{page:?}");
        let form = [("csrf", &*hidden(&page, "csrf")), ("client_id", &client.id)];
        browser.post("/account/apps/revoke", &form).await;
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
        assert!(!browser.get("/account").await.body.contains("Television"));
    }

    async fn what_is_taken_back_before_the_device_comes_is_not_given(kind: Kind) {
        let (server, client) = ready(kind).await;
        let mut browser = server.browser();
        let started = start(&server, &client).await;
        answer(&mut browser, "ada", &started, "allow").await;
        let form = [("csrf", &*hidden(&browser.get("/account").await, "csrf")), ("client_id", &client.id)];
        browser.post("/account/apps/revoke", &form).await;
        poll(&server, &client, &started).await.assert_error(400, "access_denied");
    }

    async fn signing_out_ends_online_access_only(kind: Kind) {
        let (server, client) = ready(kind).await;
        let mut browser = server.browser();
        let offline = tokens(&server, &client, &mut browser).await;
        let online = ask(&server, &client, &[("scope", "openid")]).await.json();
        answer(&mut browser, "ada", &online, "allow").await;
        let online = poll(&server, &client, &online).await.text("access_token");
        let waiting = ask(&server, &client, &[("scope", "openid")]).await.json();
        answer(&mut browser, "ada", &waiting, "allow").await;
        let csrf = hidden(&browser.get("/account").await, "csrf");
        browser.post("/logout", &[("csrf", &csrf), ("decision", "sign_out")]).await;
        assert!(!server.is_active(&client, &online).await);
        poll(&server, &client, &waiting).await.assert_error(400, "access_denied");
        assert!(server.is_active(&client, &text(&offline, "access_token")).await);
    }

    async fn a_disabled_or_deleted_user_gives_a_device_nothing(kind: Kind) {
        let (server, client) = ready(kind).await;
        let bob = server.user("bob").await;
        let (disabled, deleted) = (start(&server, &client).await, start(&server, &client).await);
        for started in [&disabled, &deleted] {
            answer(&mut server.browser(), "bob", started, "allow").await;
        }
        server.app.storage.set_disabled(Noted::nothing(), &bob.id, true, server.app.now()).await.unwrap();
        poll(&server, &client, &disabled).await.assert_error(400, "invalid_grant");
        assert!(server.app.storage.delete_user(Noted::nothing(), &bob.id, server.app.now()).await.unwrap());
        poll(&server, &client, &deleted).await.assert_error(400, "invalid_grant");
    }

    async fn the_database_does_not_hold_the_codes(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        let stored: Option<(String, String)> = server
            .app
            .storage
            .db()
            .fetch_optional("SELECT user_code, salt FROM device_authorizations", &[])
            .await
            .unwrap();
        let (tag, salt) = stored.unwrap();
        let bare = text(&started, "user_code").replace('-', "");
        assert!(!tag.contains(&bare) && tag.len() == 43 && !text(&started, "device_code").contains(&salt));
    }

    async fn what_has_expired_is_purged_a_day_later(kind: Kind) {
        let (server, client) = ready(kind).await;
        let (waiting, unclaimed) = (start(&server, &client).await, start(&server, &client).await);
        let mut browser = server.browser();
        answer(&mut browser, "ada", &unclaimed, "allow").await;
        let kept = tokens(&server, &client, &mut browser).await;
        server.advance(600 + 86_399);
        server.app.storage.purge(server.app.now()).await.unwrap();
        poll(&server, &client, &waiting).await.assert_error(400, "expired_token");
        server.advance(1);
        server.app.storage.purge(server.app.now()).await.unwrap();
        poll(&server, &client, &waiting).await.assert_error(400, "invalid_grant");
        assert_eq!(server.number("SELECT COUNT(*) FROM device_authorizations").await, 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
        assert_eq!(server.refresh(&client, &text(&kept, "refresh_token")).await.status, 200);
    }

    async fn polls_stay_within_their_budget(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        for expected in ["authorization_pending", "slow_down"] {
            let (statements, answer) = server.statements(poll(&server, &client, &started)).await;
            answer.assert_error(400, expected);
            assert_eq!(statements, 2, "{expected}");
        }
        answer(&mut server.browser(), "ada", &started, "allow").await;
        let (statements, answer) = server.statements(poll(&server, &client, &started)).await;
        assert_eq!((statements, answer.status.as_u16()), (3, 200));
        let (statements, _) = server.statements(poll(&server, &client, &started)).await;
        assert_eq!(statements, 1);
        let (statements, _) = server.statements(ask(&server, &client, &[("scope", SCOPE)])).await;
        assert_eq!(statements, 1);
    }

    async fn pages_and_links_are_below_the_issuers_path(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__ISSUER", "https://id.example/auth")]).await;
        let client = device_client(&server, json!({"verification_uri_complete": true})).await;
        let started = server.post_as(&client, "/auth/device_authorization", &[("scope", SCOPE)]).await.json();
        assert_eq!(started["verification_uri"], "https://id.example/auth/device");
        let mut browser = server.browser();
        let answer = browser.get("/auth/device").await;
        assert_eq!(answer.location(), "https://id.example/auth/login?return=%2Fdevice");
        let page = browser.follow(answer).await;
        assert_eq!(hidden(&page, "return"), "/device");
    }

    async fn the_pages_speak_german_too(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        let mut browser = server.browser();
        browser.headers.push(("accept-language", "de".to_owned()));
        let page = type_code(&mut browser, "ada", &text(&started, "user_code")).await;
        assert!(page.body.contains("Das Gerät zeigt diesen Code"), "{page:?}");
        assert!(decide(&mut browser, &page, "deny").await.body.contains("Es wurde nichts verbunden"));
    }
}
