//! Consent: who is asked what, and what is remembered of the answer.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::authorization::{is_chooser, is_consent, is_sign_in};
use crate::support::{Answer, Browser, PASSWORD, Registration, TestServer, hidden, on_both, query_of};

const OVER: &str = "This sign-in is over";

/// Starts a request in a browser where somebody is signed in, and goes to where it stops.
async fn start(browser: &mut Browser<'_>, server: &TestServer, client: &Registration, scope: &str) -> Answer {
    let answer = browser.get(&server.authorization(client, &[("scope", scope)])).await;
    browser.follow(answer).await
}

#[track_caller]
fn code(answer: &Answer) -> String {
    query_of(answer.location(), "code").unwrap_or_else(|| panic!("no code: {answer:?}"))
}

on_both! {
    async fn the_page_names_the_application_the_person_and_every_scope(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server
            .client(json!({
                "client_uri": "https://app.example/home", "policy_uri": "https://app.example/privacy",
                "tos_uri": "https://app.example/terms", "logo_uri": "https://app.example/logo.png",
            }))
            .await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = start(
            &mut browser,
            &server,
            &client,
            "openid profile email address phone groups offline_access read",
        )
        .await;
        assert!(is_consent(&page), "{page:?}");
        for text in [
            "Test Application",
            "ada",
            "app.example",
            "https://app.example/home",
            "https://app.example/privacy",
            "https://app.example/terms",
            "https://app.example/logo.png",
            "Know that it is you who signs in",
            "See your name",
            "See your email address",
            "See your postal address",
            "See your phone number",
            "See the groups",
            "Keep this access while you are away",
            "Use the permission called read",
            "until you remove it in your account, even while you are away",
        ] {
            assert!(page.body.contains(text), "{text}: {page:?}");
        }
        // Beside nothing old, nothing is marked new.
        assert!(!page.body.contains("class=\"new\""), "{page:?}");
    }

    async fn a_yes_is_remembered_and_only_what_is_new_is_asked_later(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = start(&mut browser, &server, &client, "openid profile").await;
        code(&browser.decide(&page, "allow").await);
        for scope in ["openid profile", "profile", "openid"] {
            code(&start(&mut browser, &server, &client, scope).await);
        }
        let page = start(&mut browser, &server, &client, "openid email").await;
        assert!(page.body.contains("See your email address <strong class=\"new\">New</strong>"), "{page:?}");
        assert_eq!(page.body.matches("class=\"new\"").count(), 1);
        // A no leaves what was allowed before as it was.
        browser.decide(&page, "deny").await;
        assert!(is_consent(&start(&mut browser, &server, &client, "openid email").await));
        code(&start(&mut browser, &server, &client, "openid profile").await);
        let page = start(&mut browser, &server, &client, "openid email").await;
        code(&browser.decide(&page, "allow").await);
        code(&start(&mut browser, &server, &client, "openid profile email").await);
    }

    async fn a_no_goes_back_as_access_denied(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = start(&mut browser, &server, &client, "openid").await;
        let answer = browser.decide(&page, "deny").await;
        answer.assert_redirect_error("access_denied");
        assert_eq!(query_of(answer.location(), "state").as_deref(), Some("af0ifjsldkj"));
        assert!(is_consent(&start(&mut browser, &server, &client, "openid").await));
    }

    async fn consent_is_of_one_user_for_one_client(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        server.user("bob").await;
        let (mut ada, mut bob) = (server.browser(), server.browser());
        ada.enter("ada").await;
        bob.enter("bob").await;
        let page = start(&mut ada, &server, &client, "openid").await;
        code(&ada.decide(&page, "allow").await);
        code(&start(&mut ada, &server, &client, "openid").await);
        assert!(is_consent(&start(&mut ada, &server, &other, "openid").await));
        assert!(is_consent(&start(&mut bob, &server, &client, "openid").await));
    }

    async fn an_application_of_the_operator_skips_the_question_unless_it_asks_for_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        code(&start(&mut browser, &server, &client, "openid email").await);
        let answer = browser.get(&server.authorization(&client, &[("prompt", "consent")])).await;
        let page = browser.follow(answer).await;
        assert!(is_consent(&page), "{page:?}");
        code(&browser.decide(&page, "allow").await);
    }

    async fn not_you_leads_to_the_same_request_for_somebody_else(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let (_, bob) = (server.user("ada").await, server.user("bob").await);
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = start(&mut browser, &server, &client, "openid").await;
        let answer = browser.decide(&page, "switch").await;
        let chooser = browser.follow(answer).await;
        assert!(is_chooser(&chooser), "{chooser:?}");
        let login = browser.use_another(&chooser).await;
        assert!(is_sign_in(&login), "{login:?}");
        assert_eq!(hidden(&login, "request"), hidden(&page, "request"));
        let answer = browser.sign_in(&login, "bob", PASSWORD).await;
        let page = browser.follow(answer).await;
        let answer = browser.decide(&page, "allow").await;
        assert_eq!(query_of(answer.location(), "state").as_deref(), Some("af0ifjsldkj"));
        let tokens = server.redeem(&client, &code(&answer)).await.json();
        let claims = crate::support::claims_of(tokens["id_token"].as_str().unwrap());
        assert_eq!(claims["sub"], bob.id.as_str());
    }

    async fn a_decision_sent_twice_gets_the_same_code_until_it_is_used(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = start(&mut browser, &server, &client, "openid").await;
        let first = browser.decide(&page, "allow").await;
        let second = browser.decide(&page, "allow").await;
        assert_eq!(first.location(), second.location());
        let id = hidden(&page, "request");
        for path in [format!("/consent?request={id}"), format!("/login?request={id}")] {
            assert_eq!(browser.get(&path).await.location(), first.location());
        }
        assert_eq!(server.redeem(&client, &code(&first)).await.status, StatusCode::OK);
        let third = browser.decide(&page, "allow").await;
        third.assert_page_error(400);
        assert!(third.body.contains(OVER), "{third:?}");
        browser.get(&format!("/consent?request={id}")).await.assert_page_error(400);
        // The tokens live on: nobody used the code twice.
        assert_eq!(server.redeem(&client, &code(&first)).await.json()["error"], "invalid_grant");
    }

    async fn a_decision_sent_again_after_the_code_expired_gets_a_page(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = start(&mut browser, &server, &client, "openid").await;
        code(&browser.decide(&page, "allow").await);
        // Nor does it begin anew when the request is over: it was answered.
        for seconds in [60, 1800] {
            server.app.clock.advance(seconds);
            browser.decide(&page, "allow").await.assert_page_error(400);
            browser.get(&format!("/login?request={}", hidden(&page, "request"))).await.assert_page_error(400);
        }
    }

    async fn who_goes_back_to_a_page_that_was_answered_finds_the_way_to_the_application(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"client_uri": "https://app.example/home"})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = start(&mut browser, &server, &client, "openid").await;
        let consent = format!("/consent?request={}", hidden(&page, "request"));
        let code = code(&browser.decide(&page, "allow").await);
        assert_eq!(server.redeem(&client, &code).await.status, StatusCode::OK);
        for seconds in [0, 1800] {
            server.app.clock.advance(seconds);
            let answer = browser.get(&consent).await;
            answer.assert_page_error(400);
            assert!(answer.body.contains("href=\"https://app.example/home\""), "{answer:?}");
        }
        // Of another browser's request nothing is told.
        let answer = server.browser().get(&consent).await;
        assert!(!answer.body.contains("app.example"), "{answer:?}");
    }

    async fn only_a_form_of_ours_with_a_known_answer_decides(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        browser.enter("ada").await;
        other.enter("ada").await;
        let page = start(&mut browser, &server, &client, "openid").await;
        let (id, csrf) = (hidden(&page, "request"), hidden(&page, "csrf"));
        let stolen = hidden(&other.get("/account").await, "csrf");
        let before_sign_in = hidden(&server.browser().get("/login").await, "csrf");
        for csrf in ["", "x", &stolen, &before_sign_in] {
            for decision in ["allow", "deny", "switch"] {
                let form = [("request", &*id), ("csrf", csrf), ("decision", decision)];
                browser.post("/consent", &form).await.assert_page_error(403);
            }
        }
        browser.headers.push(("sec-fetch-site", "cross-site".to_owned()));
        browser.decide(&page, "allow").await.assert_page_error(403);
        browser.headers.clear();
        for decision in ["", "yes", "ALLOW", "allow "] {
            browser.decide(&page, decision).await.assert_page_error(400);
        }
        browser.post("/consent", &[("csrf", &csrf), ("decision", "allow")]).await.assert_page_error(400);
        browser.get("/consent").await.assert_page_error(400);
        assert!(is_consent(&start(&mut browser, &server, &client, "openid").await));
        code(&browser.decide(&page, "allow").await);
    }

    async fn a_decision_of_somebody_who_is_not_signed_in_leads_to_sign_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(answer).await;
        for decision in ["allow", "deny", "switch"] {
            let answer = browser.decide(&page, decision).await;
            assert!(is_sign_in(&browser.follow(answer).await), "{decision}");
        }
        let id = hidden(&page, "request");
        let answer = browser.get(&format!("/consent?request={id}")).await;
        assert!(is_sign_in(&browser.follow(answer).await));
    }

    async fn consent_does_not_stand_in_for_a_fresh_sign_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &[("prompt", "login")])).await;
        let login = browser.follow(answer).await;
        assert!(is_sign_in(&login), "{login:?}");
        // Somebody with an older session posts the decision without going through the sign-in.
        let other = start(&mut browser, &server, &client, "openid").await;
        let form = [
            ("request", &*hidden(&login, "request")),
            ("csrf", &hidden(&other, "csrf")),
            ("decision", "allow"),
        ];
        let answer = browser.post("/consent", &form).await;
        assert!(is_sign_in(&browser.follow(answer).await));
    }

    async fn the_pages_speak_the_language_that_is_asked_for(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        for (ui_locales, accept, tag, sign_in, allow) in [
            ("de", "en", "de", "Anmelden", "Erlauben"),
            ("fr de-CH", "", "de", "Anmelden", "Erlauben"),
            ("", "de-AT,en;q=0.5", "de", "Anmelden", "Erlauben"),
            ("en", "de", "en", "Sign in", "Allow"),
            ("", "", "en", "Sign in", "Allow"),
            ("fr", "it", "en", "Sign in", "Allow"),
        ] {
            let mut browser = server.browser();
            browser.headers.push(("accept-language", accept.to_owned()));
            let change = [("ui_locales", ui_locales), ("prompt", "consent")];
            let answer = browser.get(&server.authorization(&client, &change)).await;
            let login = browser.follow(answer).await;
            let answer = browser.sign_in(&login, "ada", PASSWORD).await;
            let consent = browser.follow(answer).await;
            for (page, text) in [(login, sign_in), (consent, allow)] {
                assert!(page.body.contains(&format!("<html lang=\"{tag}\" dir=\"ltr\">")), "{page:?}");
                assert!(page.body.contains(&format!(">{text}</button>")), "{page:?}");
            }
        }
    }

    async fn a_program_on_this_computer_is_warned_of(kind: Kind) {
        let server = TestServer::start(kind).await;
        let local = server.client(json!({"redirect_uris": ["http://127.0.0.1/cb"]})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let change = [("redirect_uri", "http://127.0.0.1:4711/cb")];
        let answer = browser.get(&server.authorization(&local, &change)).await;
        let page = browser.follow(answer).await;
        assert!(
            page.body.contains("Only allow this if you have just started that program yourself."),
            "{page:?}"
        );
        assert!(page.body.contains("127.0.0.1:4711"), "{page:?}");
        let answer = browser.decide(&page, "allow").await;
        assert!(answer.location().starts_with("http://127.0.0.1:4711/cb?code="), "{answer:?}");
    }
}

on_both! {
    async fn a_public_client_that_anybody_could_be_is_asked_about_each_time(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let grant_types = ["authorization_code", "refresh_token"];
        for (first, again) in [
            ("http://127.0.0.1:5000/cb", "http://127.0.0.1:6666/cb"),
            ("http://localhost:5000/cb", "http://localhost:5000/cb"),
            ("com.example.app:/cb", "com.example.app:/cb"),
        ] {
            let members = json!({
                "redirect_uris": [first.replace("127.0.0.1:5000", "127.0.0.1")],
                "token_endpoint_auth_method": "none", "grant_types": grant_types,
            });
            let client = server.client(members).await;
            for uri in [first, again] {
                let answer = browser.get(&server.authorization(&client, &[("redirect_uri", uri)])).await;
                let page = browser.follow(answer).await;
                assert!(is_consent(&page) && !page.body.contains("class=\"new\""), "{page:?}");
                let answer = browser.decide(&page, "allow").await;
                assert!(answer.location().starts_with(uri) && answer.returned("code").is_some(), "{answer:?}");
            }
            let silent = [("redirect_uri", again), ("prompt", "none")];
            let answer = browser.get(&server.authorization(&client, &silent)).await;
            assert_eq!(answer.returned("error").as_deref(), Some("consent_required"), "{answer:?}");
            // Unless the operator says so.
            server.change_client(&client, json!({"consent_policy": "remember"})).await;
            let answer = browser.get(&server.authorization(&client, &silent)).await;
            assert!(answer.returned("code").is_some(), "{answer:?}");
        }
        // A claimed https address is its owner's.
        let client = server.public_client().await;
        let page = start(&mut browser, &server, &client, "openid").await;
        code(&browser.decide(&page, "allow").await);
        code(&start(&mut browser, &server, &client, "openid").await);
    }
}
