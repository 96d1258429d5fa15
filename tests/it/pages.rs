//! What holds for every page: headers, assets, links below the issuer's path, and whom the server believes.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::json;

use crate::support::{
    Answer, Browser, PASSWORD, REDIRECT_URI, Registration, TestServer, VERIFIER, encode, on_both, query_of,
};

/// Every kind of page once: its name, and what came.
async fn every_page(server: &TestServer, prefix: &str) -> Vec<(&'static str, Answer)> {
    let client = server.client(json!({})).await;
    server.user("ada").await;
    let mut browser = server.browser();
    let start = format!("{prefix}{}", server.authorization(&client, &[]));
    let answer = browser.get(&start).await;
    let login = browser.follow(answer).await;
    let wrong = browser.sign_in(&login, "ada", "wrong").await;
    let answer = browser.sign_in(&login, "ada", PASSWORD).await;
    let consent = browser.follow(answer).await;
    vec![
        ("sign-in", login),
        ("refused sign-in", wrong),
        ("consent", consent),
        ("account", browser.get(&format!("{prefix}/account")).await),
        ("device", browser.get(&format!("{prefix}/device")).await),
        ("device, signed out", server.get(&format!("{prefix}/login?return=%2Fdevice")).await),
        ("sign-out", browser.get(&format!("{prefix}/logout")).await),
        ("signed out", server.get(&format!("{prefix}/logout")).await),
        ("error", browser.get(&format!("{prefix}/authorize")).await),
        ("stale form", browser.post(&format!("{prefix}/account/password"), &[]).await),
        ("not found", browser.get(&format!("{prefix}/no/such/page")).await),
        ("no asset", browser.get(&format!("{prefix}/assets/chancery.css")).await),
    ]
}

/// The values of an attribute.
fn attributes<'p>(page: &'p Answer, name: &str) -> Vec<&'p str> {
    let start = format!(" {name}=\"");
    page.body.split(&start).skip(1).filter_map(|rest| rest.split_once('"')).map(|(value, _)| value).collect()
}

/// The paths of the stylesheet and the script of a page.
async fn assets(browser: &mut Browser<'_>, login: &str) -> (String, String) {
    let page = browser.get(login).await;
    let find = |name: &str, end: &str| {
        attributes(&page, name).into_iter().find(|value| value.ends_with(end)).unwrap().to_owned()
    };
    (find("href", ".css"), find("src", ".js"))
}

/// An authorization request from start to tokens with everything below `/auth`.
async fn tokens_below(server: &TestServer, client: &Registration) -> Answer {
    let mut browser = server.browser();
    let start = format!("/auth{}", server.authorization(client, &[]));
    let answer = browser.authorize_as(&start, "ada").await;
    assert_eq!(query_of(answer.location(), "iss").as_deref(), Some("https://id.example/auth"), "{answer:?}");
    let code = query_of(answer.location(), "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    server.post_as(client, "/auth/token", &form).await
}

on_both! {
    async fn every_page_carries_the_headers_that_protect_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        for (name, page) in every_page(&server, "").await {
            let csp = page.header(header::CONTENT_SECURITY_POLICY);
            for directive in [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ] {
                assert!(
                    csp.split("; ").any(|found| found.trim() == directive),
                    "{name}: {directive} in {csp}"
                );
            }
            assert!(!csp.contains("unsafe") && !csp.contains('*'), "{name}: {csp}");
            for (header, value) in [
                ("content-type", "text/html; charset=utf-8"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "same-origin"),
                ("cache-control", "no-store"),
                ("strict-transport-security", "max-age=31536000"),
                ("access-control-allow-origin", ""),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(page.header(header), value, "{name}: {header}");
            }
            let features = page.header("permissions-policy");
            for feature in ["camera", "microphone", "geolocation", "display-capture", "payment", "usb"] {
                assert!(features.split(", ").any(|found| found == format!("{feature}=()")), "{name}: {features}");
            }
        }
    }

    async fn only_pages_on_the_way_of_an_application_keep_the_window_that_opened_them(kind: Kind) {
        let server = TestServer::start(kind).await;
        // An application that opened a popup waits for the answer there.
        let on_the_way = ["sign-in", "refused sign-in", "consent", "sign-out", "signed out"];
        for (name, page) in every_page(&server, "").await {
            let expected = if on_the_way.contains(&name) { "unsafe-none" } else { "same-origin" };
            assert_eq!(page.header("cross-origin-opener-policy"), expected, "{name}");
        }
        let page = server.get("/check_session").await;
        assert_eq!(page.header("cross-origin-resource-policy"), "cross-origin");
        let login = server.get("/login").await;
        let style = attributes(&login, "href").into_iter().find(|value| value.ends_with(".css")).unwrap();
        assert_eq!(server.get(style).await.header("cross-origin-resource-policy"), "same-origin");
    }

    async fn every_answer_without_a_page_is_protected_too(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for path in [
            "/account",
            &server.authorization(&client, &[]),
            &server.authorization(&client, &[("scope", "")]),
        ] {
            let answer = server.get(path).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
            for (header, value) in [
                ("referrer-policy", "no-referrer"),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("strict-transport-security", "max-age=31536000"),
            ] {
                assert_eq!(answer.header(header), value, "{path}: {header}");
            }
        }
        let local = TestServer::start_with(kind, &[("SERVER__ISSUER", "http://localhost:8080")]).await;
        assert_eq!(local.get("/login").await.header("strict-transport-security"), "");
    }

    async fn no_page_has_a_script_or_style_of_its_own(kind: Kind) {
        let server = TestServer::start(kind).await;
        for (name, page) in every_page(&server, "").await {
            let body = page.body.to_ascii_lowercase();
            assert!(
                !body.contains("<style") && !body.contains(" style=") && !body.contains("javascript:"),
                "{name}"
            );
            assert_eq!(
                body.matches("<script").count(),
                body.matches("<script src=\"/assets/").count(),
                "{name}"
            );
            for tag in body.split('<').filter_map(|rest| rest.split('>').next()) {
                assert!(
                    !tag.split_whitespace().any(|word| word.starts_with("on") && word.contains('=')),
                    "{name}: {tag}"
                );
            }
            assert!(body.contains("<html lang=\"en\" dir=\"ltr\">") && body.contains("<title>"), "{name}");
            assert!(body.contains("name=\"viewport\""), "{name}");
        }
    }

    async fn no_other_origin_may_read_a_page(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        browser.headers.push(("origin", "https://app.example".to_owned()));
        for path in
            ["/authorize", "/login", "/consent", "/account", "/logout", "/introspect", "/no/such/page"]
        {
            let answer = browser.get(path).await;
            let names: Vec<_> =
                answer.headers.keys().filter(|name| name.as_str().starts_with("access-control")).collect();
            assert!(names.is_empty(), "{path}: {names:?}");
        }
        let open = browser.get("/.well-known/openid-configuration").await;
        assert_eq!(open.header("access-control-allow-origin"), "*");
        assert_eq!(open.header("access-control-allow-credentials"), "");
    }

    async fn assets_may_be_kept_for_ever_and_unknown_ones_are_not_found(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut browser = server.browser();
        let (stylesheet, script) = assets(&mut browser, "/login").await;
        for (path, content_type) in
            [(&stylesheet, "text/css; charset=utf-8"), (&script, "text/javascript; charset=utf-8")]
        {
            let asset = server.get(path).await;
            assert_eq!(asset.status, StatusCode::OK, "{path}");
            assert_eq!(asset.header(header::CONTENT_TYPE), content_type);
            assert_eq!(asset.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
            assert_eq!(asset.header("x-content-type-options"), "nosniff");
            assert_eq!(asset.header(header::SET_COOKIE), "");
            assert!(!asset.body.is_empty());
        }
        for path in [
            "/assets/x.css",
            "/assets/",
            "/assets",
            "/assets/..%2fCargo.toml",
            "/assets/%00",
            &stylesheet.replace("chancery-", "chancery-0"),
        ] {
            server.get(path).await.assert_page_error(404);
        }
    }

    async fn with_a_path_in_the_issuer_everything_is_below_it(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__ISSUER", "https://id.example/auth")]).await;
        for (name, page) in every_page(&server, "/auth").await {
            for attribute in ["href", "src", "action"] {
                for value in
                    attributes(&page, attribute).into_iter().filter(|value| !value.starts_with("data:"))
                {
                    assert!(value.starts_with("/auth/"), "{name}: {attribute}={value}");
                }
            }
        }
        let (stylesheet, script) = assets(&mut server.browser(), "/auth/login").await;
        for path in [stylesheet, script] {
            assert_eq!(server.get(&path).await.status, StatusCode::OK, "{path}");
        }
        assert_eq!(server.get("/auth/account").await.location(), "https://id.example/auth/login");
        let posted = server.post("/auth/authorize", &[], &[("a", "b")]).await;
        assert_eq!(posted.location(), "https://id.example/auth/authorize?a=b");
        let client = server.client(json!({})).await;
        let tokens = tokens_below(&server, &client).await.json();
        let claims = crate::support::claims_of(tokens["id_token"].as_str().unwrap());
        assert_eq!(claims["iss"], "https://id.example/auth");
        for path in [
            "/authorize",
            "/login",
            "/account",
            "/token",
            "/jwks",
            "/auth",
            "/authx/login",
            "/auth/auth/login",
        ] {
            assert_eq!(server.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    async fn with_a_path_in_the_issuer_the_metadata_is_found_by_both_standards(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__ISSUER", "https://id.example/auth")]).await;
        // OpenID Connect Discovery 4.1 appends, RFC 8414 3.1 inserts.
        let appended = server.get("/auth/.well-known/openid-configuration").await;
        let inserted = server.get("/.well-known/oauth-authorization-server/auth").await;
        for answer in [&appended, &inserted] {
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
        assert_eq!(appended.body, inserted.body);
        let document = appended.json();
        assert_eq!(document["issuer"], "https://id.example/auth");
        let members = document.as_object().unwrap().iter();
        let endpoints: Vec<_> =
            members.filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri").collect();
        assert!(endpoints.len() >= 7, "{endpoints:?}");
        for (name, url) in endpoints {
            let path = url.as_str().unwrap().strip_prefix("https://id.example").unwrap();
            assert!(path.starts_with("/auth/"), "{name}: {path}");
            assert_ne!(server.get(path).await.status, StatusCode::NOT_FOUND, "{name}: {path}");
        }
    }

    async fn the_request_id_on_an_error_page_is_that_of_the_answer(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut seen = std::collections::BTreeSet::new();
        for path in ["/authorize", "/no/such/page", "/login?request=x", "/assets/x"] {
            let request =
                Request::get(path).header("x-request-id", "chosen-by-somebody").body(Body::empty()).unwrap();
            let answer = server.send(request).await;
            let id = answer.header("x-request-id").to_owned();
            assert!(answer.body.contains(&format!("<code dir=\"ltr\">{id}</code>")), "{answer:?}");
            assert_ne!(id, "chosen-by-somebody");
            assert!(seen.insert(id));
        }
    }

    async fn headers_of_proxies_and_the_host_change_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let (asked, refused) =
            (server.authorization(&client, &[]), server.authorization(&client, &[("scope", "")]));
        let posted = encode(&[("client_id", &client.id)]);
        for (method, path) in [
            ("GET", "/login"),
            ("GET", "/account"),
            ("GET", &asked),
            ("GET", &refused),
            ("GET", "/no/such/page"),
            ("GET", "/logout"),
            ("GET", "/.well-known/openid-configuration"),
            ("POST", "/authorize"),
            ("GET", "/authorize"),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in [
                ("host", "evil.example"),
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-port", "666"),
                ("x-forwarded-prefix", "/evil"),
                ("x-forwarded-for", "evil"),
                ("forwarded", "host=evil.example;proto=http"),
                ("x-original-url", "/evil"),
                ("x-rewrite-url", "/evil"),
                ("x-http-method-override", "DELETE"),
                ("content-type", "application/x-www-form-urlencoded"),
            ] {
                request = request.header(name, value);
            }
            let answer = server.send(request.body(Body::from(posted.clone())).unwrap()).await;
            assert!(!answer.body.contains("evil") && !answer.body.contains("666"), "{path}: {answer:?}");
            assert!(!format!("{:?}", answer.headers).contains("evil"), "{path}: {answer:?}");
            let ours = ["https://id.example/", REDIRECT_URI]
                .iter()
                .any(|start| answer.location().starts_with(start));
            assert!(answer.location().is_empty() || ours, "{path}: {answer:?}");
            let plain = server
                .send(
                    Request::builder()
                        .method(method)
                        .uri(path)
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(Body::from(posted.clone()))
                        .unwrap(),
                )
                .await;
            assert_eq!(answer.status, plain.status, "{path}");
        }
    }

    async fn every_page_answers_head_and_refuses_other_methods(kind: Kind) {
        let server = TestServer::start(kind).await;
        for (path, allowed) in [
            ("/login", "GET,HEAD,POST"),
            ("/consent", "GET,HEAD,POST"),
            ("/logout", "GET,HEAD,POST"),
            ("/account", "GET,HEAD"),
            ("/account/password", "POST"),
            ("/account/sessions/end", "POST"),
            ("/account/apps/revoke", "POST"),
        ] {
            let request = Request::builder().method("DELETE").uri(path).body(Body::empty()).unwrap();
            let answer = server.send(request).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(answer.header(header::ALLOW), allowed, "{path}");
        }
        let request = Request::head("/login").body(Body::empty()).unwrap();
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    }

    async fn a_form_has_to_be_sent_as_a_form(kind: Kind) {
        let server = TestServer::start(kind).await;
        for path in [
            "/login",
            "/consent",
            "/logout",
            "/account/password",
            "/account/sessions/end",
            "/account/apps/revoke",
        ] {
            for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
                let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
                server.send(request.body(Body::from("username=ada")).unwrap()).await.assert_page_error(400);
            }
            for body in [&b"csrf=%FF"[..], b"csrf=\xff", b"csrf=%00"] {
                let request =
                    Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                server.send(request.body(Body::from(body)).unwrap()).await.assert_page_error(400);
            }
        }
    }
}
