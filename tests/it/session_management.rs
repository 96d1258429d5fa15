//! OpenID Connect Session Management 1.0: what an application can tell of the sign-ins in a browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::digest;
use serde_json::json;

use crate::support::{Browser, PASSWORD, Registration, TestServer, hidden, on_both, query_of, text};

const STATE: &str = "__Host-state";

/// What the frame's script says about a session_state in this browser, for a page of this origin.
fn judge(browser: &Browser<'_>, client: &Registration, origin: &str, session_state: &str) -> &'static str {
    let (_, salt) = session_state.split_once('.').unwrap();
    let now = &browser.cookies[STATE];
    let hash = digest::sha256(format!("{} {origin} {now} {salt}", client.id).as_bytes());
    let expected = format!("{}.{salt}", URL_SAFE_NO_PAD.encode(hash));
    if session_state == expected { "unchanged" } else { "changed" }
}

async fn authorize(browser: &mut Browser<'_>, server: &TestServer, client: &Registration) -> String {
    let answer = browser.authorize_as(&server.authorization(client, &[]), "ada").await;
    query_of(answer.location(), "session_state").unwrap_or_else(|| panic!("none: {answer:?}"))
}

on_both! {
    /// oidcc-session-management-rp-initiated-logout
    async fn session_state_is_unchanged_until_somebody_signs_in_or_out(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        server.user("bob").await;
        let mut browser = server.browser();
        let origin = "https://app.example";
        let first = authorize(&mut browser, &server, &client).await;
        let second = authorize(&mut browser, &server, &client).await;
        assert_ne!(first, second, "the salt is another");
        for state in [&first, &second] {
            assert_eq!(judge(&browser, &client, origin, state), "unchanged");
            assert_eq!(judge(&browser, &client, "https://evil.example", state), "changed");
        }
        // The same user proves again who they are: nothing has changed for anybody.
        let page = browser.get(&server.authorization(&client, &[("prompt", "login")])).await;
        let page = browser.follow(page).await;
        browser.sign_in(&page, "ada", PASSWORD).await;
        assert_eq!(judge(&browser, &client, origin, &first), "unchanged");
        let page = browser.get(&server.authorization(&client, &[("prompt", "login")])).await;
        let page = browser.follow(page).await;
        browser.sign_in(&page, "bob", PASSWORD).await;
        assert_eq!(judge(&browser, &client, origin, &first), "changed");
        let bobs = authorize(&mut browser, &server, &client).await;
        assert_eq!(judge(&browser, &client, origin, &bobs), "unchanged");
        let csrf = hidden(&browser.get("/logout").await, "csrf");
        browser.post("/logout", &[("csrf", &csrf), ("decision", "sign_out")]).await;
        assert_eq!(judge(&browser, &client, origin, &bobs), "changed");
    }

    async fn the_cookie_is_for_scripts_in_frames_and_tells_them_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let entered = browser.enter("ada").await;
        let cookies = entered.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let [cookie] = &cookies.filter(|cookie| cookie.starts_with(STATE)).collect::<Vec<_>>()[..] else {
            panic!("{entered:?}")
        };
        assert!(cookie.ends_with("; Path=/; SameSite=None; Secure; Max-Age=1209600"), "{cookie}");
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let sid = text(&crate::support::claims_of(&text(&tokens, "id_token")), "sid");
        assert!(!cookie.contains(&sid));
        // It is nobody's session.
        let state = browser.cookies[STATE].clone();
        let mut thief = server.browser();
        thief.cookies.insert("__Host-session".to_owned(), state);
        assert_eq!(thief.signed_in_as().await, None);
    }

    async fn a_browser_that_lost_the_cookie_gets_it_again_with_the_next_answer(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        authorize(&mut browser, &server, &client).await;
        let before = browser.cookies.remove(STATE);
        let state = authorize(&mut browser, &server, &client).await;
        assert_eq!(browser.cookies.get(STATE), before.as_ref());
        assert_eq!(judge(&browser, &client, "https://app.example", &state), "unchanged");
        let answer = browser.get(&server.authorization(&client, &[])).await;
        assert!(!answer.header("set-cookie").contains(STATE), "{answer:?}");
    }

    async fn only_openid_connect_has_a_session_state_and_only_for_web_pages(kind: Kind) {
        let server = TestServer::start(kind).await;
        let native = "com.example.app:/callback";
        let client = server.client(json!({"redirect_uris": [crate::support::REDIRECT_URI, native]})).await;
        server.user("ada").await;
        for change in [[("scope", "profile")], [("redirect_uri", native)]] {
            let answer =
                server.browser().authorize_as(&server.authorization(&client, &change), "ada").await;
            assert!(answer.location().contains("code="), "{answer:?}");
            assert_eq!(query_of(answer.location(), "session_state"), None);
        }
    }

    async fn the_page_for_frames_may_be_framed_by_everybody_and_no_other_may(kind: Kind) {
        let server = TestServer::start(kind).await;
        let page = server.get("/check_session").await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        let policy = "default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors *";
        assert_eq!(page.header("content-security-policy"), policy);
        assert_eq!((page.header("x-frame-options"), page.header("set-cookie")), ("", ""));
        assert!(page.body.contains(&format!("data-cookie=\"{STATE}\"")), "{page:?}");
        let script = page.body.split('"').find(|part| part.starts_with("/assets/")).unwrap();
        let script = server.get(script).await;
        assert!(script.body.contains("crypto.subtle.digest"), "{script:?}");
        for path in ["/login", "/logout", "/account", "/no/such/page"] {
            let answer = server.get(path).await;
            assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        }
    }

    async fn on_plain_loopback_http_the_cookie_has_a_name_of_its_own(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__ISSUER", "http://localhost:8080")]).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let state = "chancery-state-8080";
        assert!(browser.cookies.contains_key(state) && !browser.cookies.contains_key(STATE));
        assert!(server.get("/check_session").await.body.contains(&format!("data-cookie=\"{state}\"")));
    }
}
