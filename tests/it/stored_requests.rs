//! What strangers can have stored: requests that wait for somebody, and sign-ins of one account.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::json;

use crate::device::{self, device_client};
use crate::support::authorization::{assert_accepted, is_sign_in};
use crate::support::{
    Answer, CHALLENGE, PASSWORD, REDIRECT_URI, TestServer, assert_told, encode, on_both, text,
};

const PROXIED: (&str, &str) = ("SERVER__TRUSTED_PROXIES", "0.0.0.0/0");
const STORED: &str = "SELECT COUNT(*) FROM authorization_requests";
const HOUR: i64 = 3600;

/// Seconds that an authorization request waits.
const WAITS: i64 = 1800;

fn limits<'a>(per_address: &'a str, per_client: &'a str) -> [(&'a str, &'a str); 3] {
    [
        PROXIED,
        ("AUTHORIZATION__MAX_WAITING_PER_ADDRESS", per_address),
        ("AUTHORIZATION__MAX_WAITING_PER_CLIENT", per_client),
    ]
}

async fn get_from(server: &TestServer, address: &str, path: &str) -> Answer {
    server.send(Request::get(path).header("x-forwarded-for", address).body(Body::empty()).unwrap()).await
}

#[track_caller]
fn assert_no_place(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    assert_eq!(answer.header(header::RETRY_AFTER), "900");
}

on_both! {
    async fn an_address_has_so_many_requests_wait_and_another_is_served(kind: Kind) {
        let server = TestServer::start_with(kind, &limits("5", "5")).await;
        let client = server.client(json!({})).await;
        let path = server.authorization(&client, &[]);
        for _ in 0..5 {
            assert_accepted(&get_from(&server, "2001:db8::1", &path).await);
        }
        let refused = get_from(&server, "2001:db8::2", &path).await;
        assert_no_place(&refused);
        assert!(refused.body.contains("<h1"), "a page says so: {refused:?}");
        assert_eq!(server.number(STORED).await, 5);
        assert_accepted(&get_from(&server, "2001:db8:0:1::1", &path).await);
        server.advance(900);
        assert_accepted(&get_from(&server, "2001:db8::1", &path).await);
    }

    async fn a_request_that_somebody_signed_in_for_counts_no_more(kind: Kind) {
        let server = TestServer::start_with(kind, &limits("1", "1")).await;
        server.user("ada").await;
        let client = server.client(json!({})).await;
        let path = server.authorization(&client, &[]);
        for _ in 0..3 {
            // With a new session, and with a live one that is asked for its consent only.
            let mut browser = server.browser();
            let first = browser.get(&path).await;
            let page = browser.follow(first).await;
            assert!(is_sign_in(&page), "{page:?}");
            assert_no_place(&server.get(&path).await);
            let answer = browser.sign_in(&page, "ada", PASSWORD).await;
            let page = browser.follow(answer).await;
            let answer = if page.body.contains("name=\"decision\"") { browser.decide(&page, "allow").await } else { page };
            assert!(answer.returned("code").is_some(), "{answer:?}");
            let again = browser.authorize_as(&server.authorization(&client, &[("prompt", "consent")]), "ada").await;
            assert!(again.returned("code").is_some(), "{again:?}");
        }
    }

    async fn what_the_database_did_not_take_counts_no_more(kind: Kind) {
        let server = TestServer::start_with(kind, &limits("2", "2")).await;
        let client = server.client(json!({})).await;
        let path = server.authorization(&client, &[]);
        server.sql("ALTER TABLE authorization_requests RENAME TO away").await;
        for _ in 0..5 {
            get_from(&server, "192.0.2.1", &path).await.assert_page_error(500);
        }
        server.sql("ALTER TABLE away RENAME TO authorization_requests").await;
        for _ in 0..2 {
            assert_accepted(&get_from(&server, "192.0.2.1", &path).await);
        }
        assert_no_place(&get_from(&server, "192.0.2.1", &path).await);
    }

    async fn a_client_pushes_so_many_requests_and_one_that_is_used_counts_no_more(kind: Kind) {
        let server = TestServer::start_with(kind, &limits("2", "3")).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        let form = [
            ("response_type", "code"), ("redirect_uri", REDIRECT_URI), ("scope", "openid"),
            ("code_challenge", CHALLENGE), ("code_challenge_method", "S256"),
        ];
        let mut uris = Vec::new();
        for _ in 0..3 {
            server.post_as(&client, "/par", &[("response_type", "magic")]).await.assert_error(400, "unsupported_response_type");
            uris.push(text(&server.post_as(&client, "/par", &form).await.json(), "request_uri"));
        }
        let refused = server.post_as(&client, "/par", &form).await;
        refused.assert_error(429, "temporarily_unavailable");
        assert_no_place(&refused);
        assert_eq!(server.post_as(&other, "/par", &form).await.status, 201);
        let path = format!("/authorize?{}", encode(&[("client_id", client.id.as_str()), ("request_uri", &uris[0])]));
        assert_accepted(&get_from(&server, "192.0.2.1", &path).await);
        assert_eq!(server.post_as(&client, "/par", &form).await.status, 201);
        // One that cannot be used takes no place of whoever tries.
        for _ in 0..3 {
            get_from(&server, "192.0.2.1", &path).await.assert_page_error(400);
        }
    }

    async fn for_a_public_client_its_address_counts_so_that_nobody_stops_it(kind: Kind) {
        let server = TestServer::start_with(kind, &limits("2", "100")).await;
        let client = server.public_client().await;
        let push = async |address: &str| {
            let form = [
                ("client_id", client.id.as_str()), ("response_type", "code"), ("redirect_uri", REDIRECT_URI),
                ("scope", "openid"), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256"),
            ];
            server.post("/par", &[("x-forwarded-for", address)], &form).await
        };
        for expected in [201, 201, 429, 429] {
            assert_eq!(push("192.0.2.1").await.status, expected);
        }
        assert_eq!(push("192.0.2.2").await.status, 201);
    }

    async fn device_authorizations_are_bounded_and_an_approved_one_counts_no_more(kind: Kind) {
        let server = TestServer::start_with(kind, &limits("100", "2")).await;
        server.user("ada").await;
        let client = device_client(&server, json!({})).await;
        let started = device::start(&server, &client).await;
        device::start(&server, &client).await;
        assert_no_place(&server.post_as(&client, "/device_authorization", &[("scope", "openid")]).await);
        let mut browser = server.browser();
        let page = device::type_code(&mut browser, "ada", &text(&started, "user_code")).await;
        device::decide(&mut browser, &page, "allow").await;
        device::start(&server, &client).await;
    }

    async fn a_request_that_nobody_signed_in_for_is_removed_an_hour_after_it_expired(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({})).await;
        assert_accepted(&server.get(&server.authorization(&client, &[])).await);
        server.code(&client, "ada", &[]).await;
        server.advance(WAITS + HOUR - 1);
        assert_eq!(server.app.remove_expired().await.unwrap().requests, 0);
        server.advance(1);
        assert_eq!(server.app.remove_expired().await.unwrap().requests, 1);
        assert_eq!(server.number(STORED).await, 1, "the one that was answered");
        server.advance(23 * HOUR);
        assert_eq!(server.app.remove_expired().await.unwrap().requests, 1);
    }

    async fn an_expired_request_starts_again_within_the_hour(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({})).await;
        let mut browser = server.browser();
        let first = browser.get(&server.authorization(&client, &[])).await;
        let path = first.location().trim_start_matches(server.issuer()).to_owned();
        server.advance(WAITS + HOUR - 1);
        server.app.remove_expired().await.unwrap();
        let again = browser.get(&path).await;
        assert!(is_sign_in(&browser.follow(again).await));
    }

    async fn a_request_is_kept_up_to_a_size(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let ask = async |bytes: usize| server.get(&server.authorization(&client, &[("x", &"x".repeat(bytes))])).await;
        assert_accepted(&ask(15_000).await);
        let refused = ask(16_384).await;
        refused.assert_redirect_error("invalid_request");
        assert!(refused.returned("state").is_some() && refused.location().contains("16384"), "{refused:?}");
    }

    async fn of_too_many_sign_ins_of_a_user_the_one_used_the_longest_ago_ends(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SESSIONS__MAX_PER_USER", "3")]).await;
        let (ada, _) = (server.user("ada").await, server.user("bob").await);
        let mut bob = server.browser();
        bob.enter("bob").await;
        let mut browsers = Vec::new();
        for _ in 0..3 {
            let mut browser = server.browser();
            browser.enter("ada").await;
            server.advance(1000);
            browsers.push(browser);
        }
        // The first was used since, so the second goes.
        assert!(browsers[0].signed_in_as().await.is_some());
        server.advance(1);
        let (told, ()) = server.told(async {
            let mut last = server.browser();
            last.enter("ada").await;
            assert!(last.signed_in_as().await.is_some());
        })
        .await;
        assert_told(&told, &[
            json!({"event": "sign_in.succeeded", "user": ada.id}),
            json!({"event": "session.ended", "user": ada.id, "reason": "too_many"}),
        ]);
        assert!(browsers[0].signed_in_as().await.is_some());
        assert!(browsers[1].signed_in_as().await.is_none());
        assert!(browsers[2].signed_in_as().await.is_some() && bob.signed_in_as().await.is_some());
        for _ in 0..20 {
            server.browser().enter("ada").await;
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 4);
    }
}
