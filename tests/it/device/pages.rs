//! What the person sees and decides on another device.

use super::*;

on_both! {
    async fn fc_18_the_user_types_the_code_on_another_device_and_grants_what_the_page_shows(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        let mut browser = server.browser();
        let page = type_code(&mut browser, "ada", &text(&started, "user_code")).await;
        assert_eq!(page.status, 200, "{page:?}");
        for shown in ["Television", &text(&started, "user_code"), "See your name", "a moment ago", "ada"] {
            assert!(page.body.contains(shown), "{shown}: {page:?}");
        }
        poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
        let done = decide(&mut browser, &page, "allow").await;
        assert!(done.status == 200 && done.body.contains("Your device is connected"), "{done:?}");
        assert_eq!(poll(&server, &client, &started).await.status, 200);
    }

    async fn the_page_shows_where_the_request_came_from(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__TRUSTED_PROXIES", "0.0.0.0/32")]).await;
        server.user("ada").await;
        let client = device_client(&server, json!({"token_endpoint_auth_method": "none"})).await;
        let browser_name = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0 <script>";
        let headers = [("x-forwarded-for", "203.0.113.7"), ("user-agent", browser_name)];
        let form = [("client_id", client.id.as_str()), ("scope", SCOPE)];
        let started = server.post("/device_authorization", &headers, &form).await.json();
        server.advance(180);
        let page = type_code(&mut server.browser(), "ada", &text(&started, "user_code")).await;
        for shown in ["203.0.113.7", "Firefox on Linux", "3 minutes ago"] {
            assert!(page.body.contains(shown), "{shown}: {page:?}");
        }
        assert!(!page.body.contains("<script>"));
    }

    async fn a_user_code_is_forgiving_to_type(kind: Kind) {
        let (server, client) = ready(kind).await;
        let code = text(&start(&server, &client).await, "user_code");
        let mut browser = server.browser();
        for typed in [code.to_lowercase(), code.replace('-', ""), format!("  {} ", code.replace('-', " "))] {
            assert_eq!(type_code(&mut browser, "ada", &typed).await.status, 200, "{typed}");
        }
    }

    async fn a_wrong_used_or_expired_code_all_look_the_same(kind: Kind) {
        let (server, client) = ready(kind).await;
        let mut browser = server.browser();
        let (used, late) = (start(&server, &client).await, start(&server, &client).await);
        answer(&mut browser, "ada", &used, "deny").await;
        let mut pages = vec![
            type_code(&mut browser, "ada", "BBBB-BBBB").await,
            type_code(&mut browser, "ada", "no code at all").await,
            type_code(&mut browser, "ada", &text(&used, "user_code")).await,
        ];
        server.advance(600);
        pages.push(type_code(&mut browser, "ada", &text(&late, "user_code")).await);
        for page in pages {
            assert_eq!(page.status, 422, "{page:?}");
            assert!(page.body.contains("not right, or no longer valid"), "{page:?}");
        }
        let empty = type_code(&mut browser, "ada", " ").await;
        assert!(empty.status == 422 && !empty.body.contains("not right"), "{empty:?}");
    }

    async fn after_ten_wrong_codes_a_person_waits_for_each_more(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        let (right, wrong) = (text(&started, "user_code"), "BBBB-BBBB");
        let mut browser = server.browser();
        for _ in 0..10 {
            assert_eq!(type_code(&mut browser, "ada", wrong).await.status, 422);
        }
        let refused = type_code(&mut browser, "ada", &right).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "90"));
        assert!(refused.body.contains("You can try again in 90 seconds."), "{refused:?}");
        server.advance(89);
        assert_eq!(type_code(&mut browser, "ada", &right).await.status, 429);
        server.advance(1);
        // What is right costs nothing; what is wrong costs the same again.
        for _ in 0..3 {
            assert_eq!(type_code(&mut browser, "ada", &right).await.status, 200);
        }
        assert_eq!(type_code(&mut browser, "ada", wrong).await.status, 422);
        assert_eq!(type_code(&mut browser, "ada", &right).await.status, 429);
    }

    async fn codes_are_not_guessed_at_the_confirmation_either(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        let mut browser = server.browser();
        let csrf = hidden(&device_page(&mut browser, "/device", "ada").await, "csrf");
        let form = |code: &str| vec![("csrf", csrf.clone()), ("user_code", code.to_owned()), ("decision", "allow".into())];
        for attempt in 0..12 {
            let code = if attempt < 11 { "BBBB-BBBB".to_owned() } else { text(&started, "user_code") };
            let form = form(&code);
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let expected = if attempt < 10 { 422 } else { 429 };
            assert_eq!(browser.post("/device/confirm", &form).await.status, expected, "{attempt}");
        }
        poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
    }

    async fn a_person_signs_in_first_and_comes_back(kind: Kind) {
        let (server, _) = ready(kind).await;
        let mut browser = server.browser();
        let answer = browser.get("/device").await;
        assert_eq!(answer.location(), "https://id.example/login?return=%2Fdevice");
        let page = device_page(&mut browser, "/device", "ada").await;
        assert!(page.body.contains("name=\"user_code\""), "{page:?}");
        assert_eq!(browser.get("/login?return=%2Fdevice").await.location(), "https://id.example/device");
    }

    async fn signing_in_leads_to_pages_of_our_own_only(kind: Kind) {
        let (server, _) = ready(kind).await;
        let mut browser = server.browser();
        let page = browser.get("/login").await;
        for wrong in ["https://evil.example/", "//evil.example/device", "/logout", "device", "/device/../logout", "/devices"] {
            let csrf = hidden(&page, "csrf");
            let form = [("return", wrong), ("csrf", &csrf), ("username", "ada"), ("password", PASSWORD)];
            let answer = browser.post("/login", &form).await;
            assert_eq!(answer.location(), "https://id.example/account", "{wrong}");
            let again = browser.get(&format!("/login?{}", encode(&[("return", wrong)]))).await;
            assert_eq!(again.location(), "https://id.example/account", "{wrong}");
        }
    }

    async fn verification_uri_complete_is_given_to_clients_with_the_switch(kind: Kind) {
        let (server, _) = ready(kind).await;
        let client = device_client(&server, json!({"verification_uri_complete": true})).await;
        let started = start(&server, &client).await;
        let (link, code) = (text(&started, "verification_uri_complete"), text(&started, "user_code"));
        assert!(link.starts_with(&format!("https://id.example/device?user_code={code}&")), "{link}");
        let path = link.strip_prefix("https://id.example").unwrap();
        let mut browser = server.browser();
        // By way of the sign-in page, and again when signed in.
        for _ in 0..2 {
            let page = device_page(&mut browser, path, "ada").await;
            assert!(page.body.contains(&format!("value=\"{code}\"")), "{page:?}");
            assert!(page.body.contains("Compare this code"), "{page:?}");
        }
        poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
    }

    async fn a_link_that_this_server_did_not_make_fills_in_nothing(kind: Kind) {
        let (server, client) = ready(kind).await;
        let code = text(&start(&server, &client).await, "user_code");
        let mut browser = server.browser();
        for query in [format!("user_code={code}"), format!("user_code={code}&link={}", "A".repeat(22))] {
            let page = device_page(&mut browser, &format!("/device?{query}"), "ada").await;
            assert!(page.status == 200 && !page.body.contains(&code), "{page:?}");
            assert!(page.body.contains("Enter the code"), "{page:?}");
        }
        let returned = browser.get(&format!("/login?{}", encode(&[("return", &format!("/device?user_code={code}"))]))).await;
        assert_eq!(returned.location(), "https://id.example/device");
    }

    async fn a_person_is_asked_however_often_they_allowed_it_before(kind: Kind) {
        let (server, _) = ready(kind).await;
        let client = device_client(&server, json!({"skip_consent": true})).await;
        let mut browser = server.browser();
        tokens(&server, &client, &mut browser).await;
        let started = start(&server, &client).await;
        let page = type_code(&mut browser, "ada", &text(&started, "user_code")).await;
        assert!(page.body.contains("value=\"allow\""), "{page:?}");
        poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
    }

    async fn forms_of_other_sites_and_other_browsers_decide_nothing(kind: Kind) {
        let (server, client) = ready(kind).await;
        let code = text(&start(&server, &client).await, "user_code");
        let (mut browser, mut other) = (server.browser(), server.browser());
        let page = type_code(&mut browser, "ada", &code).await;
        let foreign = type_code(&mut other, "ada", &code).await;
        for csrf in ["", "x", &hidden(&foreign, "csrf")] {
            let form = [("csrf", csrf), ("user_code", &code), ("decision", "allow")];
            browser.post("/device/confirm", &form).await.assert_page_error(403);
            browser.post("/device", &form).await.assert_page_error(403);
        }
        browser.headers.push(("sec-fetch-site", "cross-site".to_owned()));
        decide(&mut browser, &page, "allow").await.assert_page_error(403);
        browser.headers.clear();
        decide(&mut browser, &page, "perhaps").await.assert_page_error(400);
        // Nobody signed in: to the sign-in page.
        let answer = server.browser().post("/device/confirm", &[("user_code", &code), ("decision", "allow")]).await;
        assert_eq!(answer.location(), "https://id.example/login?return=%2Fdevice");
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
    }

    async fn somebody_else_may_sign_in_to_decide(kind: Kind) {
        let (server, client) = ready(kind).await;
        let bob = server.user("bob").await;
        let started = start(&server, &client).await;
        let mut browser = server.browser();
        let page = type_code(&mut browser, "ada", &text(&started, "user_code")).await;
        let answer = decide(&mut browser, &page, "switch").await;
        assert_eq!(answer.location(), "https://id.example/select_account?return=%2Fdevice");
        let chooser = browser.follow(answer).await;
        let login = browser.use_another(&chooser).await;
        assert!(login.body.contains("to connect a device"), "{login:?}");
        browser.add("bob").await;
        self::answer(&mut browser, "bob", &started, "allow").await;
        let tokens = poll(&server, &client, &started).await.json();
        assert_eq!(claims_of(&text(&tokens, "id_token"))["sub"], bob.id.as_str());
    }

    async fn the_first_decision_counts_and_a_form_sent_twice_gets_the_same_answer(kind: Kind) {
        let (server, client) = ready(kind).await;
        server.user("bob").await;
        for (first, second) in [("allow", "deny"), ("deny", "allow")] {
            let code = text(&start(&server, &client).await, "user_code");
            let (mut browser, mut other) = (server.browser(), server.browser());
            let page = type_code(&mut browser, "ada", &code).await;
            let others = type_code(&mut other, "bob", &code).await;
            for _ in 0..2 {
                assert_eq!(decide(&mut browser, &page, first).await.status, 200);
            }
            assert_eq!(decide(&mut browser, &page, second).await.status, 422);
            assert_eq!(decide(&mut other, &others, first).await.status, 422);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
    }

    async fn a_decision_that_comes_too_late_is_none(kind: Kind) {
        let (server, client) = ready(kind).await;
        let started = start(&server, &client).await;
        let mut browser = server.browser();
        let page = type_code(&mut browser, "ada", &text(&started, "user_code")).await;
        server.advance(600);
        assert_eq!(decide(&mut browser, &page, "allow").await.status, 422);
        poll(&server, &client, &started).await.assert_error(400, "expired_token");
    }
}
