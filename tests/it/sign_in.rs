//! Signing in: the form, the session and its cookie, and requests that wait for it.

use axum::http::{StatusCode, header};
use serde_json::json;

use crate::support::{Answer, Browser, PASSWORD, REDIRECT_URI, TestServer, hidden, on_both, query_of};
use chancery::model::Noted;

const SESSION: &str = "__Host-session";
const WRONG: &str = "That user name or password is not right.";
const STALE: &str = "This page was open for too long.";
const OVER: &str = "This sign-in is over";

/// Sends the sign-in form as it is on the page, for the account page.
async fn submit(browser: &mut Browser<'_>, change: &[(&str, &str)]) -> Answer {
    let page = browser.get("/login").await;
    let csrf = hidden(&page, "csrf");
    let mut form = vec![("csrf", csrf.as_str()), ("username", "ada"), ("password", PASSWORD)];
    for (name, value) in change {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    browser.post("/login", &form).await
}

/// Asserts that nobody was signed in, and why.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, text: &str) {
    answer.assert_page_error(status);
    assert!(answer.body.contains(text), "{answer:?}");
    assert!(!set_cookies(answer).iter().any(|cookie| cookie.contains("session=")), "{answer:?}");
}

fn set_cookies(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
}

/// Somebody with this session cookie and nothing else.
async fn holder_of(server: &TestServer, cookie: &str) -> Option<String> {
    let mut browser = server.browser();
    browser.cookies.insert(SESSION.to_owned(), cookie.to_owned());
    browser.signed_in_as().await
}

on_both! {
    async fn a_wrong_password_and_an_unknown_user_get_the_same_page(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (mut browser, bob) = (server.browser(), server.user("bob").await);
        server.user("ada").await;
        server.app.storage.set_disabled(Noted::nothing(), &bob.id, true, server.app.now()).await.unwrap();
        let mut pages = Vec::new();
        for (username, password) in [("ada", "wrong"), ("eve", "wrong"), ("eve", PASSWORD), ("bob", PASSWORD)]
        {
            let answer = submit(&mut browser, &[("username", username), ("password", password)]).await;
            assert_refused(&answer, 422, WRONG);
            assert!(!answer.body.contains(password), "{answer:?}");
            // The user name stays, for the next try.
            assert_eq!(hidden(&answer, "username\" type=\"text"), username);
            pages.push(answer.body.replace(&format!("value=\"{username}\""), ""));
        }
        assert!(pages.windows(2).all(|pair| pair[0] == pair[1]), "{pages:?}");
    }

    async fn a_user_name_in_any_case_and_a_mail_address_name_the_user(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("Ada").await;
        for username in ["Ada", "ada", "ADA", " ada ", "ada@mail.example", "ADA@Mail.Example"] {
            let mut browser = server.browser();
            let answer = submit(&mut browser, &[("username", username)]).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{username}");
            assert_eq!(answer.location(), "https://id.example/account");
            assert_eq!(browser.signed_in_as().await.as_deref(), Some("Ada"), "{username}");
        }
    }

    async fn what_is_missing_or_too_long_is_refused_with_a_reason(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let long = "x".repeat(1025);
        for (field, value, text) in [
            ("password", "", "Enter your password."),
            ("username", "", "Enter your user name"),
            ("username", "  ", "Enter your user name"),
            ("password", long.as_str(), WRONG),
            ("username", long.as_str(), WRONG),
            ("password", " correct horse battery staple", WRONG),
            ("password", "CORRECT HORSE BATTERY STAPLE", WRONG),
        ] {
            assert_refused(&submit(&mut browser, &[(field, value)]).await, 422, text);
        }
        for value in ["ada\0", "a\0da"] {
            submit(&mut browser, &[("username", value)]).await.assert_page_error(400);
        }
        let page = browser.get("/login").await;
        let answer = browser.post("/login", &[("csrf", &hidden(&page, "csrf"))]).await;
        assert_refused(&answer, 422, "Enter your password.");
        assert_eq!(browser.signed_in_as().await, None);
    }

    async fn after_ten_wrong_passwords_an_account_has_to_wait(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        server.user("bob").await;
        let mut browser = server.browser();
        // The right password of a disabled user counts too: its page is that of a wrong one.
        let eve = server.user("eve").await;
        server.app.storage.set_disabled(Noted::nothing(), &eve.id, true, server.app.now()).await.unwrap();
        for (username, password) in [("ada", "wrong"), ("nobody", "wrong"), ("eve", PASSWORD)] {
            let change = [("username", username), ("password", password)];
            for _ in 0..10 {
                assert_refused(&submit(&mut browser, &change).await, 422, WRONG);
            }
            assert_refused(&submit(&mut browser, &change).await, 429, "There were too many attempts.");
        }
        assert_refused(&submit(&mut browser, &[]).await, 429, "There were too many attempts.");
        assert_eq!(submit(&mut server.browser(), &[("username", "bob")]).await.status, StatusCode::SEE_OTHER);
        server.app.clock.advance(2);
        assert_eq!(submit(&mut browser, &[]).await.status, StatusCode::SEE_OTHER);
    }

    async fn a_form_that_is_not_from_our_page_in_this_browser_signs_nobody_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        let stolen = hidden(&other.get("/login").await, "csrf");
        let own = hidden(&browser.get("/login").await, "csrf");
        for csrf in ["", "x", &stolen, &own[1..], &format!("{own}A"), &own.to_uppercase()] {
            assert_refused(&submit(&mut browser, &[("csrf", csrf)]).await, 403, STALE);
        }
        // Without the browser's cookie a tag is worth nothing.
        let form = [("csrf", own.as_str()), ("username", "ada"), ("password", PASSWORD)];
        assert_refused(&server.post("/login", &[], &form).await, 403, STALE);
        for (site, allowed) in
            [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true)]
        {
            let mut browser = server.browser();
            browser.headers.push(("sec-fetch-site", site.to_owned()));
            let answer = submit(&mut browser, &[]).await;
            assert_eq!(answer.status == StatusCode::SEE_OTHER, allowed, "{site}: {answer:?}");
            if !allowed {
                assert_refused(&answer, 403, STALE);
            }
        }
    }

    async fn a_post_from_another_site_does_not_replace_the_cookie_it_did_not_carry(kind: Kind) {
        let server = TestServer::start(kind).await;
        for (path, form) in [("/login", [("username", "ada")]), ("/logout", [("decision", "sign_out")])] {
            let answer = server.post(path, &[("sec-fetch-site", "cross-site")], &form).await;
            assert_eq!(answer.header("set-cookie"), "", "{path}: {answer:?}");
        }
        let request = axum::http::Request::get("/login").header("sec-fetch-site", "cross-site");
        let first_visit = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert!(first_visit.header("set-cookie").starts_with("__Host-browser="), "{first_visit:?}");
    }

    async fn the_cookies_are_the_installations_own_and_no_script_reads_the_secret_ones(kind: Kind) {
        for (issuer, prefix, suffix, path, secure) in [
            ("https://id.example", "__Host-", "", "/", "; Secure"),
            ("https://id.example/auth", "__Secure-", ".auth", "/auth", "; Secure"),
            ("http://localhost:8080", "chancery-", "-8080", "/", ""),
        ] {
            let server = TestServer::start_with(kind, &[("SERVER__ISSUER", issuer)]).await;
            server.user("ada").await;
            let mut browser = server.browser();
            let login = browser.at("/login");
            let page = browser.get(&login).await;
            let [named, session, state, known] =
                ["browser", "session", "state", "known"].map(|word| format!("{prefix}{word}{suffix}"));
            let value = &browser.cookies[&named];
            assert_eq!(
                set_cookies(&page),
                [format!("{named}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}")]
            );
            let form = [("csrf", &*hidden(&page, "csrf")), ("username", "ada"), ("password", PASSWORD)];
            let answer = browser.post(&login, &form).await;
            let value = &browser.cookies[&session];
            let expected =
                format!("{session}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}; Max-Age=1209600");
            // What scripts may read is no secret, and is for frames on other sites.
            let readable = if secure.is_empty() { "SameSite=Lax" } else { "SameSite=None; Secure" };
            let value = &browser.cookies[&state];
            let state = format!("{state}={value}; Path={path}; {readable}; Max-Age=1209600");
            let value = &browser.cookies[&known];
            let known = format!("{known}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}; Max-Age=15552000");
            assert_eq!(set_cookies(&answer), [expected, state, known]);
            assert_eq!(browser.cookies.len(), 4);
        }
    }

    async fn who_signed_in_under_the_names_of_before_stays_signed_in(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__ISSUER", "https://id.example/auth")]).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let old = |(name, value): (&String, &String)| {
            let word = name.trim_start_matches("__Secure-").trim_end_matches(".auth");
            (format!("__Host-{word}"), value.clone())
        };
        browser.cookies = browser.cookies.iter().map(old).collect();
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        // The next sign-in is under the new ones, which count first.
        server.user("bob").await;
        browser.add("bob").await;
        assert!(browser.cookies.contains_key("__Secure-session.auth"), "{:?}", browser.cookies);
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("bob"));
    }

    async fn every_sign_in_makes_a_new_cookie_and_the_old_one_is_worthless(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let first = browser.cookies[SESSION].clone();
        let client = server.client(json!({"skip_consent": true})).await;
        let answer = browser.get(&server.authorization(&client, &[("prompt", "login")])).await;
        let page = browser.follow(answer).await;
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        let second = browser.cookies[SESSION].clone();
        assert_ne!(first, second);
        assert_eq!(holder_of(&server, &first).await, None);
        assert_eq!(holder_of(&server, &second).await.as_deref(), Some("ada"));
        assert!(query_of(browser.follow(answer).await.location(), "code").is_some());
    }

    async fn a_session_ends_when_it_is_idle_and_when_its_time_is_over(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let (mut idle, mut busy) = (server.browser(), server.browser());
        idle.enter("ada").await;
        busy.enter("ada").await;
        server.app.clock.advance(259_199);
        assert_eq!(idle.signed_in_as().await.as_deref(), Some("ada"));
        assert_eq!(busy.signed_in_as().await.as_deref(), Some("ada"));
        for _ in 0..3 {
            server.app.clock.advance(259_199);
            assert_eq!(busy.signed_in_as().await.as_deref(), Some("ada"));
        }
        assert_eq!(idle.signed_in_as().await, None);
        server.app.clock.advance(1_209_599 - 4 * 259_199);
        assert_eq!(busy.signed_in_as().await.as_deref(), Some("ada"));
        server.app.clock.advance(1);
        assert_eq!(busy.signed_in_as().await, None);
    }

    async fn a_session_that_is_over_is_not_shown_as_one(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        server.browser().enter("ada").await;
        server.app.clock.advance(259_200);
        let mut browser = server.browser();
        browser.enter("ada").await;
        assert!(!browser.get("/account").await.body.contains("/account/sessions/end"));
    }

    async fn a_cookie_that_was_changed_is_worth_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let cookie = browser.cookies[SESSION].clone();
        assert_eq!(holder_of(&server, &cookie).await.as_deref(), Some("ada"));
        for at in 0..cookie.len() {
            let other = if cookie.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &cookie[..at], &cookie[at + 1..]);
            assert_eq!(holder_of(&server, &changed).await, None, "{changed}");
        }
        let longer = format!("{cookie}A");
        for cookie in ["", "x", ".", "a.b.c", &cookie[1..], &cookie[..cookie.len() - 1], &longer] {
            assert_eq!(holder_of(&server, cookie).await, None, "{cookie}");
        }
    }

    async fn disabling_a_user_ends_their_sessions(kind: Kind) {
        let server = TestServer::start(kind).await;
        let ada = server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        server.app.storage.set_disabled(Noted::nothing(), &ada.id, true, server.app.now()).await.unwrap();
        assert_eq!(browser.signed_in_as().await, None);
        server.app.storage.set_disabled(Noted::nothing(), &ada.id, false, server.app.now()).await.unwrap();
        assert_eq!(browser.signed_in_as().await, None);
        browser.enter("ada").await;
    }

    async fn a_waiting_request_belongs_to_the_browser_that_started_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(answer).await;
        let id = hidden(&page, "request");
        for name in ["/login", "/consent"] {
            for request in [id.as_str(), "unknown", "a\0b"] {
                let answer =
                    other.get(&format!("{name}?{}", crate::support::encode(&[("request", request)]))).await;
                answer.assert_page_error(400);
                assert_ne!(answer.body.contains(OVER), request.contains('\0'), "{answer:?}");
            }
        }
        let csrf = hidden(&other.get("/login").await, "csrf");
        let form = [("request", &*id), ("csrf", &csrf), ("username", "ada"), ("password", PASSWORD)];
        assert_refused(&other.post("/login", &form).await, 400, OVER);
        other.enter("ada").await;
        let csrf = hidden(&other.get("/account").await, "csrf");
        let form = [("request", &*id), ("csrf", &csrf), ("decision", "allow")];
        assert_refused(&other.post("/consent", &form).await, 400, OVER);
        assert_eq!(browser.get(&format!("/login?request={id}")).await.status, StatusCode::OK);
    }

    async fn a_request_that_waited_too_long_starts_itself_again(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&client, &[("prompt", "login")])).await;
        let mut page = browser.follow(answer).await;
        let mut ids = vec![hidden(&page, "request")];
        server.app.clock.advance(1800);
        // Late with the password.
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        page = browser.follow(answer).await;
        ids.push(hidden(&page, "request"));
        server.app.clock.advance(1800);
        // Late with a reload.
        let answer = browser.get(&format!("/login?request={}", ids[1])).await;
        page = browser.follow(answer).await;
        ids.push(hidden(&page, "request"));
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        page = browser.follow(answer).await;
        assert_eq!(hidden(&page, "request"), ids[2]);
        server.app.clock.advance(1800);
        // Late with the decision; the request asked for a fresh sign-in, which this one is not any more.
        let answer = browser.decide(&page, "allow").await;
        page = browser.follow(answer).await;
        ids.push(hidden(&page, "request"));
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        page = browser.follow(answer).await;
        let answer = browser.decide(&page, "allow").await;
        assert!(answer.location().starts_with(REDIRECT_URI), "{answer:?}");
        assert_eq!(query_of(answer.location(), "state").as_deref(), Some("af0ifjsldkj"));
        let code = query_of(answer.location(), "code").unwrap();
        assert_eq!(server.redeem(&client, &code).await.status, StatusCode::OK);
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }

    async fn without_a_request_the_way_leads_to_the_account(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let answer = browser.get("/account").await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "https://id.example/login"));
        for path in ["/login", "/login?request="] {
            assert_eq!(browser.get(path).await.status, StatusCode::OK);
        }
        assert_eq!(browser.enter("ada").await.location(), "https://id.example/account");
        let answer = browser.get("/login").await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "https://id.example/account"));
    }

    async fn whoever_comes_back_to_the_page_after_signing_in_goes_on_from_there(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(answer).await;
        browser.sign_in(&page, "ada", PASSWORD).await;
        let id = hidden(&page, "request");
        let answer = browser.get(&format!("/login?request={id}")).await;
        assert_eq!(answer.location(), format!("https://id.example/consent?request={id}"));
        // A second submission of the sign-in form does no harm either.
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        assert!(browser.follow(answer).await.body.contains("name=\"decision\""));
    }

    async fn what_an_application_sends_is_text_on_our_pages(kind: Kind) {
        let server = TestServer::start(kind).await;
        let evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'";
        let client = server
            .client(json!({
                "client_name": evil, "client_uri": "javascript:alert(1)", "logo_uri": "javascript:alert(1)",
                "policy_uri": "javascript:alert(1)", "tos_uri": "data:text/html,x",
            }))
            .await;
        server.user("ada").await;
        let mut browser = server.browser();
        let change = [("login_hint", evil), ("state", evil), ("nonce", evil), ("ui_locales", evil)];
        let answer = browser.get(&server.authorization(&client, &change)).await;
        let login = browser.follow(answer).await;
        assert!(login.body.contains("value=\"&#34;&#62;&#60;script&#62;"), "{login:?}");
        let again = browser.sign_in(&login, evil, "wrong").await;
        let answer = browser.sign_in(&login, "ada", PASSWORD).await;
        let consent = browser.follow(answer).await;
        let done = browser.decide(&consent, "allow").await;
        assert_eq!(query_of(done.location(), "state").as_deref(), Some(evil));
        let account = browser.get("/account").await;
        let logout = browser
            .get(&format!(
                "/logout?{}",
                crate::support::encode(&[("client_id", &client.id), ("state", evil)])
            ))
            .await;
        for page in [login, again, consent, account, logout] {
            assert!(page.body.contains("&#60;script&#62;"), "{page:?}");
            for text in ["<script>", "<img", "javascript:", "data:text"] {
                assert!(!page.body.contains(text), "{text}: {page:?}");
            }
        }
    }

    async fn the_hint_of_who_signs_in_is_filled_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for (hint, shown) in [("ada@mail.example", "ada@mail.example"), (&"x".repeat(300), "")] {
            let mut browser = server.browser();
            let answer = browser.get(&server.authorization(&client, &[("login_hint", hint)])).await;
            let page = browser.follow(answer).await;
            assert_eq!(hidden(&page, "username\" type=\"text"), shown);
        }
    }
}
