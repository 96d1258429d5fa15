//! HEAD changes nothing (RFC 9110 9.2.1), whatever GET of the same address does.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;

use crate::support::{Answer, Browser, CHALLENGE, OPEN, REDIRECT_URI, TestServer, encode, on_both, text};

/// Where the routes of the public listener are.
const ROUTES: [&str; 2] = [include_str!("../../src/pages/mod.rs"), include_str!("../../src/http/mod.rs")];

/// What could have changed.
const COUNTS: [&str; 15] = [
    "SELECT COUNT(*) FROM authorization_requests",
    "SELECT COUNT(*) FROM authorization_requests WHERE browser = ''",
    "SELECT COALESCE(MAX(expires_at), 0) FROM authorization_requests",
    "SELECT COUNT(*) FROM authorization_requests WHERE session_id IS NULL",
    "SELECT COUNT(*) FROM sessions",
    "SELECT COALESCE(MAX(last_seen_at), 0) FROM sessions",
    "SELECT COUNT(*) FROM grants",
    "SELECT COUNT(*) FROM grants WHERE state = 'active'",
    "SELECT COUNT(*) FROM consents",
    "SELECT COUNT(*) FROM handovers",
    "SELECT COUNT(*) FROM device_authorizations WHERE state = 'pending'",
    "SELECT COUNT(*) FROM logout_deliveries",
    "SELECT COALESCE(MAX(updated_at), 0) FROM clients",
    "SELECT COUNT(*) FROM revoked_tokens",
    "SELECT (SELECT COUNT(*) FROM audit_waiting) + (SELECT COUNT(*) FROM audit_log)",
];

async fn counts(server: &TestServer) -> Vec<(&'static str, i64)> {
    let mut all = Vec::new();
    for sql in COUNTS {
        all.push((sql, server.number(sql).await));
    }
    all
}

/// The path of each route of this source that answers GET, where it is written as a text.
fn get_routes(source: &str) -> Vec<&str> {
    let routes = source.split(".route(").skip(1);
    let told = routes.filter_map(|rest| {
        let handlers = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let is_get = ["get(", "show(", "one)"].iter().any(|name| handlers.contains(name));
        let (path, _) = rest.strip_prefix('"')?.split_once('"')?;
        is_get.then_some(path)
    });
    told.collect()
}

async fn head(browser: &Browser<'_>, server: &TestServer, path: &str, token: &str) -> Answer {
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut request =
        Request::builder().method(Method::HEAD).uri(path).header(header::COOKIE, cookies.join("; "));
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

on_both! {
    async fn asking_for_the_head_of_any_page_changes_nothing(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let client = server.client(json!({"post_logout_redirect_uris": ["https://app.example/bye"]})).await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let registered = server.register(json!({})).await.json();
        // Sessions are noted as used after ten minutes.
        server.app.clock.advance(700);
        let pushed = [
            ("response_type", "code"), ("redirect_uri", REDIRECT_URI), ("scope", "openid"),
            ("code_challenge", CHALLENGE), ("code_challenge_method", "S256"),
        ];
        let pushed = text(&server.post_as(&client, "/par", &pushed).await.json(), "request_uri");
        let answer = browser.get(&server.authorization(&client, &[("prompt", "consent")])).await;
        let waiting = answer.location().split_once('=').unwrap().1.to_owned();
        let before = counts(&server).await;
        let bearer = text(&tokens, "access_token");
        let hint = text(&tokens, "id_token");
        let walk = [
            ("/authorize", server.authorization(&client, &[])),
            ("/authorize", server.authorization(&client, &[("scope", "openid write")])),
            ("/authorize", server.authorization(&client, &[("prompt", "none"), ("scope", "openid")])),
            ("/authorize", format!("/authorize?{}", encode(&[("client_id", &*client.id), ("request_uri", &*pushed)]))),
            ("/authorize/continue", "/authorize/continue?verifier=x".to_owned()),
            ("/login", format!("/login?request={waiting}")),
            ("/login", "/login".to_owned()),
            ("/select_account", format!("/select_account?request={waiting}")),
            ("/consent", format!("/consent?request={waiting}")),
            ("/logout", format!("/logout?id_token_hint={hint}")),
            ("/logout", "/logout".to_owned()),
            ("/check_session", "/check_session".to_owned()),
            ("/device", "/device?user_code=BCDF-GHJK".to_owned()),
            ("/account", "/account".to_owned()),
            ("/assets/{name}", "/assets/none.css".to_owned()),
            ("/userinfo", "/userinfo".to_owned()),
            ("/register/{client_id}", format!("/register/{}", text(&registered, "client_id"))),
            ("/jwks", "/jwks".to_owned()),
            ("/healthz", "/healthz".to_owned()),
            ("/readyz", "/readyz".to_owned()),
            ("/.well-known/openid-configuration", "/.well-known/openid-configuration".to_owned()),
            ("/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server".to_owned()),
            ("/.well-known/webfinger", "/.well-known/webfinger?resource=x".to_owned()),
        ];
        for route in ROUTES.iter().flat_map(|source| get_routes(source)) {
            let is_walked = walk.iter().any(|(walked, _)| *walked == route);
            assert!(is_walked, "{route} answers GET and is not asked for its head here");
        }
        for (route, path) in &walk {
            let token = match *route {
                "/userinfo" => bearer.clone(),
                "/register/{client_id}" => text(&registered, "registration_access_token"),
                _ => String::new(),
            };
            let answer = head(&browser, &server, path, &token).await;
            assert_eq!(answer.body, "", "{path}");
            assert!(!answer.status.is_server_error(), "{path}: {answer:?}");
            assert_eq!(answer.location(), "", "{path} leads nowhere");
            assert!(!answer.headers.contains_key(header::SET_COOKIE), "{path}: {answer:?}");
            assert_eq!(counts(&server).await, before, "{path}");
        }
        // All of it is still there.
        let path = format!("/authorize?{}", encode(&[("client_id", &*client.id), ("request_uri", &*pushed)]));
        let answer = browser.get(&path).await;
        assert!(answer.returned("code").is_some(), "{answer:?}");
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
    }
}
