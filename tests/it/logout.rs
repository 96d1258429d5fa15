//! Sign-out (OpenID Connect RP-Initiated Logout 1.0).

use axum::http::StatusCode;
use chancery::keys::TokenType;
use chancery::model::Algorithm;
use serde_json::json;

use crate::support::{Answer, Browser, REDIRECT_URI, START, TestServer, claims_of, encode, hidden, on_both};

const BYE: &str = "https://app.example/bye";

fn path(parameters: &[(&str, &str)]) -> String {
    format!("/logout?{}", encode(parameters))
}

/// Asserts that the page asks before anything happens.
#[track_caller]
fn assert_asks(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(
        answer.body.contains("Sign out of Chancery?") && answer.body.contains("name=\"decision\""),
        "{answer:?}"
    );
}

#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.location()), (StatusCode::OK, ""), "{answer:?}");
    assert!(answer.body.contains("You are signed out"), "{answer:?}");
}

/// Sends the form of the confirmation page with all its fields.
async fn answer(browser: &mut Browser<'_>, page: &Answer, decision: &str) -> Answer {
    let csrf = hidden(page, "csrf");
    let mut form = vec![("csrf".to_owned(), csrf), ("decision".to_owned(), decision.to_owned())];
    for name in ["id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state"] {
        if page.body.contains(&format!("name=\"{name}\"")) {
            form.push((name.to_owned(), hidden(page, name)));
        }
    }
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post("/logout", &form).await
}

on_both! {
    async fn without_a_hint_the_person_is_asked(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let old = browser.cookies["__Host-session"].clone();
        for path in ["/logout", "/logout?decision=sign_out", "/logout?state=x&ui_locales=en"] {
            assert_asks(&browser.get(path).await);
        }
        let page = browser.get("/logout").await;
        let stay = answer(&mut browser, &page, "stay").await;
        assert_eq!((stay.status, stay.location()), (StatusCode::SEE_OTHER, "https://id.example/account"));
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        assert_done(&answer(&mut browser, &page, "sign_out").await);
        assert!(!browser.cookies.contains_key("__Host-session"));
        browser.cookies.insert("__Host-session".to_owned(), old);
        assert_eq!(browser.signed_in_as().await, None);
        assert_done(&browser.get("/logout").await);
    }

    async fn an_id_token_of_this_very_session_needs_no_question(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"post_logout_redirect_uris": [BYE]})).await;
        server.user("ada").await;
        for (post, expired) in [(false, false), (true, false), (false, true)] {
            let mut browser = server.browser();
            let tokens = browser.tokens(&client, "ada", &[]).await;
            // Section 2: an ID token that has expired is as good.
            server.app.clock.advance(if expired { 4000 } else { 0 });
            let hint = tokens["id_token"].as_str().unwrap();
            let form = [("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "a b&c=ü")];
            let answer =
                if post { browser.post("/logout", &form).await } else { browser.get(&path(&form)).await };
            let answer = browser.follow(answer).await;
            let expected = format!("{BYE}?state=a+b%26c%3D%C3%BC");
            assert_eq!(
                (answer.status, answer.location()),
                (StatusCode::SEE_OTHER, expected.as_str()),
                "{answer:?}"
            );
            assert!(!browser.cookies.contains_key("__Host-session"));
            assert_eq!(browser.signed_in_as().await, None);
        }
    }

    async fn a_post_from_another_site_finds_the_session_too(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let hint = tokens["id_token"].as_str().unwrap();
        // SameSite=Lax: a browser sends no cookies with it, and must not lose those it has.
        let answer =
            server.post("/logout", &[("sec-fetch-site", "cross-site")], &[("id_token_hint", hint)]).await;
        assert_eq!(answer.header("set-cookie"), "");
        assert_done(&browser.follow(answer).await);
        assert_eq!(browser.signed_in_as().await, None);
    }

    async fn a_hint_that_is_not_of_this_session_asks(kind: Kind) {
        let (server, foreign) = (TestServer::start(kind).await, TestServer::start(kind).await);
        let client = server.client(json!({"client_id": "app"})).await;
        foreign.client(json!({"client_id": "app"})).await;
        server.user("ada").await;
        server.user("bob").await;
        foreign.user("ada").await;
        let foreign_client = foreign.client(json!({})).await;
        let mut browser = server.browser();
        let own = browser.tokens(&client, "ada", &[]).await;
        let own_token = own["id_token"].as_str().unwrap();
        let (head, _) = own_token.rsplit_once('.').unwrap();
        let hints = [
            server.tokens(&client, "ada").await["id_token"].as_str().unwrap().to_owned(),
            server.tokens(&client, "bob").await["id_token"].as_str().unwrap().to_owned(),
            foreign.tokens(&foreign_client, "ada").await["id_token"].as_str().unwrap().to_owned(),
            // An access token of the very session is no ID token.
            own["access_token"].as_str().unwrap().to_owned(),
            format!("{head}.AAAA"),
            format!("{head}."),
            head.to_owned(),
            "x".to_owned(),
            "..".to_owned(),
            "ü.ü.ü".to_owned(),
        ];
        for hint in &hints {
            assert_asks(&browser.get(&path(&[("id_token_hint", hint)])).await);
        }
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        assert_done(&browser.get(&path(&[("id_token_hint", own_token)])).await);
    }

    async fn only_a_registered_address_is_returned_to(kind: Kind) {
        let server = TestServer::start(kind).await;
        let uris = [BYE, "https://app.example/bye?x=1"];
        let client = server.client(json!({"post_logout_redirect_uris": uris})).await;
        let other = server.client(json!({})).await;
        for uri in [
            "https://app.example/bye/",
            "https://app.example/bye?",
            "https://app.example/bye#x",
            "https://evil.example/bye",
            "https://APP.example/bye",
            "https://app.example:443/bye",
            "https://app.example/x/../bye",
            "//app.example/bye",
            "https://app.example/bye?x=2",
            "javascript:alert(1)",
            "https://app.example@evil.example/bye",
            REDIRECT_URI,
        ] {
            assert_done(
                &server.get(&path(&[("client_id", &client.id), ("post_logout_redirect_uri", uri)])).await,
            );
        }
        for id in ["", "unknown", &other.id] {
            assert_done(&server.get(&path(&[("client_id", id), ("post_logout_redirect_uri", BYE)])).await);
        }
        for (uri, state, expected) in [
            (BYE, "", BYE),
            (BYE, "s", "https://app.example/bye?state=s"),
            (uris[1], "", uris[1]),
            (uris[1], "s", "https://app.example/bye?x=1&state=s"),
        ] {
            let form = [("client_id", &*client.id), ("post_logout_redirect_uri", uri), ("state", state)];
            let answer = server.get(&path(&form)).await;
            assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, expected));
        }
    }

    async fn after_the_question_the_way_leads_back_to_the_application(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server
            .client(json!({"post_logout_redirect_uris": [BYE], "client_uri": "https://app.example/"}))
            .await;
        server.user("ada").await;
        let mut browser = server.browser();
        for (uri, back) in [(BYE, true), ("https://evil.example/", false)] {
            browser.enter("ada").await;
            let form = [("client_id", &*client.id), ("post_logout_redirect_uri", uri), ("state", "s\"t")];
            let page = browser.get(&path(&form)).await;
            assert_asks(&page);
            assert!(page.body.contains("<bdi>Test Application</bdi> asks you to sign out."), "{page:?}");
            let form = [("csrf", &*hidden(&page, "csrf")), ("decision", "sign_out")];
            let form = [
                &form[..],
                &[("client_id", &client.id), ("post_logout_redirect_uri", uri), ("state", "s\"t")],
            ]
            .concat();
            let done = browser.post("/logout", &form).await;
            if back {
                assert_eq!(done.location(), "https://app.example/bye?state=s%22t");
            } else {
                assert_done(&done);
                assert!(
                    done.body.contains("href=\"https://app.example/\"") && !done.body.contains("evil"),
                    "{done:?}"
                );
            }
            assert_eq!(browser.signed_in_as().await, None);
        }
    }

    async fn the_client_has_to_be_the_one_the_id_token_is_for(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let hint = tokens["id_token"].as_str().unwrap();
        for id in [other.id.as_str(), "unknown"] {
            browser.get(&path(&[("id_token_hint", hint), ("client_id", id)])).await.assert_page_error(400);
        }
        for repeated in ["id_token_hint", "client_id", "state", "post_logout_redirect_uri"] {
            browser.get(&path(&[(repeated, "a"), (repeated, "b")])).await.assert_page_error(400);
        }
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        assert_done(&browser.get(&path(&[("id_token_hint", hint), ("client_id", &client.id)])).await);
    }

    async fn what_was_not_for_offline_use_ends_with_the_session(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        let online = browser.tokens(&client, "ada", &[("scope", "openid")]).await;
        let offline = browser.tokens(&client, "ada", &[]).await;
        let elsewhere = other.tokens(&client, "ada", &[("scope", "openid")]).await;
        assert!(online["refresh_token"].is_null());
        browser.get(&path(&[("id_token_hint", online["id_token"].as_str().unwrap())])).await;
        let access = |tokens: &serde_json::Value| tokens["access_token"].as_str().unwrap().to_owned();
        assert!(!server.is_active(&client, &access(&online)).await);
        assert_eq!(
            server.get_with_token("/userinfo", &access(&online)).await.status,
            StatusCode::UNAUTHORIZED
        );
        assert!(server.is_active(&client, &access(&offline)).await);
        assert!(server.is_active(&client, &access(&elsewhere)).await);
        let refreshed = server.refresh(&client, offline["refresh_token"].as_str().unwrap()).await;
        assert_eq!(refreshed.status, StatusCode::OK);
        assert_eq!(other.signed_in_as().await.as_deref(), Some("ada"));
    }

    async fn nobody_is_signed_out_by_a_form_of_another_site(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        browser.enter("ada").await;
        other.enter("ada").await;
        let stolen = hidden(&other.get("/logout").await, "csrf");
        let own = hidden(&browser.get("/logout").await, "csrf");
        for (csrf, site) in [("", ""), ("x", ""), (&*stolen, ""), (&*own, "cross-site"), (&*own, "same-site")]
        {
            browser.headers = vec![("sec-fetch-site", site.to_owned())];
            browser.post("/logout", &[("csrf", csrf), ("decision", "sign_out")]).await.assert_page_error(403);
        }
        browser.headers.clear();
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        // The button of the account page is a form of ours.
        let csrf = hidden(&browser.get("/account").await, "csrf");
        assert_done(&browser.post("/logout", &[("csrf", &csrf), ("decision", "sign_out")]).await);
        assert_eq!(browser.signed_in_as().await, None);
        assert_eq!(other.signed_in_as().await.as_deref(), Some("ada"));
    }

    async fn the_question_is_asked_in_the_language_of_the_request(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = browser.get("/logout?ui_locales=de").await;
        assert!(page.body.contains("<html lang=\"de\"") && page.body.contains("abmelden"), "{page:?}");
        for body in ["id_token_hint=%FF", "state=%00"] {
            browser.get(&format!("/logout?{body}")).await.assert_page_error(400);
        }
    }

    async fn a_hint_that_is_not_genuine_asks_and_leads_nowhere(kind: Kind) {
        let server = TestServer::start(kind).await;
        let foreign = TestServer::start_with(kind, &[("SERVER__ISSUER", "https://other.example")]).await;
        let metadata = json!({"client_id": "app", "post_logout_redirect_uris": [BYE]});
        let client = server.client(metadata.clone()).await;
        let foreign_client = foreign.client(metadata).await;
        server.user("ada").await;
        foreign.user("ada").await;
        let foreign_token = foreign.tokens(&foreign_client, "ada").await["id_token"].as_str().unwrap().to_owned();
        for way in ["payload", "signature", "none", "issuer"] {
            let mut browser = server.browser();
            let tokens = browser.tokens(&client, "ada", &[]).await;
            let token = tokens["id_token"].as_str().unwrap();
            let parts: Vec<&str> = token.split('.').collect();
            let hint = match way {
                "payload" => format!("{}.{}.{}", parts[0], foreign_token.split('.').nth(1).unwrap(), parts[2]),
                "signature" => format!("{}.{}.{}", parts[0], parts[1], foreign_token.split('.').nth(2).unwrap()),
                "none" => format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
                _ => foreign_token.clone(),
            };
            let form = [
                ("id_token_hint", &*hint), ("client_id", &*client.id), ("post_logout_redirect_uri", BYE), ("state", "s"),
            ];
            let page = browser.get(&path(&form)).await;
            assert_asks(&page);
            assert!(page.body.contains("could not prove that it means your session"), "{way}");
            let done = answer(&mut browser, &page, "sign_out").await;
            assert_done(&done);
            assert!(done.body.contains("so you stay here") && !done.body.contains("app.example"), "{way}");
        }
    }

    async fn an_id_token_of_another_issuer_is_none_even_if_the_key_is_ours(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let mut claims = claims_of(tokens["id_token"].as_str().unwrap());
        claims["iss"] = json!("https://before.example");
        let ring = server.app.keys.ring();
        let hint = ring.sign(TokenType::IdToken, Algorithm::ES256, START, &claims).unwrap();
        assert_asks(&browser.get(&path(&[("id_token_hint", &hint)])).await);
        claims["iss"] = json!(server.issuer());
        let hint = ring.sign(TokenType::IdToken, Algorithm::ES256, START, &claims).unwrap();
        assert_done(&browser.get(&path(&[("id_token_hint", &hint)])).await);
    }

    async fn with_a_hint_only_the_addresses_of_its_own_client_are_returned_to(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"post_logout_redirect_uris": [BYE]})).await;
        let other = server.client(json!({})).await;
        server.user("ada").await;
        let hint = async |client, browser: &mut Browser<'_>| {
            browser.tokens(client, "ada", &[]).await["id_token"].as_str().unwrap().to_owned()
        };
        let mut browser = server.browser();
        let others = hint(&other, &mut browser).await;
        let mixed = [("id_token_hint", &*others), ("client_id", &*client.id), ("post_logout_redirect_uri", BYE)];
        browser.get(&path(&mixed)).await.assert_page_error(400);
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        let of_other = path(&[("id_token_hint", &others), ("post_logout_redirect_uri", BYE)]);
        for request in [of_other, String::new()] {
            let own = hint(&client, &mut browser).await;
            let added = format!("{BYE}?added=1");
            let request = match request.is_empty() {
                true => path(&[("id_token_hint", &own), ("post_logout_redirect_uri", &added)]),
                false => request,
            };
            let page = browser.get(&request).await;
            assert_done(&page);
            assert!(page.body.contains("so you stay here"), "{page:?}");
        }
    }

    async fn a_logout_hint_that_names_somebody_else_asks(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let ada = server.user("ada").await;
        for (logout_hint, asks) in
            [("bob", true), ("ada", false), ("ADA@mail.example", false), (ada.id.as_str(), false)]
        {
            let mut browser = server.browser();
            let tokens = browser.tokens(&client, "ada", &[]).await;
            let hint = tokens["id_token"].as_str().unwrap();
            let page = browser.get(&path(&[("id_token_hint", hint), ("logout_hint", logout_hint)])).await;
            match asks {
                true => assert_asks(&page),
                false => assert_done(&page),
            }
        }
    }

    async fn an_oversized_state_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"post_logout_redirect_uris": [BYE]})).await;
        for (length, status) in [(4096, 303), (4097, 400)] {
            let state = "s".repeat(length);
            let form = [("client_id", &*client.id), ("post_logout_redirect_uri", BYE), ("state", &state)];
            let answer = server.get(&path(&form)).await;
            assert_eq!(answer.status.as_u16(), status);
            assert_eq!(answer.location().is_empty(), status == 400);
        }
    }

    async fn pages_call_a_person_and_an_application_as_these_call_themselves(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({"client_name": "Calendar", "localized": {"client_name#de": "Kalender"},
            "post_logout_redirect_uris": [BYE], "client_uri": "https://app.example/"})).await;
        let mut browser = server.browser();
        browser.headers.push(("accept-language", "de".to_owned()));
        browser.enter("ada").await;
        let waiting = browser.get(&server.authorization(&client, &[("response_mode", "form_post")])).await;
        let consent = browser.follow(waiting).await;
        let asks = browser.get(&path(&[("client_id", &client.id)])).await;
        let posts = browser.decide(&consent, "allow").await;
        let out = answer(&mut browser, &asks, "sign_out").await;
        let known = [&consent, &asks];
        assert!(known.iter().all(|page| page.body.contains(">Ada Lovelace</bdi> <bdi class=\"label\">ada<")), "{known:?}");
        for page in [&consent, &asks, &posts, &out] {
            assert!(page.body.contains("Kalender") && !page.body.contains("Calendar"), "{page:?}");
        }
    }
}
