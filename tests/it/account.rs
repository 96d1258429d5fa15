//! The account page: applications with access, sessions, the password.

use axum::http::{StatusCode, header};
use serde_json::json;

use crate::support::{Answer, Browser, PASSWORD, TestServer, hidden, on_both, query_of};

const SESSION: &str = "__Host-session";
const NEW: &str = "another battery staple";

async fn remove_access(browser: &mut Browser<'_>, client_id: &str) -> Answer {
    let csrf = hidden(&browser.get("/account").await, "csrf");
    browser.post("/account/apps/revoke", &[("csrf", &csrf), ("client_id", client_id)]).await
}

async fn end(browser: &mut Browser<'_>, session: &str) -> Answer {
    let csrf = hidden(&browser.get("/account").await, "csrf");
    browser.post("/account/sessions/end", &[("csrf", &csrf), ("session", session)]).await
}

async fn change_password(browser: &mut Browser<'_>, current: &str, new: &str, repeat: &str) -> Answer {
    let csrf = hidden(&browser.get("/account").await, "csrf");
    let form = [
        ("csrf", csrf.as_str()),
        ("current_password", current),
        ("new_password", new),
        ("repeat_password", repeat),
    ];
    browser.post("/account/password", &form).await
}

/// Whether somebody can sign in with this password.
async fn works(server: &TestServer, username: &str, password: &str) -> bool {
    let mut browser = server.browser();
    let csrf = hidden(&browser.get("/login").await, "csrf");
    let form = [("csrf", csrf.as_str()), ("username", username), ("password", password)];
    browser.post("/login", &form).await.status == StatusCode::SEE_OTHER
}

#[track_caller]
fn assert_done(answer: &Answer, what: &str) {
    let expected = format!("https://id.example/account?done={what}");
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, expected.as_str()), "{answer:?}");
}

on_both! {
    async fn nobody_sees_or_changes_an_account_without_signing_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut browser = server.browser();
        let answer = browser.get("/account").await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "https://id.example/login"));
        let csrf = hidden(&browser.get("/login").await, "csrf");
        for path in ["/account/apps/revoke", "/account/sessions/end", "/account/password"] {
            browser.post(path, &[("csrf", &csrf)]).await.assert_page_error(403);
            assert_eq!(browser.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED);
        }
    }

    async fn the_page_lists_applications_and_sessions_of_this_user_only(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"client_name": "Ada's App"})).await;
        let operators = server.client(json!({"client_name": "House App", "skip_consent": true})).await;
        let other = server.client(json!({"client_name": "Bob's App"})).await;
        server.user("ada").await;
        server.user("bob").await;
        server.tokens(&other, "bob").await;
        let (mut ada, mut second) = (server.browser(), server.browser());
        ada.headers.push(("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0".to_owned()));
        second.headers.push(("user-agent", "<script>alert(1)</script> (iPhone) Safari/604.1".to_owned()));
        ada.tokens(&client, "ada", &[("scope", "openid email")]).await;
        ada.tokens(&operators, "ada", &[]).await;
        second.enter("ada").await;
        let page = ada.get("/account").await;
        for text in [
            "Ada&#39;s App",
            "House App",
            "See your email address",
            "Firefox on Linux",
            "Safari on iPhone",
            "This browser",
            "Ada Lovelace",
        ] {
            assert!(page.body.contains(text), "{text}: {page:?}");
        }
        assert!(!page.body.contains("Bob") && !page.body.contains("alert(1)"), "{page:?}");
        assert_eq!(page.body.matches("/account/sessions/end").count(), 1);
        assert_eq!(page.body.matches("/account/apps/revoke").count(), 2);
    }

    async fn access_that_is_taken_back_is_gone_at_once_and_asked_for_again(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        server.user("bob").await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let elsewhere = [browser.tokens(&other, "ada", &[]).await, server.tokens(&client, "bob").await];
        let (access, refresh) =
            (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
        assert!(server.is_active(&client, access).await && server.is_active(&client, refresh).await);
        assert_done(&remove_access(&mut browser, &client.id).await, "access");
        assert!(!server.is_active(&client, access).await && !server.is_active(&client, refresh).await);
        server.refresh(&client, refresh).await.assert_error(400, "invalid_grant");
        assert_eq!(server.get_with_token("/userinfo", access).await.status, StatusCode::UNAUTHORIZED);
        let page = browser.get("/account?done=access").await;
        assert!(page.body.contains("The app no longer has access."), "{page:?}");
        assert!(!page.body.contains(&client.id) && page.body.contains(&other.id));
        for (owner, tokens) in [&other, &client].into_iter().zip(elsewhere) {
            assert!(server.is_active(owner, tokens["access_token"].as_str().unwrap()).await);
        }
        let silent = server.authorization(&client, &[("prompt", "none")]);
        browser.get(&silent).await.assert_redirect_error("consent_required");
        // Again, or for a client that never had access or does not exist: nothing to do.
        for id in [client.id.as_str(), "unknown"] {
            assert_done(&remove_access(&mut browser, id).await, "access");
        }
        remove_access(&mut browser, "").await.assert_page_error(400);
    }

    async fn a_code_that_was_not_redeemed_yet_is_taken_back_too(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let answer = browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        remove_access(&mut browser, &client.id).await;
        let code = query_of(answer.location(), "code").unwrap();
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
    }

    async fn another_session_can_be_ended_and_with_it_what_was_not_for_offline_use(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let (mut here, mut there) = (server.browser(), server.browser());
        here.enter("ada").await;
        let online = there.tokens(&client, "ada", &[("scope", "openid")]).await;
        let offline = there.tokens(&client, "ada", &[]).await;
        let session = hidden(&here.get("/account").await, "session");
        assert_done(&end(&mut here, &session).await, "session");
        assert_eq!(there.signed_in_as().await, None);
        assert_eq!(here.signed_in_as().await.as_deref(), Some("ada"));
        assert!(!server.is_active(&client, online["access_token"].as_str().unwrap()).await);
        assert!(server.is_active(&client, offline["refresh_token"].as_str().unwrap()).await);
        let page = here.get("/account?done=session").await;
        assert!(page.body.contains("The session has ended.") && !page.body.contains("/account/sessions/end"));
        assert_done(&end(&mut here, &session).await, "session");
        end(&mut here, "").await.assert_page_error(400);
    }

    async fn nobody_can_end_a_session_or_access_of_somebody_else(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        server.user("eve").await;
        let (mut ada, mut second, mut eve) = (server.browser(), server.browser(), server.browser());
        let tokens = ada.tokens(&client, "ada", &[("scope", "openid")]).await;
        second.enter("ada").await;
        let session = hidden(&second.get("/account").await, "session");
        eve.enter("eve").await;
        end(&mut eve, &session).await;
        remove_access(&mut eve, &client.id).await;
        assert_eq!(ada.signed_in_as().await.as_deref(), Some("ada"));
        assert!(server.is_active(&client, tokens["access_token"].as_str().unwrap()).await);
        // It was the right id: its owner can.
        end(&mut second, &session).await;
        assert_eq!(ada.signed_in_as().await, None);
    }

    async fn a_password_is_not_changed_unless_everything_is_right(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let long = "x".repeat(1025);
        for (current, new, repeat, text) in [
            ("wrong", NEW, NEW, "The current password is not right."),
            ("", NEW, NEW, "The current password is not right."),
            (PASSWORD, "seven77", "seven77", "Use at least 8 characters."),
            (PASSWORD, "üüüüüüü", "üüüüüüü", "Use at least 8 characters."),
            (PASSWORD, "", "", "Use at least 8 characters."),
            (PASSWORD, &long, &long, "Use at most 1024 characters."),
            (PASSWORD, NEW, "something else", "The two new passwords do not match."),
            (PASSWORD, NEW, "", "The two new passwords do not match."),
        ] {
            let answer = change_password(&mut browser, current, new, repeat).await;
            answer.assert_page_error(422);
            assert!(answer.body.contains(text), "{text}: {answer:?}");
            assert!(!answer.body.contains(NEW) && !answer.body.contains(PASSWORD), "{answer:?}");
        }
        assert!(works(&server, "ada", PASSWORD).await && !works(&server, "ada", NEW).await);
    }

    async fn guessing_the_current_password_is_slow(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        for _ in 0..10 {
            change_password(&mut browser, "wrong", NEW, NEW).await.assert_page_error(422);
        }
        let answer = change_password(&mut browser, PASSWORD, NEW, NEW).await;
        answer.assert_page_error(429);
        assert!(answer.body.contains("There were too many attempts."), "{answer:?}");
        assert!(!works(&server, "ada", NEW).await);
    }

    async fn a_new_password_ends_every_other_session(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        server.user("bob").await;
        let (mut here, mut there, mut bob) = (server.browser(), server.browser(), server.browser());
        here.enter("ada").await;
        there.enter("ada").await;
        bob.enter("bob").await;
        let before = here.cookies[SESSION].clone();
        assert_done(&change_password(&mut here, PASSWORD, NEW, NEW).await, "password");
        assert!(here.get("/account?done=password").await.body.contains("Your password has been changed."));
        assert_eq!(here.signed_in_as().await.as_deref(), Some("ada"));
        assert_eq!(there.signed_in_as().await, None);
        assert_eq!(bob.signed_in_as().await.as_deref(), Some("bob"));
        assert!(!works(&server, "ada", PASSWORD).await && works(&server, "ada", NEW).await);
        assert!(works(&server, "bob", PASSWORD).await);
        let mut thief = server.browser();
        thief.cookies.insert(SESSION.to_owned(), before);
        assert_eq!(thief.signed_in_as().await, None);
    }

    async fn a_new_password_ends_online_access_that_came_from_the_ended_sessions(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let (mut here, mut there) = (server.browser(), server.browser());
        here.enter("ada").await;
        let online = there.tokens(&client, "ada", &[("scope", "openid")]).await;
        assert_done(&change_password(&mut here, PASSWORD, NEW, NEW).await, "password");
        assert!(!server.is_active(&client, online["access_token"].as_str().unwrap()).await);
    }

    async fn every_form_needs_the_tag_of_this_browser_and_session(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        let before = hidden(&browser.get("/login").await, "csrf");
        let tokens = browser.tokens(&client, "ada", &[]).await;
        other.enter("ada").await;
        let (stolen, own) =
            (hidden(&other.get("/account").await, "csrf"), hidden(&browser.get("/account").await, "csrf"));
        let session = hidden(&browser.get("/account").await, "session");
        let mut fields =
            vec![("client_id", client.id.as_str()), ("session", &session), ("current_password", PASSWORD)];
        fields.extend([("new_password", NEW), ("repeat_password", NEW)]);
        for path in ["/account/apps/revoke", "/account/sessions/end", "/account/password"] {
            for (csrf, site) in [
                ("", ""),
                ("x", ""),
                (&*stolen, ""),
                (&*before, ""),
                (&*own, "cross-site"),
                (&*own, "same-site"),
            ] {
                browser.headers = vec![("sec-fetch-site", site.to_owned())];
                let form = [&fields[..], &[("csrf", csrf)]].concat();
                browser.post(path, &form).await.assert_page_error(403);
            }
            let headers = [("cookie", &*format!("{SESSION}={}", browser.cookies[SESSION]))];
            server
                .post(path, &headers, &[&fields[..], &[("csrf", &own)]].concat())
                .await
                .assert_page_error(403);
        }
        browser.headers.clear();
        assert_eq!(other.signed_in_as().await.as_deref(), Some("ada"));
        assert!(server.is_active(&client, tokens["access_token"].as_str().unwrap()).await);
        assert!(works(&server, "ada", PASSWORD).await);
    }

    async fn the_page_is_never_stored_and_its_notice_is_one_of_ours(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = browser.get("/account?done=%3Cscript%3E").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("class=\"notice\"") && !page.body.contains("&#60;script"));
        assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    }
}
