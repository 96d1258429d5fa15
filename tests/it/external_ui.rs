//! Login and consent pages of somebody else: challenges, answers, verifiers, and who may use them.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use crate::support::{
    Browser, ExternalUi, PASSWORD, Registration, TestServer, claims_of, login_challenge, on_both, query_of,
    redirect_to, text,
};
use chancery::model::Noted;

fn consent() -> Value {
    json!({"grant_scope": ["openid", "offline_access"]})
}

/// A browser that waits at the consent page, and its challenge.
async fn at_consent<'s>(ui: ExternalUi<'s>, client: &Registration, login: Value) -> (Browser<'s>, String) {
    let mut browser = ui.0.browser();
    let challenge = ui.start(&mut browser, client, &[]).await;
    let challenge = ui.log_in(&mut browser, &challenge, login).await;
    (browser, challenge)
}

on_both! {
    async fn an_unknown_challenge_is_404_and_a_missing_one_400(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let ui = ExternalUi(&server);
        for page in ["login", "consent"] {
            ui.get(page, "AAAAAAAAAAAAAAAAAAAAAA").await.assert_error(404, "not_found");
            ui.get(page, "").await.assert_error(400, "invalid_request");
        }
        ui.put("login/accept", "x", json!({"subject": "ada"})).await.assert_error(404, "not_found");
        ui.put("consent/accept", "x", consent()).await.assert_error(404, "not_found");
        ui.put("login/reject", "x", json!({})).await.assert_error(404, "not_found");
    }

    async fn an_expired_challenge_is_410_and_the_browser_starts_again(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, mut browser) = (server.external_client().await, ExternalUi(&server), server.browser());
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let answer = ui.put("login/accept", &challenge, json!({"subject": "ada"})).await;
        server.advance(server.app.settings.sessions.request_seconds);
        ui.get("login", &challenge).await.assert_error(410, "expired");
        ui.put("login/accept", &challenge, json!({"subject": "ada"})).await.assert_error(410, "expired");
        let again = browser.get(&redirect_to(&answer)).await;
        assert_ne!(login_challenge(&again), challenge);
    }

    async fn a_wrong_or_missing_admin_token_is_401(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let wrong = "x".repeat(40);
        for sent in [None, Some(format!("Bearer {wrong}")), Some("Basic eDp5".to_owned()), Some("Bearer".to_owned())] {
            for path in ["/admin/v1/login?challenge=x", "/oauth2/auth/requests/consent?challenge=x", "/other"] {
                let mut request = Request::get(path).header(header::HOST, "127.0.0.1:8090");
                if let Some(sent) = &sent {
                    request = request.header(header::AUTHORIZATION, sent);
                }
                let answer = server.admin_request(request.body(Body::empty()).unwrap()).await;
                answer.assert_error(401, "invalid_token");
                assert!(answer.header(header::WWW_AUTHENTICATE).starts_with("Bearer"));
                assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
            }
        }
    }

    async fn without_a_token_a_request_has_to_be_meant_for_this_computer(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[("ADMIN__TOKEN", "")]).await;
        for (host, status) in [
            ("127.0.0.1:8090", 404), ("localhost", 404), ("[::1]:1", 404),
            ("rebound.example", 401), ("192.0.2.1", 401), ("", 401),
        ] {
            let request = Request::get("/admin/v1/login?challenge=x").header(header::HOST, host);
            let answer = server.admin_request(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status.as_u16(), status, "{host}");
        }
    }

    async fn admin_paths_are_not_on_the_public_listener_nor_public_ones_on_the_admin_listener(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        for path in ["/admin/v1/login?challenge=x", "/oauth2/auth/requests/login?login_challenge=x", "/admin/v1"] {
            assert_eq!(server.get(path).await.status, 404, "{path}");
        }
        for path in ["/token", "/jwks", "/login", "/authorize/continue", "/"] {
            server.admin(Method::GET, path, None).await.assert_error(404, "not_found");
        }
        let answer = server.admin(Method::POST, "/admin/v1/login/accept", None).await;
        answer.assert_error(405, "invalid_request");
    }

    async fn a_challenge_of_another_client_or_step_is_refused(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, own) = (server.external_client().await, server.client(json!({})).await);
        let (ui, mut browser) = (ExternalUi(&server), server.browser());
        let first = browser.get(&server.authorization(&own, &[])).await;
        let waiting = query_of(first.location(), "request").unwrap();
        ui.get("login", &waiting).await.assert_error(404, "not_found");
        ui.put("login/accept", &waiting, json!({"subject": "ada"})).await.assert_error(404, "not_found");
        let challenge = ui.start(&mut browser, &client, &[]).await;
        ui.get("consent", &challenge).await.assert_error(404, "not_found");
        ui.put("consent/accept", &challenge, consent()).await.assert_error(404, "not_found");
        ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        ui.get("login", &challenge).await.assert_error(409, "conflict");
        ui.put("login/accept", &challenge, json!({"subject": "bob"})).await.assert_error(409, "conflict");
        ui.put("login/reject", &challenge, json!({})).await.assert_error(409, "conflict");
    }

    async fn an_answer_counts_once_and_the_same_again_gets_the_same_redirect(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, mut browser) = (server.external_client().await, ExternalUi(&server), server.browser());
        let challenge = ui.start(&mut browser, &client, &[]).await;
        for (page, body, other) in [
            ("login", json!({"subject": "ada"}), json!({"subject": "bob"})),
            ("consent", consent(), json!({"grant_scope": ["openid"]})),
        ] {
            let (accept, reject) = (format!("{page}/accept"), format!("{page}/reject"));
            let first = ui.put(&accept, &challenge, body.clone()).await;
            let again = ui.put(&accept, &challenge, body.clone()).await;
            assert_eq!(redirect_to(&first), redirect_to(&again));
            ui.put(&accept, &challenge, other).await.assert_error(409, "conflict");
            ui.put(&reject, &challenge, json!({})).await.assert_error(409, "conflict");
            ui.get(page, &challenge).await.assert_error(409, "conflict");
            assert_eq!(browser.get(&redirect_to(&first)).await.status, 303);
            ui.put(&accept, &challenge, body).await.assert_error(409, "conflict");
        }
    }

    async fn a_replayed_verifier_is_refused(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, mut browser) = (server.external_client().await, ExternalUi(&server), server.browser());
        let challenge = ui.start(&mut browser, &client, &[]).await;
        for (page, body) in [("login", json!({"subject": "ada"})), ("consent", consent())] {
            let back = redirect_to(&ui.put(&format!("{page}/accept"), &challenge, body).await);
            assert_eq!(browser.get(&back).await.status, 303);
            browser.get(&back).await.assert_page_error(400);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
    }

    async fn a_verifier_is_worth_nothing_in_another_browser(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let (mut victim, mut other) = (server.browser(), server.browser());
        let challenge = ui.start(&mut victim, &client, &[]).await;
        ui.start(&mut other, &client, &[]).await;
        for (page, body) in [("login", json!({"subject": "ada"})), ("consent", consent())] {
            let back = redirect_to(&ui.put(&format!("{page}/accept"), &challenge, body).await);
            other.get(&back).await.assert_page_error(400);
            server.get(&back).await.assert_page_error(400);
            assert_eq!(other.signed_in_as().await, None);
            assert_eq!(victim.get(&back).await.status, 303);
        }
    }

    async fn a_verifier_that_is_forged_early_or_of_another_step_is_refused(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let mut browser = server.browser();
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let login = redirect_to(&ui.put("login/accept", &challenge, json!({"subject": "ada"})).await);
        let mut forged = login.clone();
        let last = if forged.ends_with('A') { 'Q' } else { 'A' };
        forged.pop();
        forged.push(last);
        let nothing = "/authorize/continue".to_owned();
        for wrong in [forged, nothing, format!("/authorize/continue?verifier={challenge}")] {
            browser.get(&wrong).await.assert_page_error(400);
        }
        browser.get(&login).await;
        ui.put("consent/accept", &challenge, consent()).await.text("redirect_to");
        browser.get(&login).await.assert_page_error(400);
        // The pages of the server itself do not help either.
        for page in ["login", "consent"] {
            browser.get(&format!("/{page}?request={challenge}")).await.assert_page_error(400);
        }
    }

    async fn our_own_pages_do_not_take_a_request_of_an_external_client(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        server.user("ada").await;
        let (client, ui, mut browser) = (server.external_client().await, ExternalUi(&server), server.browser());
        let page = browser.get("/login").await;
        let challenge = ui.start(&mut browser, &client, &[]).await;
        for path in ["login", "consent"] {
            let answer = browser.get(&format!("/{path}?request={challenge}")).await;
            assert_eq!(login_challenge(&answer), challenge);
        }
        let csrf = crate::support::hidden(&page, "csrf");
        let form = [("request", challenge.as_str()), ("csrf", &csrf), ("username", "ada"), ("password", PASSWORD)];
        let answer = browser.post("/login", &form).await;
        assert_eq!(login_challenge(&answer), challenge);
        assert_eq!(browser.signed_in_as().await, None);
    }

    async fn a_rejection_goes_to_the_application_once(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let mut browser = server.browser();
        let challenge = ui.start(&mut browser, &client, &[]).await;
        for wrong in [json!({"error": "two words"}), json!({"error_description": "\u{7}"}), json!({"errror": "x"})] {
            ui.put("login/reject", &challenge, wrong).await.assert_error(400, "invalid_request");
        }
        let why = json!({"error": "login_required", "error_description": "Not today.", "status_code": 403});
        let back = redirect_to(&ui.put("login/reject", &challenge, why).await);
        let answer = browser.get(&back).await;
        answer.assert_redirect_error("login_required");
        assert_eq!(query_of(answer.location(), "error_description").as_deref(), Some("Not today."));
        assert_eq!(query_of(answer.location(), "state").as_deref(), Some("af0ifjsldkj"));
        browser.get(&back).await.assert_page_error(400);
        let (mut browser, challenge) = at_consent(ui, &client, json!({"subject": "ada"})).await;
        let answer = ui.answer(&mut browser, "consent/reject", &challenge, json!({})).await;
        answer.assert_redirect_error("access_denied");
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
    }

    async fn a_remembered_login_is_skipped_and_has_to_name_the_same_subject(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let login = json!({"subject": "ada", "remember": true, "remember_for": 600});
        let (mut browser, _) = at_consent(ui, &client, login).await;
        let began = server.app.now().unix();
        server.advance(100);
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let shown = ui.get("login", &challenge).await.json();
        assert_eq!((&shown["skip"], &shown["subject"]), (&json!(true), &json!("ada")));
        assert!(shown["session_id"].as_str().is_some_and(|id| !id.is_empty()));
        let refused = ui.put("login/accept", &challenge, json!({"subject": "bob"})).await;
        refused.assert_error(400, "invalid_request");
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        let code = ui.allow(&mut browser, &challenge, consent()).await;
        let tokens = server.redeem(&client, &code).await.json();
        assert_eq!(claims_of(&text(&tokens, "id_token"))["auth_time"], began, "nobody signed in again");
        // prompt=login and an old sign-in are no reason to skip.
        server.advance(10);
        for change in [("prompt", "login"), ("max_age", "5")] {
            let challenge = ui.start(&mut browser, &client, &[change]).await;
            assert_eq!(ui.get("login", &challenge).await.json()["skip"], false, "{change:?}");
        }
        server.advance(490);
        let challenge = ui.start(&mut browser, &client, &[]).await;
        assert_eq!(ui.get("login", &challenge).await.json()["skip"], false, "remember_for is over");
    }

    async fn a_login_that_is_not_remembered_counts_for_its_request_only(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let own = server.client(json!({})).await;
        let (mut browser, challenge) = at_consent(ui, &client, json!({"subject": "ada"})).await;
        assert_eq!(browser.signed_in_as().await, None);
        let answer = browser.get(&server.authorization(&own, &[])).await;
        assert!(answer.location().contains("/login?request="), "{answer:?}");
        let other = ui.start(&mut browser, &client, &[]).await;
        assert_eq!(ui.get("login", &other).await.json()["skip"], false);
        // The request it was for goes on.
        let code = ui.allow(&mut browser, &challenge, consent()).await;
        assert_eq!(server.redeem(&client, &code).await.status, 200);
    }

    async fn sign_out_ends_a_login_that_was_not_remembered_too(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let (mut browser, challenge) = at_consent(ui, &client, json!({"subject": "ada"})).await;
        let code = ui.allow(&mut browser, &challenge, json!({"grant_scope": ["openid"]})).await;
        let tokens = server.redeem(&client, &code).await.json();
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
        browser.get(&format!("/logout?id_token_hint={}", text(&tokens, "id_token"))).await;
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
    }

    async fn remember_for_zero_lasts_until_the_browser_closes(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        for (remember_for, expected) in [(0, None), (600, Some("Max-Age=600")), (99_999_999, Some("Max-Age=1209600"))] {
            let mut browser = server.browser();
            let challenge = ui.start(&mut browser, &client, &[]).await;
            let login = json!({"subject": "ada", "remember": true, "remember_for": remember_for});
            let answer = ui.answer(&mut browser, "login/accept", &challenge, login).await;
            let cookies = answer.headers.get_all(header::SET_COOKIE).iter();
            let cookie = cookies.map(|value| value.to_str().unwrap()).find(|cookie| cookie.contains("-session="));
            let max_age = cookie.unwrap().split("; ").find(|attribute| attribute.starts_with("Max-Age"));
            assert_eq!(max_age, expected);
            assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"));
        }
    }

    async fn a_remembered_consent_is_skipped_while_it_covers_the_request(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let login = || json!({"subject": "ada", "remember": true});
        let mut browser = server.browser();
        for (scope, body, skip) in [
            ("openid", json!({"grant_scope": ["openid"]}), false),
            ("openid", json!({"grant_scope": ["openid"], "remember": true, "remember_for": 600}), false),
            ("openid", json!({"grant_scope": ["openid"]}), true),
            ("openid email", json!({"grant_scope": ["openid", "email"], "remember": true, "remember_for": 0}), false),
            ("email", json!({"grant_scope": ["email"]}), true),
        ] {
            let challenge = ui.start(&mut browser, &client, &[("scope", scope)]).await;
            let challenge = ui.log_in(&mut browser, &challenge, login()).await;
            assert_eq!(ui.get("consent", &challenge).await.json()["skip"], skip, "{scope}");
            ui.allow(&mut browser, &challenge, body).await;
        }
        server.advance(86_400);
        let challenge = ui.start(&mut browser, &client, &[("prompt", "none"), ("scope", "openid email")]).await;
        ui.log_in(&mut browser, &challenge, login()).await;
        assert_eq!(ui.get("consent", &challenge).await.json()["skip"], true, "0 is for ever");
    }

    async fn a_consent_is_forgotten_after_remember_for(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let login = json!({"subject": "ada", "remember": true});
        let (mut browser, challenge) = at_consent(ui, &client, login).await;
        let body = json!({"grant_scope": ["openid"], "remember": true, "remember_for": 60});
        ui.allow(&mut browser, &challenge, body).await;
        server.advance(60);
        let change = [("scope", "openid"), ("prompt", "none")];
        browser.get(&server.authorization(&client, &change)).await.assert_redirect_error("consent_required");
    }

    async fn a_page_that_signs_in_another_user_than_the_hinted_one_ends_the_request(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let (mut browser, challenge) = at_consent(ui, &client, json!({"subject": "ada"})).await;
        let code = ui.allow(&mut browser, &challenge, json!({"grant_scope": ["openid"]})).await;
        let hint = text(&server.redeem(&client, &code).await.json(), "id_token");
        let change = [("id_token_hint", hint.as_str()), ("display", "popup"), ("acr_values", "a b")];
        for (subject, goes_on) in [("bob", false), ("ada", true)] {
            let mut browser = server.browser();
            let challenge = ui.start(&mut browser, &client, &change).await;
            let context = &ui.get("login", &challenge).await.json()["oidc_context"];
            let expected = json!({"id_token_hint_claims": {"sub": "ada"}, "display": "popup", "acr_values": ["a", "b"]});
            assert_eq!(*context, expected);
            let answer = ui.answer(&mut browser, "login/accept", &challenge, json!({"subject": subject})).await;
            match goes_on {
                true => assert!(answer.location().contains("consent_challenge="), "{answer:?}"),
                false => answer.assert_redirect_error("login_required"),
            }
        }
    }

    async fn acr_values_of_the_request_or_the_client_reach_the_pages_of_somebody_else(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.client(json!({"ui": "external", "default_acr_values": ["strong", "1"]})).await;
        for (asked, told) in [("", json!(["strong", "1"])), ("weak", json!(["weak"]))] {
            let mut browser = server.browser();
            let challenge = ExternalUi(&server).start(&mut browser, &client, &[("acr_values", asked)]).await;
            let shown = ExternalUi(&server).get("login", &challenge).await.json();
            assert_eq!(shown["oidc_context"]["acr_values"], told);
        }
    }

    async fn prompt_none_without_a_session_is_login_required(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.external_client().await;
        let answer = server.browser().get(&server.authorization(&client, &[("prompt", "none")])).await;
        answer.assert_redirect_error("login_required");
    }

    async fn the_server_decides_for_clients_that_do_not(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[("UI__DEFAULT", "external")]).await;
        let (absent, own) = (server.client(json!({})).await, server.client(json!({"ui": "own"})).await);
        login_challenge(&server.get(&server.authorization(&absent, &[])).await);
        let answer = server.get(&server.authorization(&own, &[])).await;
        assert!(answer.location().contains("/login?request="), "{answer:?}");
    }

    async fn a_subject_is_a_user_of_that_id_and_takes_no_name_from_anybody(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, local) = (server.external_client().await, ExternalUi(&server), server.user("ada").await);
        for subject in [local.id.as_str(), "ada", "ADA", "ada"] {
            let login = json!({"subject": subject, "remember": true});
            let (mut browser, challenge) = at_consent(ui, &client, login).await;
            let code = ui.allow(&mut browser, &challenge, consent()).await;
            let tokens = server.redeem(&client, &code).await.json();
            assert_eq!(claims_of(&text(&tokens, "id_token"))["sub"], subject);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM users").await, 3);
        // The local user still signs in by name and password, and the external one has none to change.
        server.browser().enter("ada").await;
        let (mut browser, _) = at_consent(ui, &client, json!({"subject": "ada", "remember": true})).await;
        let page = browser.get("/account").await;
        let new = "a new long password";
        let form = [("csrf", &*crate::support::hidden(&page, "csrf")), ("current_password", PASSWORD),
            ("new_password", new), ("repeat_password", new)];
        assert_eq!(browser.post("/account/password", &form).await.status, 422);
    }

    async fn a_subject_that_is_a_client_or_disabled_is_refused(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, user) = (server.external_client().await, ExternalUi(&server), server.user("ada").await);
        let mut browser = server.browser();
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let refused = ui.put("login/accept", &challenge, json!({"subject": client.id})).await;
        refused.assert_error(400, "invalid_request");
        for bad in [json!({"subject": ""}), json!({"subject": "ä"}), json!({"subject": 5}), json!({})] {
            ui.put("login/accept", &challenge, bad).await.assert_error(400, "invalid_request");
        }
        let back = redirect_to(&ui.put("login/accept", &challenge, json!({"subject": user.id.as_str()})).await);
        assert!(server.app.storage.set_disabled(Noted::nothing(), &user.id, true, server.app.now()).await.unwrap());
        browser.get(&back).await.assert_redirect_error("access_denied");
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let refused = ui.put("login/accept", &challenge, json!({"subject": user.id.as_str()})).await;
        refused.assert_error(403, "access_denied");
    }

    async fn whoever_signed_out_between_the_pages_starts_again(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let (mut browser, challenge) = at_consent(ui, &client, json!({"subject": "ada", "remember": true})).await;
        let back = redirect_to(&ui.put("consent/accept", &challenge, consent()).await);
        browser.cookies.retain(|name, _| !name.contains("session"));
        let again = login_challenge(&browser.get(&back).await);
        assert_ne!(again, challenge);
        assert_eq!(ui.get("login", &again).await.json()["skip"], false);
    }

    async fn forty_accepts_at_once_make_one_grant(kind: Kind) {
        let server = Arc::new(TestServer::with_external_ui(kind, &[]).await);
        let client = server.external_client().await;
        let mut browser = server.browser();
        let challenge = ExternalUi(&server).start(&mut browser, &client, &[]).await;
        let cookie = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).next().unwrap();
        let mut session = None;
        for page in ["login", "consent"] {
            let accepts = forty(|number| {
                let (server, challenge) = (Arc::clone(&server), challenge.clone());
                async move {
                    let body = match page {
                        "login" => json!({"subject": format!("user-{}", number % 4)}),
                        _ => json!({"grant_scope": [if number % 2 == 0 { "openid" } else { "email" }]}),
                    };
                    ExternalUi(&server).put(&format!("{page}/accept"), &challenge, body).await
                }
            })
            .await;
            let (won, lost): (Vec<_>, Vec<_>) = accepts.iter().partition(|answer| answer.status == 200);
            assert_eq!(won.len(), if page == "login" { 10 } else { 20 }, "one answer, told to all who gave it");
            lost.iter().for_each(|answer| answer.assert_error(409, "conflict"));
            let back: HashSet<_> = won.iter().map(|answer| redirect_to(answer)).collect();
            assert_eq!(back.len(), 1);
            let back = back.into_iter().next().unwrap();
            let cookies = session.iter().fold(cookie.clone(), |all, one| format!("{all}; {one}"));
            let taken = forty(|_| {
                let (server, back, cookies) = (Arc::clone(&server), back.clone(), cookies.clone());
                async move {
                    let request = Request::get(back).header(header::COOKIE, cookies);
                    server.send(request.body(Body::empty()).unwrap()).await
                }
            })
            .await;
            let went: Vec<_> = taken.iter().filter(|answer| answer.status == 303).collect();
            assert_eq!(went.len(), 1, "{page}");
            let set = went[0].header(header::SET_COOKIE).split(';').next().unwrap().to_owned();
            session = session.or(Some(set));
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 1);
    }
}

async fn forty<F: Future<Output: Send + 'static> + Send + 'static>(
    work: impl Fn(usize) -> F,
) -> Vec<F::Output> {
    let tasks: Vec<_> = (0..40).map(|number| tokio::spawn(work(number))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
