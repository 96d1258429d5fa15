//! What the pages of somebody else are told of a request, and that it is what was asked for.

use serde_json::json;

use crate::support::authorization::assert_refused;
use crate::support::{ExternalUi, TestServer, on_both, query_of, text};

on_both! {
    async fn prompt_create_goes_to_the_external_login_page_and_on_as_a_sign_in(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let mut browser = server.browser();
        // Somebody is signed in and has consented: an account is made nevertheless.
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada", "remember": true})).await;
        let consent = json!({"grant_scope": ["openid"], "remember": true});
        ui.allow(&mut browser, &challenge, consent.clone()).await;
        let challenge = ui.start(&mut browser, &client, &[("prompt", "create")]).await;
        let shown = ui.get("login", &challenge).await.json();
        assert_eq!((&shown["skip"], &shown["subject"]), (&json!(false), &json!("")));
        assert_eq!(query_of(&text(&shown, "request_url"), "prompt").as_deref(), Some("create"));
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "new"})).await;
        assert_eq!(ui.get("consent", &challenge).await.json()["subject"], "new");
        let code = ui.allow(&mut browser, &challenge, consent).await;
        assert_eq!(server.redeem(&client, &code).await.status, 200);
    }

    async fn prompt_create_is_for_clients_with_external_pages_and_never_silent(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (own, external) = (server.client(json!({})).await, server.external_client().await);
        let create = [("prompt", "create")];
        assert_refused(&server, &own, "invalid_request", &[&create, &[("prompt", "login create")]]).await;
        let silent: [&[_]; 2] = [&[("prompt", "create none")], &[("prompt", "none create")]];
        assert_refused(&server, &external, "invalid_request", &silent).await;
        let answer = server.get(&server.authorization(&own, &create)).await;
        let why = answer.returned("error_description").unwrap();
        assert!(why.starts_with("prompt=create is not supported"), "{why}");
    }

    async fn a_server_without_external_pages_has_no_sign_up_and_says_so(kind: Kind) {
        let server = TestServer::start(kind).await;
        // Registered for external pages that are not there: it has our own.
        let client = server.client(json!({"ui": "external"})).await;
        assert_refused(&server, &client, "invalid_request", &[&[("prompt", "create")]]).await;
        let without = json!(["none", "login", "consent", "select_account"]);
        let with = json!(["none", "login", "consent", "select_account", "create"]);
        let external = TestServer::with_external_ui(kind, &[]).await;
        for (server, expected) in [(server, without), (external, with)] {
            for document in ["openid-configuration", "oauth-authorization-server"] {
                let found = server.get(&format!("/.well-known/{document}")).await.json();
                assert_eq!(found["prompt_values_supported"], expected);
            }
        }
    }
}
