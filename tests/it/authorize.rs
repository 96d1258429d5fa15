//! The authorization endpoint (RFC 6749 3.1, 4.1; RFC 7636; RFC 9207; OpenID Connect Core 3.1.2).

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

use crate::support::authorization::{Change, STATE, ask, assert_accepted, assert_code, assert_refused};
use crate::support::{CHALLENGE, REDIRECT_URI, TestServer, encode, on_both, query_of};

/// None of these is `https://app.example/callback` or `https://app.example/a/b?x=1`.
const UNREGISTERED: &[&str] = &[
    "https://app.example",
    "https://app.example/",
    "https://app.example/callback/",
    "https://app.example/callback?",
    "https://app.example/callback?x=1",
    "https://app.example/callback#",
    "https://app.example/callback#fragment",
    "https://app.example/Callback",
    "HTTPS://app.example/callback",
    "https://APP.EXAMPLE/callback",
    "https://app.example:443/callback",
    "https://app.example:8443/callback",
    "https://app.example./callback",
    "http://app.example/callback",
    "//app.example/callback",
    "/callback",
    "https://user@app.example/callback",
    "https://app.example@evil.example/callback",
    "https://app.example:x@evil.example/callback",
    "https://app.example.evil.example/callback",
    "https://evilapp.example/callback",
    "https://evil.example/https://app.example/callback",
    "https://app.example/x/../callback",
    "https://app.example/callback/../../evil",
    "https://app.example/callback/..",
    "https://app.example/.//callback",
    "https://app.example//callback",
    "https://app.example/%63allback",
    "https://app.example%2Fcallback",
    "https://app.example/%2Fcallback",
    "https://app.example/callback%2F..%2Fevil",
    "https://app.example/callback%00",
    "https://app.example/callback\0",
    "https://app.example/callback\r\nx: y",
    " https://app.example/callback",
    "https://app.example/callback ",
    "https://app.example\\callback",
    "https://evil.example\\@app.example/callback",
    "https://аpp.example/callback",
    "https://app。example/callback",
    "https://app.example/a/b",
    "https://app.example/a/b?x=2",
    "https://app.example/a/b?x=1&y=2",
    "https://app.example/a/b?X=1",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://*.example/callback",
    "https://127.0.0.1/callback",
    "null",
];

on_both! {
    async fn without_a_known_client_there_is_a_page_and_no_redirect(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let right = server.authorization(&client, &[]);
        let long = "x".repeat(5000);
        for id in ["", "unknown", " ", "\0", "a\0b", "ü", "'; --", "../x", &long] {
            ask(&server, &client, &[("client_id", id)]).await.assert_page_error(400);
        }
        for repeated in ["&client_id=other", "&client_id="] {
            server.get(&format!("{right}{repeated}")).await.assert_page_error(400);
        }
        server.get(&format!("{right}&client_id={}", client.id)).await.assert_page_error(400);
        for path in ["/authorize", "/authorize?", "/authorize?&&=&", "/authorize?client_id"] {
            server.get(path).await.assert_page_error(400);
        }
        assert_accepted(&server.get(&right).await);
    }

    async fn a_redirect_uri_that_is_not_registered_to_the_letter_is_never_followed(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client =
            server.client(json!({"redirect_uris": [REDIRECT_URI, "https://app.example/a/b?x=1"]})).await;
        for uri in UNREGISTERED {
            ask(&server, &client, &[("redirect_uri", uri)]).await.assert_page_error(400);
        }
        let right = server.authorization(&client, &[]);
        for repeated in ["https://evil.example/", REDIRECT_URI, ""] {
            let path = format!("{right}&{}", encode(&[("redirect_uri", repeated)]));
            server.get(&path).await.assert_page_error(400);
        }
        assert_accepted(&ask(&server, &client, &[("redirect_uri", "https://app.example/a/b?x=1")]).await);
    }

    async fn without_openid_a_redirect_uri_may_be_left_out_where_exactly_one_is_registered(kind: Kind) {
        let server = TestServer::start(kind).await;
        let one = server.client(json!({})).await;
        let left_out: Change<'_> = &[("redirect_uri", ""), ("prompt", "none"), ("scope", "read")];
        ask(&server, &one, left_out).await.assert_redirect_error("login_required");
        let two = server.client(json!({"redirect_uris": [REDIRECT_URI, "https://app.example/2"]})).await;
        let none = server.client(json!({"redirect_uris": []})).await;
        for client in [&two, &none] {
            ask(&server, client, left_out).await.assert_page_error(400);
        }
        ask(&server, &none, &[]).await.assert_page_error(400);
        for scope in ["openid", "read openid"] {
            ask(&server, &one, &[("redirect_uri", ""), ("scope", scope)]).await.assert_page_error(400);
        }
    }

    async fn the_port_is_free_for_loopback_addresses_and_for_nothing_else(kind: Kind) {
        let server = TestServer::start(kind).await;
        let uris =
            ["http://127.0.0.1/cb", "http://[::1]:1/cb", "http://localhost/cb", "https://127.0.0.1/tls"];
        let client = server.client(json!({"redirect_uris": uris})).await;
        for uri in
            ["http://127.0.0.1:49152/cb", "http://127.0.0.1/cb", "http://[::1]:49152/cb", "http://[::1]/cb"]
        {
            let answer = ask(&server, &client, &[("redirect_uri", uri), ("prompt", "none")]).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{uri}");
            assert!(answer.location().starts_with(&format!("{uri}?error=login_required")), "{answer:?}");
        }
        for uri in [
            "http://localhost:49152/cb",
            "http://127.0.0.1:49152/other",
            "http://127.0.0.2/cb",
            "http://127.1/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1:/cb@evil.example",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:99999/cb",
            "http://[::1]:2/cb?x=1",
            "https://127.0.0.1:8443/tls",
            "http://[0:0::1]/cb",
        ] {
            ask(&server, &client, &[("redirect_uri", uri)]).await.assert_page_error(400);
        }
    }

    async fn a_repeated_parameter_is_an_invalid_request(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let right = server.authorization(&client, &[]);
        for name in [
            "scope",
            "response_type",
            "nonce",
            "code_challenge",
            "code_challenge_method",
            "prompt",
            "max_age",
            "response_mode",
            "login_hint",
            "ui_locales",
            "request",
            "some_extension",
        ] {
            let answer = server.get(&format!("{right}&{name}=a&{name}=b")).await;
            answer.assert_redirect_error("invalid_request");
            assert_eq!(query_of(answer.location(), "state").as_deref(), Some(STATE), "{name}");
        }
        // RFC 8707 2: these may be, so that is not what is wrong with them.
        for name in ["resource", "audience"] {
            let uris = format!("{name}=https://a.example&{name}=https://b.example");
            server.get(&format!("{right}&{uris}")).await.assert_redirect_error("invalid_target");
        }
    }

    async fn pkce_with_s256_is_required(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (confidential, public) = (server.client(json!({})).await, server.public_client().await);
        let optional = json!({
            "pkce": "optional", "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"],
        });
        let public_optional = server.client(optional).await;
        let (padded, long) = (format!("{CHALLENGE}="), format!("{CHALLENGE}A"));
        for client in [&confidential, &public, &public_optional] {
            assert_refused(
                &server,
                client,
                "invalid_request",
                &[
                    &[("code_challenge", ""), ("code_challenge_method", "")],
                    &[("code_challenge", "")],
                    &[("code_challenge_method", "")],
                    &[("code_challenge_method", "plain")],
                    &[("code_challenge_method", "s256")],
                    &[("code_challenge_method", "S512")],
                    &[("code_challenge", "short")],
                    &[("code_challenge", &CHALLENGE[1..])],
                    &[("code_challenge", &padded)],
                    &[("code_challenge", &long)],
                    &[("code_challenge", &CHALLENGE.replace('-', "+"))],
                    &[("code_challenge", &CHALLENGE.replace('-', "é"))],
                ],
            )
            .await;
            assert_accepted(&ask(&server, client, &[]).await);
        }
    }

    async fn where_pkce_is_optional_a_nonce_has_to_bind_the_code(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"pkce": "optional"})).await;
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let with = |more: &[(&'static str, &'static str)]| [&without[..], more].concat();
        assert_accepted(&ask(&server, &client, &without).await);
        assert_accepted(&ask(&server, &client, &with(&[("nonce", ""), ("scope", "read")])).await);
        assert_refused(
            &server,
            &client,
            "invalid_request",
            &[
                &with(&[("nonce", "")]),
                &[("code_challenge", "")],
                &[("code_challenge_method", "plain")],
                &[("code_challenge", "short")],
            ],
        )
        .await;
    }

    async fn by_default_the_only_response_type_is_code(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        assert_refused(
            &server,
            &client,
            "unsupported_response_type",
            &[
                &[("response_type", "token")],
                &[("response_type", "id_token")],
                &[("response_type", "code token")],
                &[("response_type", "id_token token")],
                &[("response_type", "code id_token token")],
                &[("response_type", "none")],
                &[("response_type", "CODE")],
                &[("response_type", "code code")],
            ],
        )
        .await;
        assert_refused(
            &server,
            &client,
            "invalid_request",
            &[
                &[("response_type", "")],
                &[("response_mode", "web_message")],
            ],
        )
        .await;
        assert_accepted(&ask(&server, &client, &[("response_mode", "query")]).await);
        let (parameters, unauthorized) =
            (json!({"grant_types": ["client_credentials"]}), "unauthorized_client");
        assert_refused(&server, &client, unauthorized, &[&[("response_type", "code id_token")]]).await;
        assert_refused(&server, &server.client(parameters).await, unauthorized, &[&[]]).await;
    }

    async fn a_scope_has_to_be_named_and_registered(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"scope": "openid read"})).await;
        assert_refused(
            &server,
            &client,
            "invalid_scope",
            &[
                &[("scope", "")],
                &[("scope", " ")],
                &[("scope", "openid profile")],
                &[("scope", "admin")],
                &[("scope", "OPENID")],
                &[("scope", "openid\tread")],
                &[("scope", "openid,read")],
                &[("scope", "re\"ad")],
                &[("scope", "re\\ad")],
                &[("scope", "réad")],
                &[("scope", "openid\nread")],
            ],
        )
        .await;
        let answer = server.get(&format!("{}&scope=", server.authorization(&client, &[("scope", "")]))).await;
        answer.assert_redirect_error("invalid_scope");
        for scope in ["openid", "read", "read openid", " openid  read openid "] {
            assert_accepted(&ask(&server, &client, &[("scope", scope)]).await);
        }
    }

    async fn what_is_not_supported_is_refused_by_its_own_name(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let change: &[_] = &[("registration", "x")];
        assert_refused(&server, &client, "registration_not_supported", &[change]).await;
        // OpenID Connect Core 3.1.2.1: others are ignored.
        assert_accepted(
            &ask(&server, &client, &[("display", "page"), ("acr_values", "1"), ("x", "y")]).await,
        );
    }

    async fn state_and_nonce_may_be_long_but_not_without_bounds(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let (state, nonce) = ("s".repeat(4096), "n".repeat(1024));
        assert_accepted(&ask(&server, &client, &[("state", &state), ("nonce", &nonce)]).await);
        assert_refused(&server, &client, "invalid_request", &[&[("nonce", &format!("{nonce}n"))]]).await;
    }

    async fn a_state_that_no_answer_can_have_is_told_on_a_page_and_sent_nowhere(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let long = ask(&server, &client, &[("state", &"s".repeat(4097))]).await;
        long.assert_page_error(400);
        assert!(long.body.contains("state is longer than 4096 bytes"), "{long:?}");
        let right = server.authorization(&client, &[]);
        let twice = server.get(&format!("{right}&state=other")).await;
        twice.assert_page_error(400);
        assert!(twice.body.contains("state was sent more than once"), "{twice:?}");
        // Nor is a pushed one kept.
        let state = "s".repeat(4097);
        let form = [("redirect_uri", REDIRECT_URI), ("response_type", "code"), ("state", state.as_str())];
        let pushed = server.post_as(&client, "/par", &form).await;
        pushed.assert_error(400, "invalid_request");
        assert!(pushed.body.contains("4096 bytes"), "{pushed:?}");
    }

    async fn state_comes_back_exactly_as_it_was_sent(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        for state in [
            "a+b c",
            "100%",
            "%2B%25",
            "a&code=evil&iss=x",
            "x=y;z",
            "日本語 ü 🦀",
            "\"'<script>",
            "#?/",
            "a\r\nb",
            " ",
        ] {
            let refused = ask(&server, &client, &[("state", state), ("prompt", "none")]).await;
            refused.assert_redirect_error("login_required");
            let path = server.authorization(&client, &[("state", state)]);
            let answer = browser.authorize_as(&path, "ada").await;
            assert_code(&answer);
            for answer in [refused, answer] {
                assert_eq!(query_of(answer.location(), "state").as_deref(), Some(state));
                assert_eq!(answer.location().matches("&state=").count(), 1, "{answer:?}");
            }
        }
        let without = server.authorization(&client, &[("state", "")]);
        for path in [without.clone(), format!("{without}&state="), format!("{without}&state")] {
            let answer = browser.get(&path).await;
            assert_code(&answer);
            assert!(!answer.location().contains("&state"), "{answer:?}");
        }
    }

    async fn the_query_of_a_registered_redirect_uri_is_kept(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        for uri in [
            "https://app.example/callback?tenant=1&x=%20a+b",
            "https://app.example/callback?",
            "com.example.app:/cb?a",
        ] {
            let client = server.client(json!({"redirect_uris": [uri], "skip_consent": true})).await;
            let path = server.authorization(&client, &[("redirect_uri", uri)]);
            let answer = browser.authorize_as(&path, "ada").await;
            assert_code(&answer);
            let separator = if uri.ends_with('?') { "" } else { "&" };
            assert!(answer.location().starts_with(&format!("{uri}{separator}code=")), "{answer:?}");
            let refused = browser.get(&format!("{path}&prompt=x")).await;
            assert!(
                refused.location().starts_with(&format!("{uri}{separator}error=invalid_request&")),
                "{refused:?}"
            );
        }
    }

    async fn a_request_may_come_by_post_and_goes_on_as_our_own_get(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let state = "a b&c=ü#d%+";
        let path = server.authorization(&client, &[("state", state)]);
        let form = path.split_once('?').unwrap().1;
        // From another site: without our cookies, so it must not replace them either.
        for body in [form.to_owned(), form.replace("%23", "#")] {
            let request = Request::post("/authorize")
                .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
            let answer = server.send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
            assert_eq!(answer.header(header::SET_COOKIE), "");
            assert_eq!(answer.location(), format!("https://id.example{path}"));
            let answer = browser.follow(answer).await;
            assert_code(&answer);
            assert_eq!(query_of(answer.location(), "state").as_deref(), Some(state));
        }
    }

    async fn what_is_not_a_form_or_not_utf8_gets_a_page(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let path = server.authorization(&client, &[]);
        let form = path.split_once('?').unwrap().1;
        for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
            let request = Request::post("/authorize").header(header::CONTENT_TYPE, content_type);
            server.send(request.body(Body::from(form.to_owned())).unwrap()).await.assert_page_error(400);
        }
        let no_type = Request::post("/authorize").body(Body::from(form.to_owned())).unwrap();
        server.send(no_type).await.assert_page_error(400);
        let form = form.as_bytes();
        for tail in [&b"&x=\xff"[..], b"&x=\xc3", b"&x=\r\nSet-Cookie: a=b", "&x=ü".as_bytes(), b"&x=a b"] {
            let request =
                Request::post("/authorize").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            server
                .send(request.body(Body::from([form, tail].concat())).unwrap())
                .await
                .assert_page_error(400);
        }
        for tail in ["&state=%FF", "&%C3=x", "&x=%ED%A0%80", "&nonce=%00", "&x=%00", &"&a=b".repeat(200)] {
            server.get(&format!("{path}{tail}")).await.assert_page_error(400);
        }
    }

    async fn a_body_that_is_too_long_and_other_methods_are_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        for path in ["/authorize", "/login", "/consent", "/logout", "/account/password"] {
            server.post(path, &[], &[("x", &"x".repeat(70_000))]).await.assert_error(413, "invalid_request");
        }
        // What is sent on as a URL has to fit into a head.
        for path in ["/authorize", "/logout"] {
            assert_eq!(server.post(path, &[], &[("x", &"x".repeat(16_000))]).await.status, 303);
            server.post(path, &[], &[("x", &"x".repeat(17_000))]).await.assert_page_error(400);
        }
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let request = Request::builder().method(&method).uri("/authorize").body(Body::empty()).unwrap();
            let answer = server.send(request).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
            let mut allowed: Vec<_> = answer.header(header::ALLOW).split(',').map(str::trim).collect();
            allowed.sort_unstable();
            assert_eq!(allowed, ["GET", "HEAD", "POST"]);
        }
    }
}
