//! Applications that registered themselves lead nobody anywhere before a person has seen where (RFC 9700 4.11.2).

use serde_json::json;

use crate::support::authorization::{STATE, is_consent};
use crate::support::{
    Answer, Kind, REDIRECT_URI, Registration, TestServer, encode, hidden, on_both, registration_of, text,
};

const BYE: &str = "https://app.example/bye";
const ELSEWHERE: &str = "https://elsewhere.example/bye";

async fn start(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &[crate::support::OPEN]).await;
    server.user("ada").await;
    let members =
        json!({"token_endpoint_auth_method": "none", "post_logout_redirect_uris": [BYE, ELSEWHERE]});
    let registered = server.register(members).await;
    (server, registration_of(&registered.json()))
}

/// A page that names where the application wants to lead, and a way there that takes a person.
#[track_caller]
fn assert_asked(answer: &Answer, host: &str, way: &str) {
    assert_eq!(answer.location(), "", "{answer:?}");
    assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
    assert!(answer.body.contains(&format!("It wants to send you to <bdi>{host}</bdi>.")), "{answer:?}");
    assert!(answer.body.contains(way), "{way} in {answer:?}");
    for by_itself in ["data-continue", "by-itself"] {
        assert!(!answer.body.contains(by_itself), "{answer:?}");
    }
}

on_both! {
    async fn an_error_of_an_unknown_application_is_a_page_that_names_where_it_leads(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut signed_in = server.browser();
        signed_in.enter("ada").await;
        for (change, code) in [
            (("scope", "openid nonsense"), "invalid_scope"),
            (("response_type", "bogus"), "unsupported_response_type"),
            (("prompt", "x"), "invalid_request"),
            (("prompt", "none"), "login_required"),
        ] {
            let answer = server.get(&server.authorization(&client, &[("scope", "openid"), change])).await;
            answer.assert_asks_before_redirect(REDIRECT_URI, code);
            assert_asked(&answer, "app.example", "href=");
            assert!(answer.body.contains(&format!("state={STATE}")), "{answer:?}");
            // Somebody is signed in, who has never allowed it.
            let answer = signed_in.get(&server.authorization(&client, &[("scope", "openid"), change])).await;
            assert_asked(&answer, "app.example", &format!("href=\"{REDIRECT_URI}?error="));
        }
        let change = [("scope", "openid"), ("prompt", "none"), ("response_mode", "form_post")];
        let answer = server.get(&server.authorization(&client, &change)).await;
        assert_asked(&answer, "app.example", &format!("<form method=\"post\" action=\"{REDIRECT_URI}\" class=\"away\">"));
        assert_eq!(answer.returned("error").as_deref(), Some("login_required"));
    }

    async fn in_a_frame_which_leads_nobody_anywhere_it_is_told_at_once(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut browser = server.browser();
        browser.headers.push(("sec-fetch-dest", "iframe".to_owned()));
        let answer = browser.get(&server.authorization(&client, &[("scope", "openid"), ("prompt", "none")])).await;
        answer.assert_redirect_error("login_required");
    }

    async fn whoever_has_allowed_it_is_led_back_as_ever(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut browser = server.browser();
        let bad = server.authorization(&client, &[("scope", "openid nonsense")]);
        assert_asked(&browser.get(&bad).await, "app.example", "href=");
        let answer = browser.get(&server.authorization(&client, &[("scope", "openid")])).await;
        let login = browser.follow(answer).await;
        assert!(login.body.contains("app.example"), "{login:?}");
        let answer = browser.sign_in(&login, "ada", crate::support::PASSWORD).await;
        let consent = browser.follow(answer).await;
        assert!(is_consent(&consent) && consent.body.contains("app.example"), "{consent:?}");
        // A no, at a page that names the place, goes back too.
        browser.decide(&consent, "deny").await.assert_redirect_error("access_denied");
        assert_asked(&browser.get(&bad).await, "app.example", "href=");
        let good = server.authorization(&client, &[("scope", "openid")]);
        assert!(browser.authorize_as(&good, "ada").await.returned("code").is_some());
        browser.get(&bad).await.assert_redirect_error("invalid_scope");
        let silent = [("scope", "openid email"), ("prompt", "none")];
        browser.get(&server.authorization(&client, &silent)).await.assert_redirect_error("consent_required");
        // Somebody else is not.
        assert_asked(&server.get(&bad).await, "app.example", "href=");
        // Nor is the same person when the consent is taken back.
        let page = browser.get("/account").await;
        browser.post("/account/apps/revoke", &[("csrf", &hidden(&page, "csrf")), ("client_id", &client.id)]).await;
        assert_asked(&browser.get(&bad).await, "app.example", "href=");
    }

    async fn after_sign_out_a_person_goes_on_by_themselves_to_what_they_have_not_seen(kind: Kind) {
        let (server, client) = start(kind).await;
        let leave = |uri: &str| {
            format!("/logout?{}", encode(&[("client_id", &*client.id), ("post_logout_redirect_uri", uri), ("state", "s")]))
        };
        for (uri, host) in [(BYE, "app.example"), (ELSEWHERE, "elsewhere.example")] {
            let answer = server.get(&leave(uri)).await;
            assert_asked(&answer, host, &format!("href=\"{uri}?state=s\""));
        }
        for (uri, is_known) in [(BYE, true), (ELSEWHERE, false)] {
            let mut browser = server.browser();
            let tokens = browser.tokens(&client, "ada", &[("scope", "openid")]).await;
            let path = format!("{}&id_token_hint={}", leave(uri), text(&tokens, "id_token"));
            let answer = browser.get(&path).await;
            match is_known {
                true => assert_eq!(answer.location(), format!("{uri}?state=s"), "{answer:?}"),
                false => assert_asked(&answer, "elsewhere.example", &format!("href=\"{uri}?state=s\"")),
            }
            // Nobody is signed in any more, so nobody is known to have seen it.
            assert_asked(&browser.get(&path).await, if is_known { "app.example" } else { "elsewhere.example" }, uri);
        }
    }

    async fn the_account_page_names_where_an_unknown_application_is_started(kind: Kind) {
        let server = TestServer::start_with(kind, &[crate::support::OPEN]).await;
        server.user("ada").await;
        let members = json!({"initiate_login_uri": "https://start.example/go"});
        let own = server.client(members.clone()).await;
        let client = registration_of(&server.register(members).await.json());
        let mut browser = server.browser();
        for client in [&own, &client] {
            browser.authorize_as(&server.authorization(client, &[("scope", "openid")]), "ada").await;
        }
        let page = browser.get("/account").await;
        assert_eq!(page.body.matches("https://start.example/go").count(), 2, "{page:?}");
        assert_eq!(page.body.matches("<bdi class=\"quiet\">start.example</bdi>").count(), 1, "{page:?}");
    }
}
