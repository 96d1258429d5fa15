//! Dynamic client registration (RFC 7591): who may, how often, and what comes of it.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

use crate::support::authorization::{is_consent, is_sign_in};
use crate::support::{
    Answer, BY_TOKEN, OPEN, PASSWORD, REDIRECT_URI, Signer, TestServer, all, dear_rsa_keys, hidden, names,
    on_both, registration_of, text,
};
use chancery::model::Noted;

const PROXIES: (&str, &str) = ("SERVER__TRUSTED_PROXIES", "0.0.0.0/0");

/// A registration by somebody at this address.
async fn register_at(server: &TestServer, address: impl Into<String>, token: Option<&str>) -> Answer {
    let body = json!({"redirect_uris": [REDIRECT_URI]}).to_string();
    let mut request = Request::post("/register").header("x-forwarded-for", address.into());
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    server
        .send(request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body)).unwrap())
        .await
}

on_both! {
    async fn nothing_is_registered_by_default_and_discovery_says_nothing_of_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        assert_eq!(server.register(json!({})).await.status, StatusCode::NOT_FOUND);
        let document = server.get("/.well-known/openid-configuration").await.json();
        assert_eq!(document["registration_endpoint"], json!(null));
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let document = server.get("/.well-known/openid-configuration").await.json();
        assert_eq!(document["registration_endpoint"], "https://id.example/register");
    }

    async fn a_registration_is_answered_with_all_that_was_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let answer = server.register(json!({"an_unknown_member": [1], "logo_uri": null})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        let registered = answer.json();
        assert_eq!(names(&registered), [
            "application_type", "client_id", "client_id_issued_at", "client_name", "client_secret",
            "client_secret_expires_at", "grant_types", "id_token_signed_response_alg", "redirect_uris",
            "registration_access_token", "registration_client_uri", "response_types", "scope",
            "token_endpoint_auth_method",
        ]);
        assert_eq!(registered["grant_types"], json!(["authorization_code"]), "RFC 7591 2");
        assert_eq!(registered["response_types"], json!(["code"]), "RFC 7591 2");
        assert_eq!(registered["token_endpoint_auth_method"], "client_secret_basic", "RFC 7591 2");
        assert_eq!(registered["application_type"], "web");
        assert_eq!(registered["scope"], "openid profile email address phone offline_access");
        assert_eq!(registered["client_secret_expires_at"], 0);
        assert_eq!(text(&registered, "client_secret").len(), 43, "256 bits");
        let uri = format!("https://id.example/register/{}", text(&registered, "client_id"));
        assert_eq!(registered["registration_client_uri"], json!(uri));
    }

    async fn a_registered_client_signs_people_in_after_they_were_asked_and_told_that_nobody_checked_it(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let answer = server.register(json!({"grant_types": ["authorization_code", "refresh_token"]})).await;
        let client = registration_of(&answer.json());
        let mut browser = server.browser();
        let first = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(first).await;
        assert!(is_sign_in(&page));
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        let page = browser.follow(answer).await;
        assert!(is_consent(&page), "{page:?}");
        assert!(page.body.contains("Nobody here has checked who runs it."), "{page:?}");
        let tokens = server.tokens(&client, "ada").await;
        assert!(tokens["refresh_token"].is_string() && tokens["id_token"].is_string(), "{tokens}");
        let operators = server.client(json!({})).await;
        let first = browser.get(&server.authorization(&operators, &[])).await;
        assert!(!browser.follow(first).await.body.contains("Nobody here has checked"));
    }

    async fn a_dear_key_that_is_handed_over_is_refused_with_the_reason(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let signer = Signer::new("ES256");
        for key in dear_rsa_keys() {
            for set in [json!({"keys": [key]}), json!({"keys": [signer.jwk(), key]})] {
                let answer = server.register(json!({"jwks": set})).await;
                answer.assert_error(400, "invalid_client_metadata");
                let told = text(&answer.json(), "error_description");
                assert!(told.contains("4096 bits with the exponent 65537"), "{told}");
            }
        }
    }

    async fn keys_are_given_or_named_by_their_address_and_not_both(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let keys = Signer::new("ES256").jwks();
        let both = server.register(json!({"jwks": keys, "jwks_uri": "https://app.example/jwks"})).await;
        both.assert_error(400, "invalid_client_metadata");
        assert!(text(&both.json(), "error_description").contains("jwks: give jwks or jwks_uri, not both"), "{both:?}");
    }

    async fn metadata_of_too_many_members_is_refused_before_they_are_sorted(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let with = |number: usize| {
            let members = (0..number).map(|each| (format!("unknown_{each}"), json!(each)));
            json!(members.collect::<serde_json::Map<_, _>>())
        };
        assert_eq!(server.register(with(190)).await.status, StatusCode::CREATED);
        server.register(with(201)).await.assert_error(400, "invalid_client_metadata");
        let many = server.register(json!({"jwks": {"keys": vec![Signer::new("ES256").jwk(); 51]}})).await;
        many.assert_error(400, "invalid_client_metadata");
        assert!(many.body.contains("more than 50 entries"), "{many:?}");
    }

    async fn uris_and_names_that_are_dear_to_read_are_bounded_together(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let uris = |number: usize| (0..number).map(|each| format!("https://app.example/{each}")).collect::<Vec<_>>();
        let with = |logout: usize| json!({"redirect_uris": uris(50), "post_logout_redirect_uris": uris(logout), "request_uris": uris(10)});
        assert_eq!(server.register(with(40)).await.status, StatusCode::CREATED);
        let refused = server.register(with(41)).await;
        refused.assert_error(400, "invalid_redirect_uri");
        assert!(refused.body.contains("100 entries together"), "{refused:?}");
        let names = |number: usize| {
            let names = (0..number).map(|each| (format!("client_name#x{each}"), json!("\u{e9}".repeat(96))));
            json!(names.collect::<serde_json::Map<_, _>>())
        };
        assert_eq!(server.register(names(16)).await.status, StatusCode::CREATED);
        let refused = server.register(names(17)).await;
        refused.assert_error(400, "invalid_client_metadata");
        assert!(refused.body.contains("3072 bytes"), "{refused:?}");
    }

    async fn consent_is_never_skipped_whatever_the_operator_writes_later(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let client = registration_of(&server.register(json!({})).await.json());
        server.change_client(&client, json!({"skip_consent": true, "first_party": true})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let first = browser.get(&server.authorization(&client, &[])).await;
        assert!(is_consent(&browser.follow(first).await));
        let silent = browser.get(&server.authorization(&client, &[("prompt", "none")])).await;
        silent.assert_asks_before_redirect(REDIRECT_URI, "consent_required");
    }

    async fn what_the_client_says_in_the_language_of_the_person_is_shown(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let answer = server.register(json!({"client_name#de-AT": "Kalender", "scope#de": "x", "client_name": "Calendar"})).await;
        assert_eq!(answer.json()["client_name#de-AT"], "Kalender");
        assert_eq!(answer.json()["scope#de"], json!(null), "a scope has no language");
        let client = registration_of(&answer.json());
        for (language, name) in [("de", "Kalender"), ("en", "Calendar")] {
            let mut browser = server.browser();
            let first = browser.get(&server.authorization(&client, &[("ui_locales", language)])).await;
            assert!(browser.follow(first).await.body.contains(name), "{language}");
        }
    }

    async fn registration_by_token_needs_a_good_one(kind: Kind) {
        let server = TestServer::start_with(kind, &[BY_TOKEN]).await;
        let answer = server.register(json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer realm=\"registration\"");
        let token = server.initial_access_token(Some(1), Some(60)).await;
        let other = TestServer::start_with(kind, &[BY_TOKEN]).await.initial_access_token(None, None).await;
        let changed = format!("{}A", &token[..token.len() - 1]);
        for wrong in ["x", "cy_ia_", &other, &changed, &token.replace("cy_ia_", "cy_ra_")] {
            let answer = server.register_with(Some(wrong), json!({})).await;
            if wrong == token { continue }
            answer.assert_error(401, "invalid_token");
            assert!(answer.header(header::WWW_AUTHENTICATE).starts_with("Bearer realm=\"registration\", error="));
        }
        assert_eq!(server.register_with(Some(&token), json!({})).await.status, StatusCode::CREATED);
        server.register_with(Some(&token), json!({})).await.assert_error(401, "invalid_token");
        let short = server.initial_access_token(None, Some(60)).await;
        assert_eq!(server.register_with(Some(&short), json!({})).await.status, StatusCode::CREATED);
        server.advance(60);
        server.register_with(Some(&short), json!({})).await.assert_error(401, "invalid_token");
    }

    async fn a_refused_registration_does_not_spend_its_token(kind: Kind) {
        let server = TestServer::start_with(kind, &[BY_TOKEN]).await;
        let token = server.initial_access_token(Some(1), None).await;
        let refused = server.register_with(Some(&token), json!({"redirect_uris": ["http://a.example"]})).await;
        refused.assert_error(400, "invalid_redirect_uri");
        let answer = server.register_with(Some(&token), json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        let client = server.app.storage.registration(&text(&answer.json(), "client_id")).await.unwrap().unwrap().stored.client;
        assert_eq!(client.origin.self_registered.unwrap().initial_access_token.as_deref(), Some("partners"));
    }

    async fn a_deleted_token_registers_nothing(kind: Kind) {
        let server = TestServer::start_with(kind, &[BY_TOKEN]).await;
        let token = server.initial_access_token(None, None).await;
        let listed = server.app.storage.registration_tokens().await.unwrap();
        assert!(server.app.storage.delete_registration_token(Noted::nothing(), &listed[0].id).await.unwrap());
        server.register_with(Some(&token), json!({})).await.assert_error(401, "invalid_token");
    }

    async fn of_forty_at_once_a_token_registers_as_many_as_it_may(kind: Kind) {
        let server = TestServer::start_with(kind, &[BY_TOKEN, ("REGISTRATION__MAX_PER_ADDRESS", "100")]).await;
        let token = server.initial_access_token(Some(3), None).await;
        let work = (0..40).map(|_| server.register_with(Some(&token), json!({}))).collect();
        let answers = all(work).await;
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(201), count(401)), (3, 37));
        assert_eq!(server.app.storage.registration_tokens().await.unwrap()[0].uses_left, Some(0));
    }

    async fn of_forty_at_once_no_client_is_one_too_many(kind: Kind) {
        let limits = [OPEN, PROXIES, ("REGISTRATION__MAX_CLIENTS", "5"), ("REGISTRATION__MAX_PER_ADDRESS", "100")];
        let server = TestServer::start_with(kind, &limits).await;
        let answers = all((0..40).map(|number| register_at(&server, format!("192.0.2.{number}"), None)).collect()).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 5);
        answers.iter().find(|answer| answer.status != 201).unwrap().assert_error(503, "temporarily_unavailable");
        assert_eq!(server.number("SELECT COUNT(*) FROM clients").await, 5);
        let first = answers.iter().find(|answer| answer.status == 201).unwrap();
        assert_eq!(server.manage(Method::DELETE, &first.json(), &json!({})).await.status, 204);
        assert_eq!(server.register(json!({})).await.status, StatusCode::CREATED, "there is room again");
    }

    async fn an_address_registers_so_many_in_a_quarter_of_an_hour(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, PROXIES, ("REGISTRATION__MAX_PER_ADDRESS", "2")]).await;
        let from = |address: &'static str| register_at(&server, address, None);
        for _ in 0..2 {
            assert_eq!(from("2001:db8::1").await.status, StatusCode::CREATED);
        }
        let answer = from("2001:db8::2").await;
        answer.assert_error(429, "temporarily_unavailable");
        assert_eq!(answer.header(header::RETRY_AFTER), "900");
        assert_eq!(from("2001:db8:0:1::1").await.status, StatusCode::CREATED);
        server.advance(900);
        assert_eq!(from("2001:db8::1").await.status, StatusCode::CREATED);
    }

    async fn replicas_count_the_registrations_of_an_address_together(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, PROXIES, ("REGISTRATION__MAX_PER_ADDRESS", "3")]).await;
        let replica = server.replica().await;
        for process in [&server, &replica, &server] {
            assert_eq!(register_at(process, "192.0.2.1", None).await.status, StatusCode::CREATED);
        }
        for process in [&server, &replica] {
            register_at(process, "192.0.2.1", None).await.assert_error(429, "temporarily_unavailable");
            assert_eq!(register_at(process, "192.0.2.2", None).await.status, StatusCode::CREATED);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM tries WHERE id LIKE '%192%'").await, 0, "no address is stored");
    }

    async fn of_forty_registrations_of_an_address_at_once_so_many_are_taken_on(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "7")]).await;
        let answers = all((0..40).map(|_| server.register(json!({}))).collect()).await;
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(201), count(429)), (7, 33));
        assert_eq!(server.number("SELECT COUNT(*) FROM clients").await, 7);
    }

    async fn an_address_that_asked_for_its_share_costs_one_statement(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "1")]).await;
        server.register(json!({})).await;
        let (statements, answer) = server.statements(server.register(json!({}))).await;
        assert_eq!((statements, answer.status.as_u16()), (1, 429));
    }

    async fn all_together_register_so_many_and_the_last_quarter_is_for_addresses_with_hardly_any(kind: Kind) {
        let limits = [OPEN, PROXIES, ("REGISTRATION__MAX_PER_ADDRESS", "4"), ("REGISTRATION__MAX_IN_ALL", "8")];
        let server = TestServer::start_with(kind, &limits).await;
        let made = async |address: &str, times: usize| {
            let mut made = 0;
            for _ in 0..times {
                made += u32::from(register_at(&server, address, None).await.status == 201);
            }
            made
        };
        assert_eq!(made("192.0.2.1", 5).await, 4);
        assert_eq!(made("192.0.2.2", 4).await, 2, "the rest is left for others");
        assert_eq!((made("192.0.2.3", 2).await, made("192.0.2.4", 2).await, made("192.0.2.5", 1).await), (1, 1, 0));
        register_at(&server, "192.0.2.6", None).await.assert_error(429, "temporarily_unavailable");
        server.advance(900);
        assert_eq!(made("192.0.2.2", 4).await, 4);
    }

    async fn a_token_registers_so_many_in_a_quarter_of_an_hour_from_wherever(kind: Kind) {
        let limits = [BY_TOKEN, PROXIES, ("REGISTRATION__MAX_PER_TOKEN", "2")];
        let server = TestServer::start_with(kind, &limits).await;
        let replica = server.replica().await;
        let token = server.initial_access_token(None, None).await;
        for (process, address) in [(&server, "192.0.2.1"), (&replica, "192.0.2.2")] {
            assert_eq!(register_at(process, address, Some(&token)).await.status, StatusCode::CREATED);
        }
        register_at(&server, "192.0.2.3", Some(&token)).await.assert_error(429, "temporarily_unavailable");
        let other = server.initial_access_token(None, None).await;
        assert_eq!(register_at(&server, "192.0.2.3", Some(&other)).await.status, StatusCode::CREATED);
        server.advance(900);
        assert_eq!(register_at(&server, "192.0.2.3", Some(&token)).await.status, StatusCode::CREATED);
    }

    async fn an_address_has_half_of_all_clients_and_the_last_quarter_is_for_those_with_hardly_any(kind: Kind) {
        let limits = [OPEN, PROXIES, ("REGISTRATION__MAX_CLIENTS", "8"), ("REGISTRATION__MAX_PER_ADDRESS", "100")];
        let server = TestServer::start_with(kind, &limits).await;
        let replica = server.replica().await;
        let mut first = Vec::new();
        for process in [&server, &replica, &server, &replica] {
            first.push(register_at(process, "2001:db8::1", None).await.json());
        }
        let refused = register_at(&replica, "2001:db8::ffff", None).await;
        refused.assert_error(503, "temporarily_unavailable");
        assert!(text(&refused.json(), "error_description").contains("delete one"), "{refused:?}");
        let from = async |address: &str| register_at(&server, address, None).await.status.as_u16();
        assert_eq!((from("192.0.2.2").await, from("192.0.2.2").await, from("192.0.2.2").await), (201, 201, 503));
        assert_eq!((from("192.0.2.3").await, from("192.0.2.4").await, from("192.0.2.5").await), (201, 201, 503));
        assert_eq!(server.number("SELECT COUNT(*) FROM clients").await, 8);
        // What is there no more counts no more.
        for client in &first[..3] {
            assert_eq!(server.manage(Method::DELETE, client, &json!({})).await.status, 204);
        }
        assert_eq!(from("2001:db8::2").await, 201);
        assert_eq!(server.number("SELECT COUNT(*) FROM clients WHERE registered_by LIKE '%2001%'").await, 0);
    }

    async fn a_token_has_half_of_all_clients_whatever_the_address(kind: Kind) {
        let limits = [BY_TOKEN, PROXIES, ("REGISTRATION__MAX_CLIENTS", "8"), ("REGISTRATION__MAX_PER_ADDRESS", "100")];
        let server = TestServer::start_with(kind, &limits).await;
        let (token, other) = (server.initial_access_token(None, None).await, server.initial_access_token(None, None).await);
        for number in 0..4 {
            let answer = register_at(&server, format!("192.0.2.{number}"), Some(&token)).await;
            assert_eq!(answer.status, StatusCode::CREATED);
        }
        register_at(&server, "192.0.2.9", Some(&token)).await.assert_error(503, "temporarily_unavailable");
        assert_eq!(register_at(&server, "192.0.2.9", Some(&other)).await.status, StatusCode::CREATED);
    }

    async fn a_registration_that_the_server_failed_is_not_counted_and_one_that_was_refused_is(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "2")]).await;
        server.sql("ALTER TABLE clients RENAME TO away").await;
        for _ in 0..3 {
            let failed = server.register(json!({})).await;
            assert!(failed.status.is_server_error(), "{failed:?}");
        }
        server.sql("ALTER TABLE away RENAME TO clients").await;
        server.register(json!({"redirect_uris": ["http://a.example"]})).await.assert_error(400, "invalid_redirect_uri");
        assert_eq!(server.register(json!({})).await.status, StatusCode::CREATED);
        server.register(json!({})).await.assert_error(429, "temporarily_unavailable");
    }

    async fn a_registration_that_nobody_uses_is_removed_and_a_used_one_is_not(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__UNUSED_SECONDS", "86400")]).await;
        server.user("ada").await;
        let register = || server.register(json!({"token_endpoint_auth_method": "client_secret_post"}));
        let unused = registration_of(&register().await.json());
        let authenticated = registration_of(&register().await.json());
        let allowed = registration_of(&register().await.json());
        let public = server.register(json!({"token_endpoint_auth_method": "none"})).await.json();
        let (public, operators) = (registration_of(&public), server.client(json!({})).await);
        let form = [("client_id", &*authenticated.id), ("client_secret", &authenticated.secret), ("token", "x")];
        assert_eq!(server.post("/revoke", &[], &form).await.status, 200);
        // Anybody may say to be a public client, and know the id of another.
        server.post("/revoke", &[], &[("client_id", &public.id), ("token", "x")]).await;
        let wrong = [("client_id", &*unused.id), ("client_secret", "wrong"), ("token", "x")];
        server.post("/revoke", &[], &wrong).await.assert_invalid_client();
        server.code(&allowed, "ada", &[]).await;
        let known = async || {
            server.app.storage.purge(server.app.now()).await.unwrap();
            let clients = server.app.storage.clients().await.unwrap();
            clients.iter().map(|client| client.id.as_str().to_owned()).collect::<Vec<_>>()
        };
        server.advance(86_399);
        assert_eq!(known().await.len(), 5);
        server.advance(1);
        let left = known().await;
        assert!(!left.contains(&unused.id) && !left.contains(&public.id), "{left:?}");
        assert!([&authenticated, &allowed, &operators].iter().all(|client| left.contains(&client.id)), "{left:?}");
    }

    async fn forty_that_nobody_uses_go_in_one_round_and_none_is_gone_twice(kind: Kind) {
        let limits = [OPEN, ("REGISTRATION__UNUSED_SECONDS", "86400"), ("REGISTRATION__MAX_PER_ADDRESS", "100")];
        let server = TestServer::start_with(kind, &limits).await;
        all((0..40).map(|_| server.register(json!({}))).collect()).await;
        server.advance(86_400);
        let now = server.app.now();
        let rounds = all((0..4).map(|_| server.app.storage.purge(now)).collect()).await;
        assert_eq!(rounds.iter().map(|round| round.as_ref().unwrap().registrations).sum::<u64>(), 40);
    }

    async fn a_registered_client_costs_a_statement_more_once(kind: Kind) {
        let granted = ("REGISTRATION__GRANT_TYPES", "client_credentials");
        let server = TestServer::start_with(kind, &[OPEN, granted, ("REGISTRATION__SCOPES", "read")]).await;
        let asked = json!({"grant_types": ["client_credentials"], "redirect_uris": null});
        let client = registration_of(&server.register(asked).await.json());
        let ask = || server.client_token(&client, "read");
        assert_eq!(server.statements(ask()).await.0, 2, "the client, and that it is used");
        assert_eq!(server.statements(ask()).await.0, 0);
    }

    async fn the_account_page_lists_a_registered_client_like_any_other(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        server.user("ada").await;
        let client = registration_of(&server.register(json!({})).await.json());
        let mut browser = server.browser();
        browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        let page = browser.get("/account").await;
        assert!(page.body.contains("Acme") && !hidden(&page, "csrf").is_empty(), "{page:?}");
    }

    async fn applications_in_a_browser_may_register(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        for (path, method) in [("/register", "POST"), ("/register/x", "PUT"), ("/register/x", "DELETE")] {
            let request = Request::builder().method("OPTIONS").uri(path)
                .header(header::ORIGIN, "https://spa.example")
                .header(header::ACCESS_CONTROL_REQUEST_METHOD, method);
            let answer = server.send(request.body(Body::empty()).unwrap()).await;
            assert!(answer.header(header::ACCESS_CONTROL_ALLOW_METHODS).contains(method), "{answer:?}");
        }
    }
}
