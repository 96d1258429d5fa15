//! What a client does with its own registration (RFC 7592).

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::support::authorization::is_consent;
use crate::support::{
    BY_TOKEN, Documents, OPEN, REDIRECT_URI, Registration, Signer, TestServer, claims_of, merged, on_both,
    registration_of, text,
};
use chancery::model::Noted;

async fn registered(server: &TestServer, change: Value) -> Value {
    let answer = server.register(change).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.json()
}

/// What a client sends back to change it: all but what the server made.
fn update_of(registered: &Value, change: Value) -> Value {
    let made = json!({
        "registration_access_token": null, "registration_client_uri": null, "client_secret": null,
        "client_secret_expires_at": null, "client_id_issued_at": null,
    });
    merged(merged(registered.clone(), &made), &change)
}

on_both! {
    async fn a_client_reads_its_registration_but_not_its_secret(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let before = registered(&server, json!({"client_name#fr": "Agenda", "contacts": ["a@b.example"]})).await;
        let answer = server.manage(Method::GET, &before, &json!({})).await;
        assert_eq!((answer.status, answer.header(header::CACHE_CONTROL)), (StatusCode::OK, "no-store"));
        // The token is another with each use.
        let changed = json!({
            "client_secret": null, "client_secret_expires_at": null,
            "registration_access_token": answer.json()["registration_access_token"],
        });
        assert_eq!(answer.json(), merged(before, &changed));
    }

    async fn an_update_replaces_all_that_was(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let before = registered(&server, json!({
            "contacts": ["a@b.example"], "client_name#fr": "Agenda", "client_uri": "https://app.example/",
            "grant_types": ["authorization_code", "refresh_token"],
        })).await;
        let update = json!({"client_id": before["client_id"], "client_name": "New", "redirect_uris": ["https://new.example/cb"]});
        let answer = server.manage(Method::PUT, &before, &update).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let after = answer.json();
        assert_eq!((&after["client_name"], &after["grant_types"]), (&json!("New"), &json!(["authorization_code"])));
        for gone in ["contacts", "client_name#fr", "client_uri", "client_secret"] {
            assert_eq!(after[gone], json!(null), "{gone}");
        }
        for kept in ["client_id", "client_id_issued_at", "registration_client_uri"] {
            assert_eq!(after[kept], before[kept], "{kept}");
        }
        assert_eq!(server.manage(Method::GET, &before, &json!({})).await.json(), after);
        let client = registration_of(&before);
        assert_eq!(server.revoke(&client, "x").await.status, 200, "the secret stays");
        let old = server.get(&server.authorization(&client, &[])).await;
        old.assert_page_error(400);
    }

    async fn an_update_names_its_client_and_brings_nothing_that_the_server_makes(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let before = registered(&server, json!({})).await;
        let other = registered(&server, json!({})).await;
        for (member, change) in [
            ("client_id", json!({"client_id": null})),
            ("client_id", json!({"client_id": other["client_id"]})),
            ("client_id", json!({"client_id": 1})),
            ("client_secret", json!({"client_secret": "one of my own"})),
            ("client_secret", json!({"client_secret": other["client_secret"]})),
            ("client_secret", json!({"client_secret": 1})),
            ("registration_access_token", json!({"registration_access_token": before["registration_access_token"]})),
            ("registration_client_uri", json!({"registration_client_uri": before["registration_client_uri"]})),
            ("client_secret_expires_at", json!({"client_secret_expires_at": 0})),
            ("client_id_issued_at", json!({"client_id_issued_at": 0})),
            ("skip_consent", json!({"skip_consent": true})),
            ("logo_uri", json!({"logo_uri": "javascript:alert(1)"})),
        ] {
            let answer = server.manage(Method::PUT, &before, &update_of(&before, change)).await;
            answer.assert_error(400, "invalid_client_metadata");
            assert!(answer.body.contains(member), "{member}: {answer:?}");
        }
        let right = update_of(&before, json!({"client_secret": before["client_secret"]}));
        assert_eq!(server.manage(Method::PUT, &before, &right).await.status, StatusCode::OK);
        let fragment = update_of(&before, json!({"redirect_uris": ["https://a.example/#x"]}));
        server.manage(Method::PUT, &before, &fragment).await.assert_error(400, "invalid_redirect_uri");
    }

    async fn what_the_operator_set_stays(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let before = registered(&server, json!({})).await;
        let client = registration_of(&before);
        server.change_client(&client, json!({"access_token_lifetime": 60, "scope": "openid groups"})).await;
        let update = update_of(&before, json!({"scope": "openid groups", "client_name": "New"}));
        let answer = server.manage(Method::PUT, &before, &update).await;
        assert_eq!((answer.status, &answer.json()["access_token_lifetime"]), (StatusCode::OK, &json!(null)));
        let after = server.app.storage.client(&chancery::model::ClientId::new(&*client.id)).await.unwrap().unwrap().client;
        assert_eq!((after.access_token_lifetime, after.name.as_str()), (Some(60), "New"));
        assert!(after.is_self_registered());
    }

    async fn a_client_that_begins_to_need_a_secret_gets_one_and_one_that_ceases_to_loses_it(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let before = registered(&server, json!({"token_endpoint_auth_method": "none"})).await;
        assert_eq!(before["client_secret"], json!(null));
        let to = |method: &str| update_of(&before, json!({"token_endpoint_auth_method": method}));
        let after = server.manage(Method::PUT, &before, &to("client_secret_basic")).await.json();
        assert_eq!(after["client_secret_expires_at"], 0);
        let client = registration_of(&after);
        assert_eq!(server.revoke(&client, "x").await.status, 200);
        let jwt = server.manage(Method::PUT, &before, &to("client_secret_jwt")).await.json();
        assert_eq!(text(&jwt, "client_secret").len(), 64, "long enough for its algorithms");
        server.manage(Method::PUT, &before, &to("none")).await;
        server.revoke(&client, "x").await.assert_invalid_client();
    }

    async fn a_deleted_client_is_gone_with_what_was_granted_to_it(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let before = registered(&server, json!({"grant_types": ["authorization_code", "refresh_token"]})).await;
        let client = registration_of(&before);
        let tokens = server.tokens(&client, "ada").await;
        let answer = server.manage(Method::DELETE, &before, &json!({})).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        let access = text(&tokens, "access_token");
        assert_eq!(server.get_with_token("/userinfo", &access).await.status, 401);
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_invalid_client();
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            server.manage(method, &before, &json!({})).await.assert_error(401, "invalid_token");
        }
    }

    async fn a_wrong_token_learns_nothing(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let (mine, other) = (registered(&server, json!({})).await, registered(&server, json!({})).await);
        let operators = server.client(json!({})).await;
        let token = text(&mine, "registration_access_token");
        let initial = server.initial_access_token(None, None).await;
        let changed = format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'A' });
        let theirs = text(&other, "registration_access_token");
        let mut answers = Vec::new();
        let my_id = text(&mine, "client_id");
        for id in [&*my_id, &*operators.id, "no-such-client", "%ff", "a/b"] {
            for token in ["x", "cy_ra_", &initial, &changed, &theirs, &token.replace("cy_ra_", "cy_ia_")] {
                for method in [Method::GET, Method::PUT, Method::DELETE] {
                    let path = format!("/register/{id}");
                    answers.push((id, server.send_metadata(method, &path, Some(token), "{}").await));
                }
            }
        }
        for (id, answer) in answers.iter().filter(|(id, _)| *id != "a/b") {
            answer.assert_error(401, "invalid_token");
            assert_eq!(answer.body, answers[0].1.body, "{id}");
        }
        let path = format!("/register/{}", text(&mine, "client_id"));
        let without = server.get(&path).await;
        assert_eq!((without.status, without.header(header::WWW_AUTHENTICATE)), (StatusCode::UNAUTHORIZED, "Bearer realm=\"registration\""));
        let query = format!("{path}?access_token={token}");
        assert_eq!(server.get(&query).await.status, StatusCode::UNAUTHORIZED, "RFC 6750 2.3");
        assert_eq!(server.manage(Method::GET, &mine, &json!({})).await.status, StatusCode::OK);
        let twice = Request::get(&path).header(header::AUTHORIZATION, format!("Bearer {token}")).header(header::AUTHORIZATION, "Bearer x");
        server.send(twice.body(Body::empty()).unwrap()).await.assert_error(400, "invalid_request");
    }

    async fn a_registration_is_managed_without_an_initial_access_token(kind: Kind) {
        let server = TestServer::start_with(kind, &[BY_TOKEN]).await;
        let initial = server.initial_access_token(Some(1), None).await;
        let before = server.register_with(Some(&initial), json!({})).await.json();
        let update = update_of(&before, json!({"client_name": "New"}));
        assert_eq!(server.manage(Method::PUT, &before, &update).await.json()["client_name"], "New");
    }

    async fn a_change_is_seen_by_every_replica(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let replica = server.replica().await;
        let before = registered(&server, json!({})).await;
        let update = update_of(&before, json!({"redirect_uris": ["https://new.example/cb"]}));
        assert_eq!(replica.manage(Method::PUT, &before, &update).await.status, StatusCode::OK);
        let versions = server.app.storage.versions().await.unwrap();
        let client = registration_of(&before);
        server.manage(Method::DELETE, &before, &json!({})).await;
        assert!(server.app.storage.versions().await.unwrap().clients > versions.clients, "{}", client.id);
    }

    async fn a_registered_client_authenticates_only_as_it_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let client = registration_of(&registered(&server, json!({"token_endpoint_auth_method": "client_secret_post"})).await);
        server.revoke(&client, "x").await.assert_invalid_client();
        let form = [("client_id", &*client.id), ("client_secret", &client.secret), ("token", "x")];
        assert_eq!(server.post("/revoke", &[], &form).await.status, StatusCode::OK);
    }

    async fn a_registered_client_has_only_the_grant_types_it_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let client = registration_of(&registered(&server, json!({})).await);
        let tokens = server.tokens(&client, "ada").await;
        assert_eq!(tokens["refresh_token"], json!(null));
        let form = [("grant_type", "client_credentials")];
        server.post_as(&client, "/token", &form).await.assert_error(400, "unauthorized_client");
    }

    async fn a_registered_client_has_only_the_scopes_it_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let client = registration_of(&registered(&server, json!({"scope": "openid email"})).await);
        let more = server.get(&server.authorization(&client, &[("scope", "openid profile")])).await;
        more.assert_asks_before_redirect(REDIRECT_URI, "invalid_scope");
    }

    async fn only_the_same_text_matches_a_registered_redirect_uri(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let uris = json!([REDIRECT_URI, "https://app.example/callback?x=1"]);
        let client = registration_of(&registered(&server, json!({"redirect_uris": uris})).await);
        for (uri, known) in [
            ("https://app.example/callback?x=1", true),
            ("https://app.example/callback?x=2", false),
            ("https://app.example/callback?x=1&y=2", false),
            ("https://app.example/callback#x", false),
        ] {
            let answer = server.get(&server.authorization(&client, &[("redirect_uri", uri)])).await;
            match known {
                true => assert_eq!(answer.status, StatusCode::SEE_OTHER, "{uri}"),
                false => answer.assert_page_error(400),
            }
        }
        // Its query stays in the answer (OpenID Connect Core 3.1.2.5).
        let change = [("redirect_uri", "https://app.example/callback?x=1"), ("prompt", "none")];
        let answer = server.get(&server.authorization(&client, &change)).await;
        answer.assert_asks_before_redirect("https://app.example/callback?x=1", "login_required");
    }

    async fn the_consent_page_links_to_what_was_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let about = json!({
            "client_uri": "https://app.example/home", "logo_uri": "https://app.example/logo.png",
            "policy_uri": "https://app.example/privacy", "tos_uri": "https://app.example/terms",
            "policy_uri#de": "https://app.example/datenschutz",
        });
        let client = registration_of(&registered(&server, about).await);
        let mut browser = server.browser();
        browser.enter("ada").await;
        for (language, policy) in [("en", "privacy"), ("de", "datenschutz")] {
            let first = browser.get(&server.authorization(&client, &[("ui_locales", language)])).await;
            let page = browser.follow(first).await;
            for shown in ["home", "logo.png", policy, "terms"] {
                assert!(page.body.contains(&format!("\"https://app.example/{shown}\"")), "{shown}: {page:?}");
            }
        }
    }

    async fn the_id_token_is_signed_as_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let client = registration_of(&registered(&server, json!({"id_token_signed_response_alg": "EdDSA"})).await);
        let tokens = server.tokens(&client, "ada").await;
        let (header, _) = server.verified(&text(&tokens, "id_token")).await;
        assert_eq!(header["alg"], "EdDSA");
    }

    async fn a_client_that_names_no_algorithm_gets_rs256(kind: Kind) {
        let settings = [OPEN, ("KEYS__ALGORITHMS", "ES256,RS256")];
        let server = TestServer::start_with(kind, &settings).await;
        server.user("ada").await;
        let before = registered(&server, json!({})).await;
        assert_eq!(before["id_token_signed_response_alg"], "RS256", "OpenID Connect Registration 2");
        let tokens = server.tokens(&registration_of(&before), "ada").await;
        assert_eq!(server.verified(&text(&tokens, "id_token")).await.0["alg"], "RS256");
    }

    async fn a_registered_key_authenticates_the_client(kind: Kind) {
        let settings = [OPEN, ("REGISTRATION__GRANT_TYPES", "client_credentials"), ("REGISTRATION__SCOPES", "read")];
        let server = TestServer::start_with(kind, &settings).await;
        let signer = Signer::new("ES256");
        let metadata = json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks": signer.jwks(), "redirect_uris": null,
            "token_endpoint_auth_signing_alg": "ES256", "grant_types": ["client_credentials"],
        });
        let before = registered(&server, metadata).await;
        assert_eq!(before["client_secret"], json!(null));
        let id = text(&before, "client_id");
        let claims = || server.assertion_claims(&id, &id, json!({}));
        let answer = server.ask_with(&signer.sign(&claims()), &[("scope", "read")]).await;
        assert_eq!(claims_of(&text(&answer.json(), "access_token"))["client_id"], json!(id));
        let other = Signer::new("ES256");
        server.ask_with(&other.sign(&claims()), &[]).await.assert_invalid_client();
    }

    async fn a_registered_client_is_told_of_the_end_of_sessions(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let told = json!({"backchannel_logout_uri": "https://app.example/logout"});
        let client = registration_of(&registered(&server, told).await);
        let mut browser = server.browser();
        browser.tokens(&client, "ada", &[]).await;
        let ada = server.app.storage.user_by_username("ada").await.unwrap().unwrap().id;
        let now = server.app.now();
        let session = &server.app.storage.sessions_of(&ada, now).await.unwrap()[0].id;
        server.app.storage.end_session(Noted::nothing(), session, &ada, now).await.unwrap();
        assert_eq!(server.number("SELECT COUNT(*) FROM logout_deliveries").await, 1);
    }

    async fn a_registered_jwks_uri_is_fetched_when_the_client_authenticates(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("OUTBOUND__ALLOW_PRIVATE", "true")]).await;
        let signer = Signer::new("RS256");
        let documents = Documents::serve(&signer.jwks()).await;
        let metadata = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": documents.url});
        let before = registered(&server, metadata).await;
        assert_eq!(documents.requests(), 0, "nobody makes the server fetch by registering");
        let id = text(&before, "client_id");
        let assertion = signer.sign(&server.assertion_claims(&id, &id, json!({})));
        server.ask_with(&assertion, &[]).await.assert_error(400, "unauthorized_client");
        assert_eq!(documents.requests(), 1);
    }

    async fn signing_out_returns_to_what_the_client_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let out = "https://app.example/out";
        let client: Registration = registration_of(&registered(&server, json!({"post_logout_redirect_uris": [out]})).await);
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let hint = text(&tokens, "id_token");
        let path = format!("/logout?id_token_hint={hint}&post_logout_redirect_uri={out}");
        assert_eq!(browser.get(&path).await.location(), out);
    }
}

/// Reads with this token: the next one, or none where it does not count.
async fn next_token(server: &TestServer, registered: &Value, token: &str) -> Option<String> {
    let with = merged(registered.clone(), &json!({"registration_access_token": token}));
    let answer = server.manage(Method::GET, &with, &json!({})).await;
    if answer.status != StatusCode::OK {
        answer.assert_error(401, "invalid_token");
        return None;
    }
    Some(text(&answer.json(), "registration_access_token"))
}

on_both! {
    async fn each_use_gives_another_token_and_the_one_before_counts_until_that_is_used(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let before = registered(&server, json!({})).await;
        let first = text(&before, "registration_access_token");
        let second = next_token(&server, &before, &first).await.unwrap();
        assert_ne!(first, second);
        // The answer was lost.
        assert_eq!(next_token(&server, &before, &first).await.as_ref(), Some(&second));
        let with = merged(before.clone(), &json!({"registration_access_token": second}));
        let third = server.manage(Method::PUT, &with, &update_of(&before, json!({"contacts": ["a@b.example"]}))).await;
        let third = text(&third.json(), "registration_access_token");
        assert!(third != first && third != second);
        assert_eq!(next_token(&server, &before, &first).await, None);
        assert_eq!(next_token(&server, &before, &second).await.as_ref(), Some(&third));
        let fourth = next_token(&server, &before, &third).await.unwrap();
        assert_eq!(next_token(&server, &before, &second).await, None);
        // An answer that says no uses nothing up.
        let with = merged(before.clone(), &json!({"registration_access_token": fourth}));
        server.manage(Method::PUT, &with, &json!({})).await.assert_error(400, "invalid_client_metadata");
        assert!(next_token(&server, &before, &fourth).await.is_some());
        assert_eq!(server.manage(Method::DELETE, &with, &json!({})).await.status, StatusCode::NO_CONTENT);
    }

    async fn of_many_at_once_all_get_the_same_next_token(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let before = registered(&server, json!({})).await;
        let first = text(&before, "registration_access_token");
        let all = crate::support::all((0..20).map(|_| next_token(&server, &before, &first)).collect()).await;
        assert!(all[0].is_some() && all.iter().all(|token| *token == all[0]), "{all:?}");
    }

    async fn a_token_that_nobody_uses_expires(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__TOKEN_UNUSED_SECONDS", "86400")]).await;
        let before = registered(&server, json!({})).await;
        let mut token = text(&before, "registration_access_token");
        for _ in 0..3 {
            server.advance(86_399);
            token = next_token(&server, &before, &token).await.unwrap();
        }
        // Of a client that was registered before this was noted, not until it is used.
        server.sql("UPDATE clients SET registration_used_at = NULL").await;
        server.advance(200_000);
        token = next_token(&server, &before, &token).await.unwrap();
        server.advance(86_400);
        assert_eq!(next_token(&server, &before, &token).await, None);
        server.manage(Method::DELETE, &merged(before, &json!({"registration_access_token": token})), &json!({})).await
            .assert_error(401, "invalid_token");
    }

    async fn a_client_that_becomes_another_loses_its_consents_and_what_waits(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "1000")]).await;
        server.user("ada").await;
        let other = registration_of(&registered(&server, json!({})).await);
        for (change, is_another) in [
            (json!({"client_name": "Bank"}), true),
            (json!({"client_name#de": "Kalender"}), true),
            (json!({"logo_uri": "https://app.example/other.png"}), true),
            (json!({"redirect_uris": [REDIRECT_URI, "https://evil.example/cb"]}), true),
            (json!({"subject_type": "pairwise"}), true),
            (json!({"contacts": ["a@b.example"]}), false),
            (json!({"redirect_uris": [REDIRECT_URI, "https://app.example/other"]}), false),
        ] {
            let before = registered(&server, json!({})).await;
            let client = registration_of(&before);
            let mut browser = server.browser();
            for client in [&client, &other] {
                browser.authorize_as(&server.authorization(client, &[("scope", "openid")]), "ada").await;
            }
            let more = server.authorization(&client, &[("scope", "openid email")]);
            let answer = browser.get(&more).await;
            let waiting = browser.follow(answer).await;
            assert!(is_consent(&waiting), "{waiting:?}");
            let answer = server.manage(Method::PUT, &before, &update_of(&before, change.clone())).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            let silent = browser.get(&server.authorization(&client, &[("scope", "openid")])).await;
            assert_eq!(silent.returned("code").is_none(), is_another, "{change}: {silent:?}");
            // What was shown was another application.
            let decided = browser.decide(&waiting, "allow").await;
            assert_eq!(decided.status == StatusCode::BAD_REQUEST, is_another, "{change}: {decided:?}");
            let silent = browser.get(&server.authorization(&other, &[("scope", "openid")])).await;
            assert!(silent.returned("code").is_some(), "others are untouched: {silent:?}");
        }
    }

    async fn nothing_is_remembered_of_a_yes_beside_a_client_that_becomes_another(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "1000")]).await;
        let replica = server.replica().await;
        server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        for round in 0..40 {
            let before = registered(&server, json!({})).await;
            let path = server.authorization(&registration_of(&before), &[("scope", "openid")]);
            let asked = browser.get(&path).await;
            let page = browser.follow(asked).await;
            let update = update_of(&before, json!({"client_name": "Bank"}));
            let become_another = async {
                tokio::time::sleep(std::time::Duration::from_micros(round * 100)).await;
                replica.manage(Method::PUT, &before, &update).await.status
            };
            let (answer, updated) = tokio::join!(browser.decide(&page, "allow"), become_another);
            assert_eq!(updated, StatusCode::OK);
            assert!(answer.returned("code").is_some() || answer.status.is_client_error() || answer.status == 303, "{answer:?}");
            assert_eq!(server.number("SELECT COUNT(*) FROM consents").await, 0, "{round}");
        }
    }
}
