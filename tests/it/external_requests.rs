//! What the pages of somebody else are told of a request, and that it is what was asked for.

use chancery::model::AuthorizationRequestId;
use serde_json::json;

use crate::request_objects;
use crate::support::authorization::assert_refused;
use crate::support::{
    ExternalUi, Registration, Signer, TestServer, login_challenge, on_both, query_of, text,
};

/// The parameters of a URL in their order, but for these.
fn parameters(url: &str, but: &[&str]) -> Vec<(String, String)> {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().into_owned().filter(|(name, _)| !but.contains(&name.as_str())).collect()
}

on_both! {
    async fn the_request_url_is_the_request_as_the_client_sent_it(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let tokens = ui.tokens(&client, &[], json!({"grant_scope": ["openid"]})).await;
        let hint = text(&tokens, "id_token");
        let claims = r#"{"userinfo": {"email": {"essential": true}, "unknown": null}, "id_token": {"acr": null}}"#;
        let path = server.authorization(&client, &[
            ("claims", claims), ("claims_locales", "fr de"), ("ui_locales", "de"), ("acr_values", "a b"),
            ("display", "popup"), ("id_token_hint", &hint), ("login_hint", "ada"), ("max_age", "7200"),
            ("resource", "https://api.example"), ("approval_prompt", "force"), ("screen", "ä&b=c"),
        ]);
        let mut browser = server.browser();
        let challenge = login_challenge(&browser.get(&path).await);
        let sent = format!("{}{path}", server.issuer());
        let shown = ui.get("login", &challenge).await.json();
        assert_eq!(parameters(&text(&shown, "request_url"), &[]), parameters(&sent, &[]));
        ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        assert_eq!(ui.get("consent", &challenge).await.json()["request_url"], shown["request_url"]);
    }

    async fn the_request_url_of_a_pushed_request_or_an_object_is_what_counts_without_secrets(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (ui, signer) = (ExternalUi(&server), Signer::new("ES256"));
        let metadata = json!({"ui": "external", "token_endpoint_auth_method": "client_secret_post", "jwks": signer.jwks()});
        let client = server.client(metadata).await;
        let path = server.authorization(&client, &[("screen", "dark")]);
        let sent = parameters(&format!("{}{path}", server.issuer()), &[]);
        let secret = client.secret.clone();
        let mut form: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        form.push(("client_secret", &secret));
        let request_uri = text(&server.post("/par", &[], &form).await.json(), "request_uri");
        let object = signer.sign(&request_objects::claims(&server, &client, json!({"screen": "dark"})));
        for path in [("request_uri", request_uri), ("request", object)].map(|(name, value)| request_objects::path(&client, name, &value)) {
            let challenge = login_challenge(&server.browser().get(&path).await);
            let url = text(&ui.get("login", &challenge).await.json(), "request_url");
            assert_eq!((query_of(&url, "screen").as_deref(), query_of(&url, "response_type").as_deref()), (Some("dark"), Some("code")));
            assert!(!url.contains(&secret) && query_of(&url, "request").is_none(), "{url}");
        }
    }

    async fn a_request_is_kept_as_it_was_sent_for_external_pages_only_and_in_bounds(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (external, own) = (server.external_client().await, server.client(json!({})).await);
        // Short enough to be a request, and too long once it is encoded.
        let long = "ü".repeat(6000);
        let kept = async |client: &Registration, screen: &str| {
            let answer = server.get(&server.authorization(client, &[("screen", screen), ("acr_values", "a")])).await;
            let id = query_of(answer.location(), "login_challenge").or_else(|| query_of(answer.location(), "request"));
            let pending = server.app.storage.request(&AuthorizationRequestId::new(id.unwrap())).await.unwrap().unwrap();
            (pending.id, pending.request.sent.is_some())
        };
        assert!(kept(&external, "dark").await.1);
        assert!(!kept(&own, "dark").await.1);
        let (challenge, is_kept) = kept(&external, &long).await;
        let url = text(&ExternalUi(&server).get("login", challenge.as_str()).await.json(), "request_url");
        assert_eq!((is_kept, query_of(&url, "acr_values").as_deref(), query_of(&url, "screen")), (false, Some("a"), None));
    }

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
