//! When a person is asked to sign in or to consent, and what is stored meanwhile (OpenID Connect Core 3.1.2.1,
//! 3.1.2.3).

use axum::http::header;
use serde_json::json;

use crate::support::authorization::{
    ask, assert_accepted, assert_code, assert_refused, is_consent, is_sign_in,
};
use crate::support::{CHALLENGE, START, TestServer, claims_of, hidden, on_both, query_of};

async fn rows(server: &TestServer, count: &'static str) -> i64 {
    let row: Option<(i64,)> = server.app.storage.db().fetch_optional(count, &[]).await.unwrap();
    row.unwrap().0
}

const REQUESTS: &str = "SELECT COUNT(*) FROM authorization_requests";

on_both! {
    async fn prompt_has_known_values_and_none_stands_alone(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        assert_refused(
            &server,
            &client,
            "invalid_request",
            &[
                &[("prompt", "unknown")],
                &[("prompt", "LOGIN")],
                &[("prompt", "none login")],
                &[("prompt", "consent none")],
                &[("prompt", "login,consent")],
            ],
        )
        .await;
        for prompt in ["login", "consent", "select_account", "login consent", "select_account login consent"]
        {
            assert_accepted(&ask(&server, &client, &[("prompt", prompt)]).await);
        }
    }

    async fn prompt_none_never_asks_and_says_what_would_be_needed(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let silent = server.authorization(&client, &[("prompt", "none")]);
        let mut browser = server.browser();
        browser.get(&silent).await.assert_redirect_error("login_required");
        browser.enter("ada").await;
        browser.get(&silent).await.assert_redirect_error("consent_required");
        let first = browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        server.app.clock.advance(5);
        let mut sign_ins = Vec::new();
        for answer in [first, browser.get(&silent).await] {
            assert_code(&answer);
            let tokens = server.redeem(&client, &query_of(answer.location(), "code").unwrap()).await.json();
            let claims = claims_of(tokens["id_token"].as_str().unwrap());
            sign_ins.push((claims["sub"].clone(), claims["auth_time"].clone()));
        }
        assert_eq!(sign_ins[0], sign_ins[1], "the same user, who did not sign in again");
        let more = server.authorization(&client, &[("prompt", "none"), ("scope", "openid groups")]);
        browser.get(&more).await.assert_redirect_error("consent_required");
        server.app.clock.advance(10);
        let old = server.authorization(&client, &[("prompt", "none"), ("max_age", "9")]);
        browser.get(&old).await.assert_redirect_error("login_required");
    }

    async fn a_prompt_asks_again_exactly_once(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        assert_code(&browser.authorize_as(&server.authorization(&client, &[]), "ada").await);
        for (prompt, sign_in, consent) in [
            ("login", true, false),
            ("consent", false, true),
            ("login consent", true, true),
        ] {
            server.app.clock.advance(10);
            let answer = browser.get(&server.authorization(&client, &[("prompt", prompt)])).await;
            let mut page = browser.follow(answer).await;
            assert_eq!(is_sign_in(&page), sign_in, "{prompt}: {page:?}");
            if sign_in {
                let answer = browser.sign_in(&page, "ada", crate::support::PASSWORD).await;
                page = browser.follow(answer).await;
            }
            assert_eq!(is_consent(&page), consent, "{prompt}: {page:?}");
            if consent {
                page = browser.decide(&page, "allow").await;
            }
            assert_code(&page);
            let code = query_of(page.location(), "code").unwrap();
            let claims = server.redeem(&client, &code).await.json();
            let auth_time = claims_of(claims["id_token"].as_str().unwrap())["auth_time"].as_i64().unwrap();
            assert_eq!(auth_time == server.app.now().unix(), sign_in, "{prompt}");
        }
    }

    async fn a_sign_in_older_than_max_age_is_asked_for_again(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        // OpenID Connect Core 3.1.2.1: max_age=0 is equivalent to prompt=login.
        for (passed, max_age, asks) in
            [(0, "0", true), (100, "100", false), (100, "99", true), (0, "1", false)]
        {
            let before = server.app.now();
            server.app.clock.advance(passed);
            let answer = browser.get(&server.authorization(&client, &[("max_age", max_age)])).await;
            let mut page = browser.follow(answer).await;
            assert_eq!(is_sign_in(&page), asks, "{max_age}: {page:?}");
            if asks {
                let answer = browser.sign_in(&page, "ada", crate::support::PASSWORD).await;
                page = browser.follow(answer).await;
            }
            assert_code(&page);
            let tokens = server.redeem(&client, &query_of(page.location(), "code").unwrap()).await.json();
            let auth_time = claims_of(tokens["id_token"].as_str().unwrap())["auth_time"].as_i64().unwrap();
            assert_eq!(server.app.now().unix() - auth_time, if asks { 0 } else { passed }, "{max_age}");
            if !asks {
                server.app.clock.advance(before.unix() - server.app.now().unix());
            }
        }
        for max_age in ["-1", "+1", "1.5", "x", "1e3", " 1", "99999999999999999999", "٣"] {
            assert_refused(&server, &client, "invalid_request", &[&[("max_age", max_age)]]).await;
        }
        assert_accepted(&ask(&server, &client, &[("max_age", "9223372036854775807")]).await);
    }

    async fn no_answer_of_the_endpoint_may_be_stored(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let waiting = browser.get(&server.authorization(&client, &[])).await;
        browser.enter("ada").await;
        let code = browser.get(&server.authorization(&client, &[])).await;
        assert_code(&code);
        let error = browser.get(&server.authorization(&client, &[("scope", "")])).await;
        let page = browser.get("/authorize").await;
        for answer in [waiting, code, error, page] {
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{answer:?}");
        }
    }

    async fn when_nobody_has_to_be_asked_nothing_but_the_grant_is_written(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        assert_code(&browser.authorize_as(&server.authorization(&client, &[]), "ada").await);
        let before = rows(&server, REQUESTS).await;
        let path = server.authorization(&client, &[]);
        let (statements, answer) = server.statements(browser.get(&path)).await;
        assert_code(&answer);
        assert!(statements <= 4, "{statements}");
        // What is refused costs no more, and leaves nothing behind.
        let refused = server.authorization(&client, &[("response_type", "token")]);
        let (statements, answer) = server.statements(browser.get(&refused)).await;
        answer.assert_redirect_error("unsupported_response_type");
        assert_eq!(statements, 0);
        browser
            .get(&server.authorization(&client, &[("redirect_uri", "https://evil.example/")]))
            .await
            .assert_page_error(400);
        browser
            .get(&server.authorization(&client, &[("prompt", "none"), ("scope", "read")]))
            .await
            .assert_redirect_error("consent_required");
        assert_eq!(rows(&server, REQUESTS).await, before);
    }

    async fn a_request_that_waits_is_stored_once_and_pages_carry_only_its_id(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&client, &[("state", "very-secret-state")])).await;
        assert_accepted(&answer);
        assert_eq!(query_of(answer.location(), "request").unwrap().len(), 22);
        let page = browser.follow(answer).await;
        assert_eq!(rows(&server, REQUESTS).await, 1);
        let answer = browser.sign_in(&page, "ada", crate::support::PASSWORD).await;
        let consent = browser.follow(answer).await;
        assert_eq!(hidden(&page, "request"), hidden(&consent, "request"));
        for page in [&page, &consent] {
            assert!(!page.body.contains("very-secret-state") && !page.body.contains(CHALLENGE));
        }
        assert_code(&browser.decide(&consent, "allow").await);
        assert_eq!(rows(&server, REQUESTS).await, 1);
        assert_eq!(server.app.now(), START);
    }
}
