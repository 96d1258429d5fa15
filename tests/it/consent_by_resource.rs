//! A yes is for a scope at a resource (RFC 8707): the same scope at another one is a new question.

use serde_json::json;

use crate::device;
use crate::support::authorization::is_consent;
use crate::support::{Answer, Browser, ExternalUi, Kind, Registration, TestServer, on_both};

const WEATHER: &str = "https://weather.example/";
const PAYROLL: &str = "https://payroll.example/";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn start(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start(kind).await;
    with_resources(&server).await;
    let resources = [WEATHER, PAYROLL];
    let client = server.client(json!({"resources": resources, "audience": ["urn:usual"]})).await;
    server.user("ada").await;
    (server, client)
}

async fn with_resources(server: &TestServer) {
    for (uri, name) in [(WEATHER, "Weather"), (PAYROLL, "Payroll")] {
        server.resource(uri, json!({"resource_name": name, "scope": "read write"})).await;
    }
}

/// Where a request for these resources stops.
async fn ask(
    browser: &mut Browser<'_>,
    server: &TestServer,
    client: &Registration,
    scope: &str,
    resources: &[&str],
    prompt: &str,
) -> Answer {
    let mut path = server.authorization(client, &[("scope", scope), ("prompt", prompt)]);
    for uri in resources {
        path.push_str(&format!("&resource={uri}"));
    }
    let answer = browser.get(&path).await;
    browser.follow(answer).await
}

#[track_caller]
fn assert_code(answer: &Answer) {
    assert!(answer.returned("code").is_some(), "{answer:?}");
}

fn is_marked_new(page: &Answer, what: &str) -> bool {
    page.body.contains(&format!("{what} <strong class=\"new\">New</strong>"))
}

on_both! {
    async fn consent_for_one_resource_is_none_for_another(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = ask(&mut browser, &server, &client, "openid read", &[WEATHER], "").await;
        assert!(is_consent(&page) && page.body.contains("Weather") && !page.body.contains("class=\"new\""), "{page:?}");
        assert_code(&browser.decide(&page, "allow").await);
        assert_code(&ask(&mut browser, &server, &client, "openid read", &[WEATHER], "none").await);
        for resources in [&[PAYROLL][..], &[WEATHER, PAYROLL], &[], &["urn:usual"]] {
            let answer = ask(&mut browser, &server, &client, "openid read", resources, "none").await;
            answer.assert_redirect_error("consent_required");
            assert!(is_consent(&ask(&mut browser, &server, &client, "openid read", resources, "").await));
        }
        // A scope that was allowed elsewhere is not allowed here.
        let page = ask(&mut browser, &server, &client, "openid write", &[PAYROLL], "").await;
        assert_code(&browser.decide(&page, "allow").await);
        ask(&mut browser, &server, &client, "openid write", &[WEATHER], "none").await.assert_redirect_error("consent_required");
        ask(&mut browser, &server, &client, "openid read", &[PAYROLL], "none").await.assert_redirect_error("consent_required");
        // Nothing that was allowed before is lost.
        for (scope, resource) in [("openid read", WEATHER), ("openid write", PAYROLL)] {
            assert_code(&ask(&mut browser, &server, &client, scope, &[resource], "none").await);
        }
    }

    async fn the_page_marks_the_resource_that_is_new_and_the_scope_that_is(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = ask(&mut browser, &server, &client, "openid read", &[WEATHER], "").await;
        browser.decide(&page, "allow").await;
        let page = ask(&mut browser, &server, &client, "openid read", &[WEATHER, PAYROLL], "").await;
        assert!(is_marked_new(&page, "<strong><bdi>Payroll</bdi></strong>"), "{page:?}");
        assert_eq!(page.body.matches("class=\"new\"").count(), 1, "{page:?}");
        let page = ask(&mut browser, &server, &client, "openid read", &[PAYROLL], "").await;
        assert!(is_marked_new(&page, "<strong><bdi>Payroll</bdi></strong>"), "{page:?}");
        let page = ask(&mut browser, &server, &client, "openid read write", &[WEATHER], "").await;
        assert!(is_marked_new(&page, "Use the permission called write"), "{page:?}");
        assert_eq!(page.body.matches("class=\"new\"").count(), 1, "{page:?}");
    }

    async fn what_was_remembered_before_resources_were_counts_where_none_is_named(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = ask(&mut browser, &server, &client, "openid read", &[], "").await;
        browser.decide(&page, "allow").await;
        // As a server of the version before writes it.
        server.sql("UPDATE consents SET scope = 'openid read write', resources = '{}'").await;
        assert_code(&ask(&mut browser, &server, &client, "openid write", &[], "none").await);
        ask(&mut browser, &server, &client, "openid read", &[WEATHER], "none").await.assert_redirect_error("consent_required");
    }

    async fn the_account_page_says_where_access_is_used(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = ask(&mut browser, &server, &client, "openid read", &[], "").await;
        browser.decide(&page, "allow").await;
        assert!(!browser.get("/account").await.body.contains("Used at:"));
        let page = ask(&mut browser, &server, &client, "openid write", &[PAYROLL], "").await;
        browser.decide(&page, "allow").await;
        let page = browser.get("/account").await;
        assert!(page.body.contains("Used at: <bdi>Payroll</bdi>"), "{page:?}");
        for scope in ["read", "write"] {
            assert!(page.body.contains(&format!("Use the permission called {scope}")), "{page:?}");
        }
        let form = [("csrf", &*crate::support::hidden(&page, "csrf")), ("client_id", &client.id)];
        browser.post("/account/apps/revoke", &form).await;
        ask(&mut browser, &server, &client, "openid write", &[PAYROLL], "none").await.assert_redirect_error("consent_required");
    }

    async fn a_device_is_allowed_at_the_resources_it_asked_for_and_marks_what_is_new(kind: Kind) {
        let (server, _) = start(kind).await;
        let grant_types = ["authorization_code", "refresh_token", DEVICE_CODE];
        let client = server.client(json!({"grant_types": grant_types, "resources": [WEATHER, PAYROLL]})).await;
        let mut browser = server.browser();
        for (resource, is_new) in [(WEATHER, false), (PAYROLL, true)] {
            let form = [("scope", "openid read"), ("resource", resource)];
            let started = server.post_as(&client, "/device_authorization", &form).await.json();
            let code = started["user_code"].as_str().unwrap();
            let page = device::type_code(&mut browser, "ada", code).await;
            assert_eq!(page.body.contains("class=\"new\""), is_new, "{page:?}");
            assert_eq!(device::decide(&mut browser, &page, "allow").await.status, 200);
            assert_code(&ask(&mut browser, &server, &client, "openid read", &[resource], "none").await);
            ask(&mut browser, &server, &client, "openid read", &[], "none").await.assert_redirect_error("consent_required");
        }
    }

    async fn an_external_page_remembers_for_the_resources_that_it_granted(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        with_resources(&server).await;
        let client = server.client(json!({"ui": "external", "resources": [WEATHER, PAYROLL]})).await;
        let (ui, mut browser) = (ExternalUi(&server), server.browser());
        let login = json!({"subject": "ada", "remember": true});
        let both = format!("{WEATHER} {PAYROLL}");
        for (audience, granted, skip) in [
            (&*both, json!([WEATHER]), false),
            (WEATHER, json!([WEATHER]), true),
            (PAYROLL, json!([]), false),
            ("", json!([]), false),
            (PAYROLL, json!([PAYROLL]), false),
            (&*both, json!([WEATHER, PAYROLL]), true),
        ] {
            let change = [("scope", "openid read"), ("audience", audience)];
            let challenge = ui.start(&mut browser, &client, &change).await;
            let challenge = ui.log_in(&mut browser, &challenge, login.clone()).await;
            assert_eq!(ui.get("consent", &challenge).await.json()["skip"], skip, "{audience}");
            let remember = json!({
                "grant_scope": ["openid", "read"], "grant_access_token_audience": granted, "remember": !audience.is_empty(),
            });
            ui.allow(&mut browser, &challenge, remember).await;
        }
    }
}
