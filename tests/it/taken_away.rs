//! What the operator, or a client itself, takes from a client's registration is in no token and no answer from the next
//! request on.

use axum::http::Method;
use serde_json::{Value, json};

use crate::device;
use crate::support::authorization::is_consent;
use crate::support::{
    ExternalUi, Kind, OPEN, Registration, TestServer, claims_of, hidden, merged, on_both, registration_of,
    text,
};
use crate::token_exchange::{ID_TOKEN, NEXT, Place, TOKEN_EXCHANGE, exchange};
use chancery::model::Noted;

const SCOPE: &str = "openid offline_access read write";
const ALL: [(&str, &str); 1] = [("scope", SCOPE)];

async fn start(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start(kind).await;
    server.user("ada").await;
    let client = server.client(json!({"scope": SCOPE})).await;
    (server, client)
}

/// What introspection says of a token's scope; none: it is not active.
async fn scope_of(server: &TestServer, client: &Registration, token: &str) -> Option<String> {
    let told = server.introspect(client, token).await.json();
    (told["active"] == true).then(|| told["scope"].as_str().unwrap_or_default().to_owned())
}

fn access(tokens: &Value) -> String {
    text(tokens, "access_token")
}

on_both! {
    async fn a_scope_that_was_taken_away_is_in_no_token_of_a_code_or_a_refresh(kind: Kind) {
        let (server, client) = start(kind).await;
        let code = server.code(&client, "ada", &ALL).await;
        let token = text(&server.tokens_with(&client, "ada", &ALL).await, "refresh_token");
        server.change_client(&client, json!({"scope": "openid offline_access read"})).await;
        let exchanged = server.redeem(&client, &code).await.json();
        let refreshed = server.refresh(&client, &token).await.json();
        for tokens in [&exchanged, &refreshed] {
            assert_eq!(tokens["scope"], "openid offline_access read");
            assert_eq!(claims_of(&access(tokens))["scope"], "openid offline_access read");
        }
        // Asked for by name it is left out, and the client is told.
        let asked = async |token: &str, scope: &str| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
            server.post_as(&client, "/token", &form).await
        };
        let token = text(&refreshed, "refresh_token");
        asked(&token, "write").await.assert_error(400, "invalid_scope");
        let tokens = asked(&token, "read write").await.json();
        assert_eq!(tokens["scope"], "read");
        // What is given back counts again: the user allowed it.
        server.change_client(&client, json!({"scope": SCOPE})).await;
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(tokens["scope"], SCOPE);
    }

    async fn introspection_of_both_tokens_says_what_is_left(kind: Kind) {
        let (server, client) = start(kind).await;
        let tokens = server.tokens_with(&client, "ada", &ALL).await;
        let both = [access(&tokens), text(&tokens, "refresh_token")];
        let lone = server.client_token(&client, "read write").await;
        let only = server.client_token(&client, "write").await;
        for token in &both {
            assert_eq!(scope_of(&server, &client, token).await.as_deref(), Some(SCOPE));
        }
        server.change_client(&client, json!({"scope": "openid offline_access read"})).await;
        for token in &both {
            let left = scope_of(&server, &client, token).await;
            assert_eq!(left.as_deref(), Some("openid offline_access read"));
        }
        assert_eq!(scope_of(&server, &client, &lone).await.as_deref(), Some("read"));
        // Whoever looks at `active` alone must not take it for what it was.
        assert_eq!(scope_of(&server, &client, &only).await, None);
        server.change_client(&client, json!({"scope": "profile"})).await;
        for token in &both {
            assert_eq!(scope_of(&server, &client, token).await, None);
        }
    }

    async fn an_opaque_token_says_what_is_left_too(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({"scope": SCOPE, "token_format": "opaque"})).await;
        let token = access(&server.tokens_with(&client, "ada", &ALL).await);
        server.change_client(&client, json!({"scope": "openid read"})).await;
        assert_eq!(scope_of(&server, &client, &token).await.as_deref(), Some("openid read"));
    }

    async fn a_grant_of_which_nothing_is_left_gives_nothing(kind: Kind) {
        let (server, client) = start(kind).await;
        let code = server.code(&client, "ada", &ALL).await;
        server.change_client(&client, json!({"scope": "profile"})).await;
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        server.change_client(&client, json!({"scope": SCOPE})).await;
        assert_eq!(server.redeem(&client, &code).await.status, 200, "a slip of the operator spends no code");
    }

    async fn refresh_ends_when_offline_access_goes(kind: Kind) {
        let (server, client) = start(kind).await;
        let code = server.code(&client, "ada", &ALL).await;
        let token = text(&server.tokens_with(&client, "ada", &ALL).await, "refresh_token");
        for change in [
            json!({"scope": "openid read write"}),
            json!({"scope": SCOPE, "refresh_policy": "never"}),
        ] {
            server.change_client(&client, change).await;
            server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
            assert!(!server.is_active(&client, &token).await);
        }
        server.change_client(&client, json!({"scope": "openid read write", "refresh_policy": null})).await;
        let tokens = server.redeem(&client, &code).await.json();
        assert_eq!((tokens.get("refresh_token"), &tokens["scope"]), (None, &json!("openid read write")));
        // What came of that code ends with its session, as if it had never been for offline use.
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'active' AND NOT refreshable").await, 1);
        // Nothing was revoked: what is given back counts again.
        server.change_client(&client, json!({"scope": SCOPE})).await;
        assert_eq!(server.refresh(&client, &token).await.status, 200);
    }

    async fn refresh_ends_when_its_grant_type_goes(kind: Kind) {
        let (server, client) = start(kind).await;
        let token = text(&server.tokens_with(&client, "ada", &ALL).await, "refresh_token");
        server.change_client(&client, json!({"grant_types": ["authorization_code"]})).await;
        server.refresh(&client, &token).await.assert_error(400, "unauthorized_client");
        assert!(!server.is_active(&client, &token).await);
    }

    async fn a_device_gets_what_is_left(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = device::device_client(&server, json!({"scope": SCOPE})).await;
        let start = async || {
            let answer = server.post_as(&client, "/device_authorization", &ALL).await;
            let started = answer.json();
            device::answer(&mut server.browser(), "ada", &started, "allow").await;
            started
        };
        let (first, second) = (start().await, start().await);
        server.change_client(&client, json!({"scope": "openid offline_access read"})).await;
        let tokens = device::poll(&server, &client, &first).await.json();
        assert_eq!(claims_of(&access(&tokens))["scope"], "openid offline_access read");
        assert!(tokens["refresh_token"].is_string());
        server.change_client(&client, json!({"scope": "openid read"})).await;
        let tokens = device::poll(&server, &client, &second).await.json();
        assert_eq!((tokens.get("refresh_token"), &tokens["scope"]), (None, &json!("openid read")));
    }

    async fn a_request_that_waits_for_its_user_gives_what_is_left(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__IMPLICIT", "true")]).await;
        server.user("ada").await;
        let types = json!({
            "response_types": ["code", "code token"], "grant_types": ["authorization_code", "implicit"],
            "scope": "openid read write",
        });
        let client = server.client(types).await;
        let change = [("response_type", "code token"), ("scope", "openid read write")];
        let mut browser = server.browser();
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &change)).await;
        let page = browser.follow(answer).await;
        server.change_client(&client, json!({"scope": "openid read"})).await;
        let answer = browser.decide(&page, "allow").await;
        let token = answer.returned("access_token").unwrap();
        assert_eq!(claims_of(&token)["scope"], "openid read");
        // Nothing is left of another.
        server.change_client(&client, json!({"scope": "openid email"})).await;
        let answer = browser.get(&server.authorization(&client, &[("scope", "email")])).await;
        let page = browser.follow(answer).await;
        server.change_client(&client, json!({"scope": "profile"})).await;
        browser.decide(&page, "allow").await.assert_redirect_error("invalid_scope");
    }

    async fn the_consent_page_shows_and_remembers_only_what_is_left(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({"scope": "openid email phone"})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let claims = r#"{"userinfo": {"phone_number": null}}"#;
        let asked = server.authorization(&client, &[("scope", "openid email"), ("claims", claims)]);
        let answer = browser.get(&asked).await;
        let before = browser.follow(answer).await;
        assert!(before.body.contains("email address") && before.body.contains("phone number"), "{before:?}");
        server.change_client(&client, json!({"scope": "openid"})).await;
        let id = hidden(&before, "request");
        let page = browser.get(&format!("/consent?request={id}")).await;
        assert!(is_consent(&page), "{page:?}");
        assert!(!page.body.contains("email address") && !page.body.contains("phone number"), "{page:?}");
        browser.decide(&before, "allow").await;
        server.change_client(&client, json!({"scope": "openid email phone"})).await;
        let answer = browser.get(&asked).await;
        assert!(is_consent(&browser.follow(answer).await), "nobody allowed what no page showed");
        // Nothing is left: there is nothing to be asked.
        let answer = browser.get(&server.authorization(&client, &[("scope", "email")])).await;
        let page = browser.follow(answer).await;
        server.change_client(&client, json!({"scope": "openid"})).await;
        let answer = browser.get(&format!("/consent?request={}", hidden(&page, "request"))).await;
        answer.assert_redirect_error("invalid_scope");
    }

    async fn the_page_of_a_device_shows_and_allows_only_what_is_left(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = device::device_client(&server, json!({"scope": "openid email phone"})).await;
        let started = server.post_as(&client, "/device_authorization", &[("scope", "openid email")]).await.json();
        server.change_client(&client, json!({"scope": "openid phone"})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let csrf = hidden(&browser.get("/device").await, "csrf");
        let code = text(&started, "user_code");
        let page = browser.post("/device", &[("csrf", &*csrf), ("user_code", &code)]).await;
        assert!(page.body.contains("name=\"decision\"") && !page.body.contains("email address"), "{page:?}");
        device::answer(&mut browser, "ada", &started, "allow").await;
        server.change_client(&client, json!({"scope": "openid email phone"})).await;
        assert_eq!(device::poll(&server, &client, &started).await.json()["scope"], "openid");
    }

    async fn an_external_consent_page_hears_only_of_what_is_left(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.client(json!({"scope": SCOPE, "ui": "external"})).await;
        let ui = ExternalUi(&server);
        let mut browser = server.browser();
        let challenge = ui.start(&mut browser, &client, &ALL).await;
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        let asked = async || ui.get("consent", &challenge).await.json()["requested_scope"].clone();
        assert_eq!(asked().await, json!(["openid", "offline_access", "read", "write"]));
        server.change_client(&client, json!({"scope": "openid read"})).await;
        assert_eq!(asked().await, json!(["openid", "read"]));
    }

    async fn userinfo_says_nothing_of_scopes_that_were_taken_away(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({})).await;
        let claims = r#"{"userinfo": {"phone_number": null}, "id_token": {"phone_number": null}}"#;
        let change = [("scope", "openid offline_access email profile"), ("claims", claims)];
        let tokens = server.tokens_with(&client, "ada", &change).await;
        let ask = async || server.get_with_token("/userinfo", &access(&tokens)).await;
        let told = ask().await.json();
        assert!(told["email"].is_string() && told["phone_number"].is_string(), "{told}");
        assert!(claims_of(&text(&tokens, "id_token"))["phone_number"].is_string());
        server.change_client(&client, json!({"scope": "openid offline_access profile"})).await;
        let told = ask().await.json();
        assert_eq!((told.get("email"), told.get("phone_number"), told["name"].is_string()), (None, None, true));
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(claims_of(&text(&tokens, "id_token")).get("phone_number"), None);
        server.change_client(&client, json!({"scope": "offline_access profile"})).await;
        assert_eq!(ask().await.status, 403);
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(tokens.get("id_token"), None);
    }

    async fn what_a_scope_implied_goes_with_its_entry_in_the_catalogue(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        server.scope("all", json!({"implies": "read write"})).await;
        let client = server.client(json!({"scope": "openid offline_access all"})).await;
        let tokens = server.tokens_with(&client, "ada", &ALL).await;
        assert_eq!(tokens["scope"], SCOPE);
        assert!(server.app.storage.delete_scope(Noted::nothing(), "all").await.unwrap());
        server.app.reload_registry().await.unwrap();
        let left = scope_of(&server, &client, &access(&tokens)).await;
        assert_eq!(left.as_deref(), Some("openid offline_access"));
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(tokens["scope"], "openid offline_access");
    }

    async fn a_resource_that_was_taken_away_is_in_no_token_and_no_answer(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let (api, other) = ("https://api.example", "https://other.example");
        server.resource(api, json!({"scope": "read"})).await;
        server.resource(other, json!({"scope": "write"})).await;
        let client = server.client(json!({"scope": SCOPE, "resources": [api, other]})).await;
        let of_api = server.client(json!({"resource_server": api})).await;
        let change = [("scope", SCOPE), ("audience", &*format!("{api} {other}"))];
        let code = server.code(&client, "ada", &change).await;
        let both = server.tokens_with(&client, "ada", &change).await;
        let lone = server.tokens_with(&client, "ada", &[("scope", "openid offline_access read"), ("resource", api)]).await;
        assert!(server.is_active(&of_api, &access(&both)).await && server.is_active(&of_api, &access(&lone)).await);
        server.change_client(&client, json!({"resources": [other]})).await;
        assert!(!server.is_active(&of_api, &access(&both)).await && !server.is_active(&of_api, &access(&lone)).await);
        assert!(!server.is_active(&client, &access(&lone)).await);
        let told = server.introspect(&client, &access(&both)).await.json();
        assert_eq!((&told["aud"], &told["scope"]), (&json!(other), &json!("write")));
        let tokens = server.redeem(&client, &code).await.json();
        assert_eq!(claims_of(&access(&tokens))["aud"], other);
        server.refresh(&client, &text(&lone, "refresh_token")).await.assert_error(400, "invalid_target");
        assert!(server.app.storage.delete_resource(Noted::nothing(), other).await.unwrap());
        server.app.reload_registry().await.unwrap();
        assert!(!server.is_active(&client, &access(&both)).await);
    }

    async fn an_audience_that_was_taken_away_is_in_no_token_and_no_answer(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({"scope": SCOPE, "audience": ["first", "second"]})).await;
        let named = server.client(json!({"client_id": "first"})).await;
        let tokens = server.tokens_with(&client, "ada", &ALL).await;
        let lone = server.client_token(&client, "read").await;
        assert!(server.is_active(&named, &access(&tokens)).await);
        server.change_client(&client, json!({"audience": ["second"]})).await;
        assert!(!server.is_active(&named, &access(&tokens)).await && !server.is_active(&named, &lone).await);
        for token in [&access(&tokens), &lone] {
            assert_eq!(server.introspect(&client, token).await.json()["aud"], "second");
        }
        server.change_client(&client, json!({"audience": []})).await;
        for token in [&access(&tokens), &lone] {
            assert!(!server.is_active(&client, token).await);
        }
        let refreshed = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(claims_of(&access(&refreshed))["aud"], server.issuer());
        // A default audience that is named later takes nothing away.
        server.change_client(&client, json!({"audience": ["third"]})).await;
        assert!(server.is_active(&client, &access(&refreshed)).await);
    }

    async fn an_audience_that_an_external_page_granted_is_left_only_while_it_is_the_clients(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.client(json!({"scope": SCOPE, "audience": ["first", "second"], "ui": "external"})).await;
        let consent = json!({"grant_scope": SCOPE.split(' ').collect::<Vec<_>>(), "grant_access_token_audience": ["first"]});
        let tokens = ExternalUi(&server).tokens(&client, &ALL, consent).await;
        assert_eq!(claims_of(&access(&tokens))["aud"], "first");
        server.change_client(&client, json!({"audience": ["second"]})).await;
        assert!(!server.is_active(&client, &access(&tokens)).await);
        // Not one for the rest instead: that is not what was granted.
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_target");
        server.change_client(&client, json!({"audience": ["first", "second"]})).await;
        assert_eq!(server.refresh(&client, &text(&tokens, "refresh_token")).await.status, 200);
    }

    async fn an_exchange_takes_over_only_what_the_subject_tokens_client_has_left(kind: Kind) {
        let place = Place::new(kind).await;
        let tokens = place.tokens().await;
        assert_eq!(claims_of(&place.exchanged(&access(&tokens)).await)["scope"], "read");
        place.server.change_client(&place.web, json!({"scope": "openid offline_access write"})).await;
        let exchanged = place.exchange(&access(&tokens), &[]).await.json();
        assert_eq!(claims_of(&access(&exchanged)).get("scope"), None);
        place.exchange(&access(&tokens), &[("scope", "read")]).await.assert_error(400, "invalid_scope");
        place.server.change_client(&place.web, json!({"resources": []})).await;
        place.exchange(&access(&tokens), &[]).await.assert_error(400, "invalid_request");
    }

    async fn an_id_token_stands_for_what_its_client_has_left(kind: Kind) {
        let place = Place::new(kind).await;
        let change = json!({"scope": "openid read write", "grant_types": ["authorization_code", TOKEN_EXCHANGE], "token_exchange_policy": "any"});
        let client = place.server.client(change).await;
        let tokens = place.server.tokens_with(&client, "ada", &[("scope", "openid read write")]).await;
        place.server.change_client(&client, json!({"scope": "openid write"})).await;
        let form = [("subject_token_type", ID_TOKEN)];
        let exchanged = exchange(&place.server, &client, &text(&tokens, "id_token"), &form).await.json();
        assert_eq!(claims_of(&access(&exchanged))["scope"], "write");
    }

    async fn an_exchanged_token_ends_with_its_clients_right_to_exchange(kind: Kind) {
        let place = Place::new(kind).await;
        let token = place.exchanged(&place.subject_token().await).await;
        let server = &place.server;
        let any = server.client(json!({"introspection_policy": "any"})).await;
        assert!(server.is_active(&any, &token).await);
        for change in [
            json!({"token_exchange_policy": "delegation"}),
            json!({"token_exchange_policy": "any", "grant_types": ["client_credentials"]}),
        ] {
            server.change_client(&place.backend, change).await;
            assert!(!server.is_active(&any, &token).await);
        }
        let right = [TOKEN_EXCHANGE, "client_credentials"];
        server.change_client(&place.backend, json!({"grant_types": right})).await;
        assert!(server.is_active(&any, &token).await);
        server.change_client(&place.backend, json!({"scope": "openid"})).await;
        assert!(!server.is_active(&any, &token).await);
        server.change_client(&place.backend, json!({"scope": "read"})).await;
        assert!(server.is_active(&any, &token).await);
        let of_next = server.client(json!({"resource_server": NEXT})).await;
        let next = place.exchange(&place.subject_token().await, &[("resource", NEXT)]).await.text("access_token");
        assert!(server.is_active(&of_next, &next).await);
        server.change_client(&place.backend, json!({"resources": []})).await;
        assert!(!server.is_active(&of_next, &next).await);
    }

    async fn what_a_client_takes_from_itself_is_gone_at_once(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let grants = json!(["authorization_code", "refresh_token"]);
        let change = json!({"scope": "openid email offline_access", "grant_types": grants});
        let registered = server.register(change).await.json();
        let client = registration_of(&registered);
        let tokens = server.tokens_with(&client, "ada", &[("scope", "openid email offline_access")]).await;
        let update = async |scope: &str| {
            let made = json!({
                "registration_access_token": null, "registration_client_uri": null, "client_secret": null,
                "client_secret_expires_at": null, "client_id_issued_at": null, "scope": scope,
            });
            let answer = server.manage(Method::PUT, &registered, &merged(registered.clone(), &made)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        };
        update("openid offline_access").await;
        let left = scope_of(&server, &client, &access(&tokens)).await;
        assert_eq!(left.as_deref(), Some("openid offline_access"));
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(tokens["scope"], "openid offline_access");
        update("openid").await;
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
    }

    async fn another_process_notices_by_itself_what_was_taken_away(kind: Kind) {
        let (server, client) = start(kind).await;
        let replica = server.replica().await;
        let _tasks = chancery::boot::spawn_background_tasks(&replica.app);
        let token = access(&server.tokens_with(&client, "ada", &ALL).await);
        assert_eq!(scope_of(&replica, &client, &token).await.as_deref(), Some(SCOPE));
        server.change_client(&client, json!({"scope": "openid read"})).await;
        for _ in 0..100 {
            if scope_of(&replica, &client, &token).await.as_deref() == Some("openid read") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the change was not noticed");
    }

    async fn what_is_left_costs_no_statement(kind: Kind) {
        let (server, client) = start(kind).await;
        let tokens = server.tokens_with(&client, "ada", &ALL).await;
        server.change_client(&client, json!({"scope": "openid offline_access read"})).await;
        server.client_token(&client, "read").await;
        let (statements, _) = server.statements(scope_of(&server, &client, &access(&tokens))).await;
        assert_eq!(statements, 1);
        let (statements, _) = server.statements(server.refresh(&client, &text(&tokens, "refresh_token"))).await;
        assert_eq!(statements, 2);
    }
}
