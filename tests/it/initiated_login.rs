//! Sign-ins that begin at the account page (OpenID Connect Core 4).

use serde_json::json;

use crate::support::{OPEN, TestServer, on_both, registration_of};

on_both! {
    /// oidcc-3rdparty-init-login
    async fn an_app_with_access_is_started_from_the_account_page(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let start = json!({"initiate_login_uri": "https://app.example/start", "client_uri": "https://app.example/"});
        let client = registration_of(&server.register(start).await.json());
        let mut browser = server.browser();
        browser.enter("ada").await;
        let link = "href=\"https://app.example/start?iss=https%3A%2F%2Fid.example&";
        assert!(!browser.get("/account").await.body.contains(link), "it has no access yet");
        browser.authorize_as(&server.authorization(&client, &[("scope", "openid profile")]), "ada").await;
        let page = browser.get("/account").await.body.replace("&#38;", "&");
        let rest = page.split(link).nth(1).unwrap().split('"').next().unwrap();
        let (hint, target) = rest.split_once("target_link_uri=").unwrap();
        assert!(hint.starts_with("login_hint=ada&"), "{rest}");
        assert_eq!(target, "https%3A%2F%2Fapp.example%2F");
    }

    /// oidcc-3rdparty-init-login-nohttps
    async fn an_app_cannot_register_to_be_started_without_https(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        for uri in ["http://app.example/start", "/start", "com.example.app:/start", "https://app.example/start#x"] {
            let answer = server.register(json!({"initiate_login_uri": uri})).await;
            answer.assert_error(400, "invalid_client_metadata");
            assert!(answer.body.contains("initiate_login_uri"), "{answer:?}");
        }
    }

    async fn an_app_that_may_not_know_the_persons_name_is_not_told_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({"initiate_login_uri": "https://app.example/start"})).await;
        let mut browser = server.browser();
        browser.authorize_as(&server.authorization(&client, &[("scope", "openid")]), "ada").await;
        let page = browser.get("/account").await.body;
        assert!(page.contains("https://app.example/start?iss=") && !page.contains("login_hint"), "{page}");
    }

    async fn the_operators_own_apps_are_there_for_everybody_and_others_are_not(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let start = |host: &str| format!("https://{host}/start");
        let named = |name: &str, first_party: bool| json!({
            "client_name": name, "first_party": first_party, "initiate_login_uri": start(&format!("{name}.example")),
        });
        let own = server.client(named("own", true)).await;
        server.client(named("other", false)).await;
        server.client(json!({"client_name": "mute", "first_party": true})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = browser.get("/account").await.body;
        assert!(page.contains("https://own.example/start?iss=https%3A%2F%2Fid.example"), "{page}");
        assert!(page.contains("More apps for you") && !page.contains("other.example") && !page.contains("mute"));
        browser.authorize_as(&server.authorization(&own, &[]), "ada").await;
        let page = browser.get("/account").await.body;
        assert_eq!(page.matches("https://own.example/start").count(), 1, "once, with its access");
        assert!(!page.contains("More apps for you"));
        server.change_client(&own, json!({"initiate_login_uri": null})).await;
        assert!(!browser.get("/account").await.body.contains("own.example/start"));
    }
}
