//! Several accounts in one browser: signing in beside each other, choosing, signing out of one or of all.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::authorization::{assert_code, is_chooser, is_consent, is_sign_in};
use crate::support::{
    Browser, PASSWORD, Registration, TestServer, claims_of, hidden, on_both, query_of, text,
};

const SESSION: &str = "__Host-session";
const ACCOUNTS: &str = "__Host-accounts";

/// A client that asks nobody, and users.
async fn ready(server: &TestServer, names: &[&str]) -> Registration {
    for name in names {
        server.user(name).await;
    }
    server.client(json!({"skip_consent": true})).await
}

/// The user name in the ID token of an answer.
async fn subject(server: &TestServer, client: &Registration, location: &str) -> String {
    let code = query_of(location, "code").unwrap_or_else(|| panic!("no code in {location}"));
    let tokens = server.redeem(client, &code).await.json();
    let user = text(&json!(claims_of(&text(&tokens, "id_token"))), "sub");
    let user = server.app.storage.user(&chancery::model::UserId::new(user)).await.unwrap();
    user.unwrap().username
}

async fn ask(
    browser: &mut Browser<'_>,
    server: &TestServer,
    client: &Registration,
    change: &[(&str, &str)],
) -> crate::support::Answer {
    let answer = browser.get(&server.authorization(client, change)).await;
    browser.follow(answer).await
}

on_both! {
    async fn whoever_signs_in_beside_somebody_becomes_the_current_account_and_the_other_stays(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        assert!(!browser.cookies.contains_key(ACCOUNTS));
        browser.add("bob").await;
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("bob"));
        let answer = ask(&mut browser, &server, &client, &[]).await;
        assert_eq!(subject(&server, &client, answer.location()).await, "bob");
        let account = browser.get("/account").await;
        browser.choose(&account, "ada", "choose").await;
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        let answer = ask(&mut browser, &server, &client, &[]).await;
        assert_eq!(subject(&server, &client, answer.location()).await, "ada");
    }

    async fn select_account_shows_everybody_and_goes_on_with_the_chosen_one(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        let page = ask(&mut browser, &server, &client, &[("prompt", "select_account")]).await;
        assert!(is_sign_in(&page), "nobody is here to be chosen: {page:?}");
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        assert_code(&browser.follow(answer).await);
        for username in ["ada", "bob", "ada"] {
            let page = ask(&mut browser, &server, &client, &[("prompt", "select_account")]).await;
            assert!(is_chooser(&page), "{page:?}");
            let answer = if page.body.contains(&format!(">{username}</bdi>")) {
                browser.choose(&page, username, "choose").await
            } else {
                let login = browser.use_another(&page).await;
                assert_eq!(hidden(&login, "request"), hidden(&page, "request"));
                browser.sign_in(&login, username, PASSWORD).await
            };
            let answer = browser.follow(answer).await;
            assert_eq!(subject(&server, &client, answer.location()).await, username);
            assert_eq!(browser.signed_in_as().await.as_deref(), Some(username));
        }
    }

    async fn choosing_an_account_is_no_proof_of_who_somebody_is(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        browser.add("bob").await;
        server.app.clock.advance(100);
        for change in [&[("prompt", "select_account login")][..], &[("prompt", "select_account"), ("max_age", "99")]] {
            let page = ask(&mut browser, &server, &client, change).await;
            let answer = browser.choose(&page, "ada", "choose").await;
            let login = browser.follow(answer).await;
            assert!(is_sign_in(&login), "{login:?}");
            // Nobody has to type who they have just said they are.
            assert_eq!(hidden(&login, "username\" type=\"text"), "ada");
            let answer = browser.sign_in(&login, "ada", PASSWORD).await;
            let answer = browser.follow(answer).await;
            assert_eq!(subject(&server, &client, answer.location()).await, "ada");
            server.app.clock.advance(100);
        }
    }

    async fn without_a_current_account_a_person_chooses_and_a_silent_request_says_so(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        browser.add("bob").await;
        let silent = server.authorization(&client, &[("prompt", "none")]);
        // Several accounts are not ambiguous: one of them is the current one.
        assert_eq!(subject(&server, &client, browser.get(&silent).await.location()).await, "bob");
        let page = browser.get("/select_account").await;
        let answer = browser.choose(&page, "bob", "sign_out").await;
        assert!(!browser.cookies.contains_key(SESSION));
        assert_eq!(answer.location(), "https://id.example/select_account");
        browser.get(&silent).await.assert_redirect_error("account_selection_required");
        let page = ask(&mut browser, &server, &client, &[]).await;
        assert!(is_chooser(&page) && !page.body.contains(">bob<"), "{page:?}");
        let answer = browser.choose(&page, "ada", "choose").await;
        let answer = browser.follow(answer).await;
        assert_eq!(subject(&server, &client, answer.location()).await, "ada");
        assert_eq!(subject(&server, &client, browser.get(&silent).await.location()).await, "ada");
    }

    async fn a_login_hint_selects_an_account_and_fills_in_the_name_otherwise(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        let page = ask(&mut browser, &server, &client, &[("login_hint", "ada@mail.example")]).await;
        assert_eq!(hidden(&page, "username\" type=\"text"), "ada@mail.example");
        browser.enter("ada").await;
        browser.add("bob").await;
        for (hint, expected) in [("ada", "ada"), ("ADA@Mail.example", "ada"), ("bob", "bob"), ("eve", "bob")] {
            let silent = server.authorization(&client, &[("prompt", "none"), ("login_hint", hint)]);
            assert_eq!(subject(&server, &client, browser.get(&silent).await.location()).await, expected, "{hint}");
        }
        // A silent request does not change whose turn it is.
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("bob"));
    }

    async fn consent_is_given_by_the_account_that_the_page_names(kind: Kind) {
        let server = TestServer::start(kind).await;
        ready(&server, &["ada", "bob"]).await;
        let client = server.client(json!({})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        browser.add("bob").await;
        let page = ask(&mut browser, &server, &client, &[("login_hint", "ada")]).await;
        assert!(is_consent(&page) && page.body.contains(">ada</bdi>"), "{page:?}");
        assert_eq!(subject(&server, &client, browser.decide(&page, "allow").await.location()).await, "ada");
        // Another tab makes somebody else the current account: the form was not theirs.
        let page = ask(&mut browser, &server, &client, &[]).await;
        assert!(page.body.contains(">bob</bdi>"), "{page:?}");
        let account = browser.get("/account").await;
        browser.choose(&account, "ada", "choose").await;
        browser.decide(&page, "allow").await.assert_page_error(403);
    }

    async fn signing_out_of_one_account_leaves_the_others_and_of_all_leaves_none(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = ready(&server, &["ada", "bob", "eve"]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let tokens = browser.tokens(&client, "ada", &[("scope", "openid")]).await;
        browser.add("bob").await;
        browser.add("eve").await;
        let all = browser.cookies.clone();
        let page = browser.get("/select_account").await;
        browser.choose(&page, "ada", "sign_out").await;
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("eve"));
        let page = browser.get("/select_account").await;
        assert!(!page.body.contains(">ada<") && page.body.contains(">bob<"), "{page:?}");
        let form = [("csrf", &*hidden(&page, "csrf")), ("decision", "sign_out_all")];
        let answer = browser.post("/select_account", &form).await;
        assert_eq!(answer.location(), "https://id.example/login");
        // That somebody signed in here before stays known: it signs nobody in.
        let left = ["__Host-browser", "__Host-known", "__Host-state"];
        assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), left);
        // Nor is a copy of the cookies worth anything.
        browser.cookies = all;
        assert_eq!(browser.get("/select_account").await.location(), "https://id.example/login");
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 0);
    }

    async fn an_account_is_chosen_from_our_page_in_its_own_browser_only(kind: Kind) {
        let server = TestServer::start(kind).await;
        ready(&server, &["ada", "bob"]).await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        browser.enter("ada").await;
        browser.add("bob").await;
        other.enter("ada").await;
        let (page, others) = (browser.get("/select_account").await, other.get("/select_account").await);
        let (csrf, session) = (hidden(&page, "csrf"), hidden(&others, "session"));
        for decision in ["choose", "sign_out", "sign_out_all"] {
            for csrf in ["", "x", &hidden(&others, "csrf")] {
                let form = [("csrf", csrf), ("session", &session), ("decision", decision)];
                browser.post("/select_account", &form).await.assert_page_error(403);
            }
        }
        // The session of another browser is none of this one's accounts.
        for decision in ["choose", "sign_out"] {
            let form = [("csrf", csrf.as_str()), ("session", &session), ("decision", decision)];
            let answer = browser.post("/select_account", &form).await;
            assert_eq!(answer.location(), "https://id.example/select_account");
            assert_eq!(browser.signed_in_as().await.as_deref(), Some("bob"));
        }
        assert_eq!(other.signed_in_as().await.as_deref(), Some("ada"));
        browser.post("/select_account", &[("csrf", &csrf), ("decision", "x")]).await.assert_page_error(400);
        browser.headers.push(("sec-fetch-site", "cross-site".to_owned()));
        browser.choose(&page, "ada", "choose").await.assert_page_error(403);
    }

    async fn a_planted_cookie_never_leads_to_what_is_started_after_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        ready(&server, &["mallory", "ada"]).await;
        let (mut attacker, mut victim) = (server.browser(), server.browser());
        attacker.enter("mallory").await;
        victim.cookies = attacker.cookies.clone();
        victim.add("ada").await;
        assert_eq!(victim.signed_in_as().await.as_deref(), Some("ada"));
        let page = attacker.get("/select_account").await;
        assert!(is_chooser(&page) && !page.body.contains(">ada<"), "{page:?}");
        assert_eq!(attacker.signed_in_as().await.as_deref(), Some("mallory"));
    }

    async fn a_cookie_of_accounts_that_was_changed_is_worth_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        browser.add("bob").await;
        let good = browser.cookies[ACCOUNTS].clone();
        let changed = format!("{}A", &good[..good.len() - 1]);
        for cookie in [&changed, "x", ":::", "", &good[1..], &format!("{good}{good}")] {
            browser.cookies.insert(ACCOUNTS.to_owned(), cookie.to_owned());
            let page = browser.get("/select_account").await;
            assert_eq!(page.body.contains(">ada<"), cookie == good, "{cookie}");
        }
    }

    async fn the_ninth_account_ends_the_one_that_was_not_used_for_longest(kind: Kind) {
        let server = TestServer::start(kind).await;
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let client = ready(&server, &names).await;
        let mut browser = server.browser();
        for name in names {
            browser.add(name).await;
        }
        let page = browser.get("/select_account").await;
        let shown: Vec<_> = names.into_iter().filter(|name| page.body.contains(&format!(">{name}</bdi>"))).collect();
        assert_eq!(shown, names[1..]);
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 8);
        let path = server.authorization(&client, &[("scope", "openid")]);
        browser.get(&path).await;
        let (statements, answer) = server.statements(browser.get(&path)).await;
        assert_eq!(statements, kind.with_an_entry(3));
        assert!(query_of(answer.location(), "code").is_some(), "{answer:?}");
    }

    async fn accounts_end_with_the_browser_where_one_of_them_does(kind: Kind) {
        let server = TestServer::start(kind).await;
        ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let set = |answer: &crate::support::Answer, name: &str| {
            let all = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
            all.filter(|cookie| cookie.starts_with(name)).collect::<Vec<_>>()
        };
        server.app.clock.advance(100);
        let page = browser.get("/login?account=other").await;
        let answer = browser.sign_in(&page, "bob", PASSWORD).await;
        let cookies = set(&answer, ACCOUNTS);
        assert!(cookies[0].ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=1209500"), "{cookies:?}");
        server.app.storage.db().execute("UPDATE sessions SET persistent = FALSE", &[]).await.unwrap();
        for _ in 0..2 {
            let account = browser.get("/account").await;
            let other = if browser.signed_in_as().await.as_deref() == Some("ada") { "bob" } else { "ada" };
            let answer = browser.choose(&account, other, "choose").await;
            for name in [SESSION, ACCOUNTS] {
                let cookies = set(&answer, name);
                assert!(cookies.len() == 1 && !cookies[0].contains("Max-Age"), "{cookies:?}");
            }
        }
    }

    async fn the_same_user_has_one_session_in_a_browser(kind: Kind) {
        let server = TestServer::start(kind).await;
        ready(&server, &["ada", "bob"]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        browser.add("bob").await;
        let old = browser.cookies.clone();
        browser.add("ada").await;
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 2);
        // Signing in again makes the handle of before worthless, also where it was not the current one's.
        browser.cookies = old;
        let page = browser.get("/select_account").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains(">bob<") && !page.body.contains(">ada<"), "{page:?}");
    }
}
