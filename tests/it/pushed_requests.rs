//! Pushed authorization requests (RFC 9126).

use serde_json::{Value, json};

use crate::support::authorization::{STATE, is_consent, is_sign_in};
use crate::support::{
    Answer, CHALLENGE, CLIENT_ASSERTION, Kind, PASSWORD, REDIRECT_URI, Registration, Signer, TestServer, all,
    encode, hidden, on_both, text,
};

const RIGHT: [(&str, &str); 7] = [
    ("response_type", "code"),
    ("redirect_uri", REDIRECT_URI),
    ("scope", "openid profile email offline_access"),
    ("state", STATE),
    ("nonce", "n-0S6_WzA2Mj"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// The parameters of a right request with some replaced; an empty value takes one away.
fn with<'a>(change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form: Vec<(&str, &str)> = RIGHT.to_vec();
    for (name, value) in change {
        form.retain(|(known, _)| known != name);
        if !value.is_empty() {
            form.push((name, value));
        }
    }
    form
}

async fn push(server: &TestServer, client: &Registration, change: &[(&str, &str)]) -> Answer {
    server.post_as(client, "/par", &with(change)).await
}

/// The authorization request that uses what was pushed.
fn path(client: &Registration, request_uri: &str) -> String {
    format!("/authorize?{}", encode(&[("client_id", client.id.as_str()), ("request_uri", request_uri)]))
}

async fn pushed(server: &TestServer, client: &Registration, change: &[(&str, &str)]) -> String {
    let answer = push(server, client, change).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    text(&answer.json(), "request_uri")
}

async fn start(kind: Kind, change: Value) -> (TestServer, Registration) {
    let server = TestServer::start(kind).await;
    server.user("ada").await;
    let client = server.client(change).await;
    (server, client)
}

on_both! {
    async fn a_pushed_request_leads_to_a_code(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let answer = push(&server, &client, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (201, "no-store"), "{answer:?}");
        let answer = answer.json();
        assert_eq!(answer["expires_in"], 90);
        let uri = text(&answer, "request_uri");
        assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:cy_pr_"), "{uri}");
        let answer = server.browser().authorize_as(&path(&client, &uri), "ada").await;
        assert_eq!(answer.returned("state").as_deref(), Some(STATE));
        assert_eq!(server.redeem(&client, &answer.returned("code").unwrap()).await.status, 200);
    }

    async fn the_same_browser_opens_it_again_until_somebody_has_signed_in_for_it(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let uri = pushed(&server, &client, &[]).await;
        let mut browser = server.browser();
        let first = browser.get(&path(&client, &uri)).await;
        let page = browser.follow(first).await;
        assert!(is_sign_in(&page), "{page:?}");
        let login = format!("/login?request={}", hidden(&page, "request"));
        assert!(is_sign_in(&browser.get(&login).await));
        // A reload, a second click: the same request goes on.
        let again = browser.get(&path(&client, &uri)).await;
        let page = browser.follow(again).await;
        assert_eq!(format!("/login?request={}", hidden(&page, "request")), login);
        // Another browser: it is not theirs.
        server.get(&path(&client, &uri)).await.assert_page_error(400);
        server.browser().get(&login).await.assert_page_error(400);
        // The pages wait longer than the address did, and opening it again prolongs nothing.
        server.advance(1000);
        assert!(browser.get(&path(&client, &uri)).await.location().contains("/login?request="));
        server.advance(799);
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        let page = browser.follow(answer).await;
        browser.get(&path(&client, &uri)).await.assert_page_error(400);
        assert!(browser.decide(&page, "allow").await.returned("code").is_some());
        browser.get(&path(&client, &uri)).await.assert_page_error(400);
    }

    async fn opening_it_again_prolongs_nothing(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let uri = pushed(&server, &client, &[]).await;
        let mut browser = server.browser();
        browser.get(&path(&client, &uri)).await;
        for seconds in [900, 899] {
            server.advance(seconds);
            assert!(browser.get(&path(&client, &uri)).await.location().contains("/login?request="));
        }
        server.advance(1);
        browser.get(&path(&client, &uri)).await.assert_page_error(400);
    }

    async fn it_is_not_opened_again_after_its_answer_whatever_that_was(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        // Somebody who is signed in already comes to the question, twice, and says no.
        let uri = pushed(&server, &client, &[]).await;
        for _ in 0..2 {
            let answer = browser.get(&path(&client, &uri)).await;
            assert!(is_consent(&browser.follow(answer).await));
        }
        let answer = browser.get(&path(&client, &uri)).await;
        let page = browser.follow(answer).await;
        browser.decide(&page, "deny").await.assert_redirect_error("access_denied");
        browser.get(&path(&client, &uri)).await.assert_page_error(400);
        // An error.
        let uri = pushed(&server, &client, &[("prompt", "none")]).await;
        browser.get(&path(&client, &uri)).await.assert_redirect_error("consent_required");
        browser.get(&path(&client, &uri)).await.assert_page_error(400);
        // A code, by a form and without one.
        let uri = pushed(&server, &client, &[]).await;
        assert!(browser.authorize_as(&path(&client, &uri), "ada").await.returned("code").is_some());
        browser.get(&path(&client, &uri)).await.assert_page_error(400);
        let uri = pushed(&server, &client, &[]).await;
        assert!(browser.get(&path(&client, &uri)).await.returned("code").is_some());
        browser.get(&path(&client, &uri)).await.assert_page_error(400);
    }

    async fn one_of_forty_uses_it(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let uri = pushed(&server, &client, &[]).await;
        let path = path(&client, &uri);
        let answers = all((0..40).map(|_| server.get(&path)).collect()).await;
        let won = answers.iter().filter(|answer| answer.location().contains("/login?request=")).count();
        assert_eq!(won, 1);
        for answer in answers.iter().filter(|answer| answer.location().is_empty()) {
            answer.assert_page_error(400);
        }
    }

    async fn it_expires_and_belongs_to_its_client(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let other = server.client(json!({})).await;
        let uri = pushed(&server, &client, &[]).await;
        server.get(&path(&other, &uri)).await.assert_page_error(400);
        let wrong = format!("{}AAAA", &uri[..uri.len() - 4]);
        server.get(&path(&client, &wrong)).await.assert_page_error(400);
        server.get(&path(&client, "urn:ietf:params:oauth:request_uri:x")).await.assert_page_error(400);
        server.advance(90);
        server.get(&path(&client, &uri)).await.assert_page_error(400);
        let late = pushed(&server, &client, &[]).await;
        server.advance(89);
        assert!(server.get(&path(&client, &late)).await.location().contains("/login?request="));
    }

    async fn what_nobody_came_for_is_purged_when_it_expires(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        pushed(&server, &client, &[]).await;
        server.advance(89);
        server.app.storage.purge(server.app.now()).await.unwrap();
        assert_eq!(server.number("SELECT COUNT(*) FROM authorization_requests").await, 1);
        server.advance(1);
        server.app.storage.purge(server.app.now()).await.unwrap();
        assert_eq!(server.number("SELECT COUNT(*) FROM authorization_requests").await, 0);
    }

    async fn only_what_was_pushed_counts(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let uri = pushed(&server, &client, &[("prompt", "none")]).await;
        let beside = encode(&[("redirect_uri", "https://evil.example/"), ("state", "evil"), ("prompt", "login")]);
        let answer = server.get(&format!("{}&{beside}", path(&client, &uri))).await;
        answer.assert_redirect_error("login_required");
        assert_eq!(answer.returned("state").as_deref(), Some(STATE));
    }

    async fn a_request_is_checked_when_it_is_pushed(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let uri = "urn:ietf:params:oauth:request_uri:x";
        for (change, code) in [
            (("redirect_uri", "https://evil.example/"), "invalid_request"),
            (("scope", "admin"), "invalid_scope"),
            (("response_type", "token"), "unsupported_response_type"),
            (("response_type", ""), "invalid_request"),
            (("code_challenge", ""), "invalid_request"),
            (("prompt", "none login"), "invalid_request"),
            (("response_mode", "web_message"), "invalid_request"),
            (("resource", "not a uri"), "invalid_target"),
            (("request_uri", uri), "invalid_request"),
            (("request_uri", "https://app.example/request"), "invalid_request"),
            (("request", "x"), "invalid_request_object"),
        ] {
            push(&server, &client, &[change]).await.assert_error(400, code);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM authorization_requests").await, 0);
    }

    async fn the_client_authenticates_as_at_the_token_endpoint(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let wrong = Registration { id: client.id.clone(), secret: "wrong".to_owned() };
        push(&server, &wrong, &[]).await.assert_invalid_client();
        server.post_public(&client, "/par", &with(&[])).await.assert_invalid_client();
        let public = server.public_client().await;
        assert_eq!(server.post_public(&public, "/par", &with(&[])).await.status, 201);
        let signer = Signer::new("ES256");
        let keyed = server.client_with_keys(&signer, json!({})).await;
        // draft-ietf-oauth-rfc7523bis takes back what RFC 9126 2 says of other audiences than the issuer.
        let claims = server.assertion_claims(&keyed.id, &keyed.id, json!({"aud": "https://id.example/par"}));
        let assertion = signer.sign(&claims);
        let form = with(&[("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", &assertion)]);
        server.post("/par", &[], &form).await.assert_invalid_client();
        server.change_client(&keyed, json!({"assertion_audience": "issuer_or_token_endpoint"})).await;
        for audience in ["https://id.example", "https://id.example/token", "https://id.example/par"] {
            let claims = server.assertion_claims(&keyed.id, &keyed.id, json!({"aud": audience}));
            let assertion = signer.sign(&claims);
            let form = with(&[("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", &assertion)]);
            assert_eq!(server.post("/par", &[], &form).await.status, 201, "{audience}");
            server.post("/par", &[], &form).await.assert_invalid_client();
        }
        let claims = server.assertion_claims(&keyed.id, &keyed.id, json!({"aud": "https://id.example/par"}));
        server.ask_with(&signer.sign(&claims), &[]).await.assert_invalid_client();
        let get = server.get("/par").await;
        assert_eq!(get.status, 405);
    }

    async fn pushing_can_be_required_of_a_client_and_of_all(kind: Kind) {
        let (server, client) = start(kind, json!({"require_pushed_authorization_requests": true})).await;
        server.get(&server.authorization(&client, &[])).await.assert_redirect_error("invalid_request");
        let uri = pushed(&server, &client, &[]).await;
        assert!(server.get(&path(&client, &uri)).await.location().contains("/login?request="));
        let required = [("AUTHORIZATION__REQUIRE_PUSHED_AUTHORIZATION_REQUESTS", "true")];
        let strict = TestServer::start_with(kind, &required).await;
        let client = strict.client(json!({})).await;
        strict.get(&strict.authorization(&client, &[])).await.assert_redirect_error("invalid_request");
        let uri = pushed(&strict, &client, &[]).await;
        assert!(strict.get(&path(&client, &uri)).await.location().contains("/login?request="));
        let document = strict.get("/.well-known/openid-configuration").await.json();
        assert_eq!(document["require_pushed_authorization_requests"], true);
    }

    async fn a_redirect_uri_that_was_taken_away_meanwhile_is_not_followed(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let uri = pushed(&server, &client, &[]).await;
        server.change_client(&client, json!({"redirect_uris": ["https://other.example/"]})).await;
        server.get(&path(&client, &uri)).await.assert_page_error(400);
    }

    async fn pushing_takes_one_write_and_using_it_two_statements_more(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let mut browser = server.browser();
        browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        let (statements, answer) = server.statements(push(&server, &client, &[])).await;
        assert_eq!((statements, answer.status.as_u16()), (1, 201));
        let uri = text(&answer.json(), "request_uri");
        let (statements, answer) = server.statements(browser.get(&path(&client, &uri))).await;
        assert!(answer.returned("code").is_some(), "{answer:?}");
        assert_eq!(statements, kind.with_an_entry(5));
        let (statements, answer) = server.statements(browser.get(&path(&client, "urn:ietf:params:oauth:request_uri:x"))).await;
        answer.assert_page_error(400);
        assert_eq!(statements, 0);
    }
}
