//! The parameter `claims` (OpenID Connect Core 5.5): what it gives, to whom, and after whose yes.

use serde_json::{Value, json};

use crate::support::authorization::{assert_code, assert_refused, is_consent, is_sign_in};
use crate::support::{
    Answer, ExternalUi, Kind, PASSWORD, Registration, Signer, TestServer, claims_of, encode, login_challenge,
    names, on_both, query_of, text,
};

const EMAIL: &str = r#"{"userinfo": {"email": {"essential": true}}}"#;

async fn start(kind: Kind, change: Value) -> (TestServer, Registration) {
    let server = TestServer::start(kind).await;
    server.user("ada").await;
    let client = server.client(change).await;
    (server, client)
}

/// What UserInfo says beside `sub`.
async fn userinfo(server: &TestServer, tokens: &Value) -> Value {
    let answer = server.get_with_token("/userinfo", &text(tokens, "access_token")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut claims = answer.json();
    claims.as_object_mut().unwrap().remove("sub").unwrap();
    claims
}

fn acr(essential: bool, values: &[&str]) -> String {
    json!({"id_token": {"acr": {"essential": essential, "values": values}}}).to_string()
}

on_both! {
    async fn oidcc_claims_essential_a_single_claim_comes_where_it_was_asked_for_and_no_other(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let plain = server.tokens_with(&client, "ada", &[("scope", "openid")]).await;
        assert_eq!(userinfo(&server, &plain).await, json!({}));
        let both = r#"{"userinfo": {"name": {"essential": true}, "x": null}, "id_token": {"email": null, "website": null}}"#;
        let change = [("scope", "openid offline_access"), ("claims", both)];
        let tokens = server.tokens_with(&client, "ada", &change).await;
        assert_eq!(userinfo(&server, &tokens).await, json!({"name": "Ada Lovelace"}));
        let id_token = claims_of(&text(&tokens, "id_token"));
        assert_eq!(id_token["email"], "ada@mail.example");
        let without: Vec<_> = names(&id_token).into_iter().filter(|name| *name != "email").map(str::to_owned).collect();
        assert_eq!(without, names(&claims_of(&text(&plain, "id_token"))));
        // What was granted lasts as long as the grant.
        let again = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(userinfo(&server, &again).await, json!({"name": "Ada Lovelace"}));
        assert_eq!(claims_of(&text(&again, "id_token"))["email"], "ada@mail.example");
        // No scope comes of it.
        assert_eq!(text(&tokens, "scope"), "openid offline_access");
    }

    async fn oidcc_scope_all_every_scope_at_once_gives_the_claims_of_each(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let tokens = server.tokens_with(&client, "ada", &[("scope", "openid profile email address phone")]).await;
        let claims = userinfo(&server, &tokens).await;
        let expected = ["email", "email_verified", "name", "phone_number", "phone_number_verified", "preferred_username", "updated_at"];
        let mut found = names(&claims);
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    async fn a_claim_with_a_value_comes_only_if_it_has_that_value(kind: Kind) {
        let (server, client) = start(kind, json!({"skip_consent": true})).await;
        for (asked, comes) in [
            (json!({"value": "ada@mail.example"}), true),
            (json!({"values": ["x", "ada@mail.example"]}), true),
            (json!({"value": "bob@mail.example"}), false),
            (json!({"values": ["x", 1]}), false),
        ] {
            let claims = json!({"userinfo": {"email": asked}}).to_string();
            let tokens = server.tokens_with(&client, "ada", &[("scope", "openid"), ("claims", &claims)]).await;
            assert_eq!(userinfo(&server, &tokens).await["email"] == "ada@mail.example", comes, "{asked}");
        }
    }

    async fn a_client_gets_no_claim_of_a_scope_that_it_may_not_ask_for(kind: Kind) {
        let (server, client) = start(kind, json!({"skip_consent": true, "scope": "openid profile"})).await;
        let claims = r#"{"userinfo": {"email": {"essential": true}, "name": null}, "id_token": {"groups": null}}"#;
        let tokens = server.tokens_with(&client, "ada", &[("scope", "openid"), ("claims", claims)]).await;
        assert_eq!(userinfo(&server, &tokens).await, json!({"name": "Ada Lovelace"}));
        assert!(claims_of(&text(&tokens, "id_token")).get("groups").is_none());
    }

    async fn without_openid_there_are_no_claims_to_ask_for(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let path = server.authorization(&client, &[("scope", "read"), ("claims", EMAIL)]);
        let first = browser.get(&path).await;
        let page = browser.follow(first).await;
        assert!(is_consent(&page) && !page.body.contains("See your email address"), "{page:?}");
    }

    async fn a_single_claim_needs_a_yes_to_the_scope_that_holds_it(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let mut browser = server.browser();
        browser.tokens(&client, "ada", &[("scope", "openid")]).await;
        let request = |prompt| server.authorization(&client, &[("scope", "openid"), ("claims", EMAIL), ("prompt", prompt)]);
        // What was allowed before is not widened by the way.
        browser.get(&request("none")).await.assert_redirect_error("consent_required");
        let first = browser.get(&request("")).await;
        let page = browser.follow(first).await;
        assert!(is_consent(&page), "{page:?}");
        assert!(page.body.contains("See your email address <strong class=\"new\">New</strong>"), "{page:?}");
        let answer = browser.decide(&page, "deny").await;
        answer.assert_redirect_error("access_denied");
        browser.get(&request("none")).await.assert_redirect_error("consent_required");
        let first = browser.get(&request("")).await;
        let page = browser.follow(first).await;
        assert_code(&browser.decide(&page, "allow").await);
        // The yes is remembered.
        assert_code(&browser.get(&request("none")).await);
        let more = r#"{"id_token": {"phone_number": null}}"#;
        let more = server.authorization(&client, &[("scope", "openid"), ("claims", more), ("prompt", "none")]);
        browser.get(&more).await.assert_redirect_error("consent_required");
    }

    async fn what_is_not_of_the_form_in_the_standard_is_refused(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let long = format!("{{\"x\": \"{}\"}}", "x".repeat(4096));
        for bad in ["x", "[]", r#"{"userinfo": 1}"#, r#"{"id_token": {"email": "yes"}}"#, &long] {
            assert_refused(&server, &client, "invalid_request", &[&[("claims", bad)]]).await;
        }
    }

    async fn it_counts_in_a_pushed_request_and_in_a_request_object_too(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, json!({"jwks": signer.jwks(), "skip_consent": true})).await;
        let path = server.authorization(&client, &[("scope", "openid"), ("claims", EMAIL)]);
        let parameters: Vec<(String, String)> = url::Url::parse(&format!("{}{path}", server.issuer()))
            .unwrap().query_pairs().into_owned().collect();
        let form: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let pushed = text(&server.post_as(&client, "/par", &form).await.json(), "request_uri");
        let mut object: Value = parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        object["claims"] = serde_json::from_str(EMAIL).unwrap();
        let object = signer.sign(&object);
        for (name, value) in [("request_uri", &pushed), ("request", &object)] {
            let path = format!("/authorize?{}", encode(&[("client_id", client.id.as_str()), (name, value)]));
            let answer = server.browser().authorize_as(&path, "ada").await;
            let tokens = server.redeem(&client, &query_of(answer.location(), "code").unwrap()).await.json();
            assert_eq!(userinfo(&server, &tokens).await, json!({"email": "ada@mail.example"}), "{name}");
        }
    }

    async fn sub_with_a_value_names_the_only_user_whom_the_answer_may_be_about(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        for member in ["userinfo", "id_token"] {
            let claims = json!({member: {"sub": {"value": ada.id}}}).to_string();
            let request = |prompt| server.authorization(&client, &[("claims", &claims), ("prompt", prompt)]);
            let mut browser = server.browser();
            browser.enter("bob").await;
            browser.get(&request("none")).await.assert_redirect_error("login_required");
            let first = browser.get(&request("")).await;
            let page = browser.follow(first).await;
            assert!(is_sign_in(&page), "{page:?}");
            let answer = browser.sign_in(&page, "bob", PASSWORD).await;
            browser.follow(answer).await.assert_redirect_error("login_required");
            browser.add("ada").await;
            assert_code(&browser.get(&request("none")).await);
        }
        let hint = text(&server.tokens(&client, "bob").await, "id_token");
        for (user, fits) in [(&ada, false), (&bob, true)] {
            let claims = json!({"id_token": {"sub": {"value": user.id}}}).to_string();
            let answer = server.get(&server.authorization(&client, &[("claims", &claims), ("id_token_hint", &hint)])).await;
            match fits {
                true => assert!(answer.location().contains("/login?request="), "{answer:?}"),
                false => answer.assert_redirect_error("invalid_request"),
            }
        }
    }

    async fn an_essential_acr_that_cannot_be_met_ends_the_request_and_a_voluntary_one_does_not(kind: Kind) {
        let (server, client) = start(kind, json!({"skip_consent": true})).await;
        let mut browser = server.browser();
        let request = |claims: &str| server.authorization(&client, &[("claims", claims)]);
        // Nobody signs in in vain.
        browser.get(&request(&acr(true, &["2"]))).await.assert_redirect_error("unmet_authentication_requirements");
        browser.enter("ada").await;
        browser.get(&request(&acr(true, &["2"]))).await.assert_redirect_error("unmet_authentication_requirements");
        for met in [acr(true, &["2", "1"]), acr(false, &["2"]), r#"{"id_token": {"acr": {"essential": true}}}"#.into()] {
            let answer = browser.get(&request(&met)).await;
            assert_code(&answer);
            let tokens = server.redeem(&client, &query_of(answer.location(), "code").unwrap()).await.json();
            assert_eq!(claims_of(&text(&tokens, "id_token"))["acr"], "1");
        }
    }

    async fn pages_of_somebody_else_are_told_of_acr_and_have_to_meet_it(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let (mut browser, essential) = (server.browser(), acr(true, &["gold"]));
        let change = [("scope", "openid"), ("claims", essential.as_str())];
        let login = |acr: &str| json!({"subject": "ada", "remember": true, "acr": acr});
        let challenge = ui.start(&mut browser, &client, &change).await;
        assert_eq!(ui.get("login", &challenge).await.json()["oidc_context"]["acr_values"], json!(["gold"]));
        let grant = || json!({"grant_scope": ["openid"], "remember": true});
        let challenge = ui.log_in(&mut browser, &challenge, login("tin")).await;
        ui.answer(&mut browser, "consent/accept", &challenge, grant()).await
            .assert_redirect_error("unmet_authentication_requirements");
        // A session that does not meet it is not gone on with.
        let silent = server.authorization(&client, &[("scope", "openid"), ("claims", &essential), ("prompt", "none")]);
        browser.get(&silent).await.assert_redirect_error("login_required");
        let challenge = ui.start(&mut browser, &client, &change).await;
        assert_eq!(ui.get("login", &challenge).await.json()["skip"], false);
        let challenge = ui.log_in(&mut browser, &challenge, login("gold")).await;
        let code = ui.allow(&mut browser, &challenge, grant()).await;
        let tokens = server.redeem(&client, &code).await.json();
        assert_eq!(claims_of(&text(&tokens, "id_token"))["acr"], "gold");
        login_challenge(&browser.get(&silent).await);
    }

    async fn pages_of_somebody_else_grant_a_single_claim_by_the_scope_that_holds_it(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.client(json!({"ui": "external"})).await, ExternalUi(&server));
        server.user("bob").await;
        let both = r#"{"userinfo": {"preferred_username": null, "updated_at": null}}"#;
        let change = [("scope", "openid"), ("claims", both)];
        for (granted, comes) in [(json!(["openid"]), false), (json!(["openid", "profile"]), true)] {
            let mut browser = server.browser();
            let challenge = ui.start(&mut browser, &client, &change).await;
            let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
            let shown = ui.get("consent", &challenge).await.json();
            assert_eq!(shown["requested_scope"], json!(["openid", "profile"]));
            // Alone it is not a scope of the request.
            let answer = ui.put("consent/accept", &challenge, json!({"grant_scope": ["profile"]})).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let code = ui.allow(&mut browser, &challenge, json!({"grant_scope": granted})).await;
            let tokens = server.redeem(&client, &code).await.json();
            assert_eq!(text(&tokens, "scope"), "openid");
            assert_eq!(userinfo(&server, &tokens).await.get("updated_at").is_some(), comes);
        }
    }

    async fn an_id_token_from_the_authorization_endpoint_has_them_too(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__IMPLICIT", "true")]).await;
        server.user("ada").await;
        let implicit = json!({
            "skip_consent": true, "response_types": ["id_token"], "grant_types": ["implicit"],
        });
        let client = server.client(implicit).await;
        let request = |claims: &str| {
            server.authorization(&client, &[
                ("response_type", "id_token"), ("scope", "openid"), ("claims", claims), ("code_challenge", ""), ("code_challenge_method", ""),
            ])
        };
        let answer: Answer = server.browser().authorize_as(&request(r#"{"id_token": {"email": null}}"#), "ada").await;
        assert_eq!(claims_of(&answer.returned("id_token").unwrap())["email"], "ada@mail.example");
        // Without an access token there is no UserInfo.
        server.get(&request(EMAIL)).await.assert_redirect_error("invalid_request");
    }
}
