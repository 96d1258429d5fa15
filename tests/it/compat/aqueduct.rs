//! The promises of Aqueduct's AuthServer, kept for a client of the profile `aqueduct`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{client, code, is_sign_in, start, tokens_without_pkce};
use crate::support::{Answer, Kind, PASSWORD, Registration, TestServer, on_both, text};

const SETTINGS: [(&str, &str); 2] =
    [("ALIASES__PATHS", "/auth/token=/token,/auth/code=/authorize"), ("GRANTS__PASSWORD", "true")];

/// A server with the system's paths, and its kind of client: an identifier without a secret.
async fn begin(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &SETTINGS).await;
    server.user("ada").await;
    let client = client(&server, "aqueduct", trusted()).await;
    (server, client)
}

fn trusted() -> Value {
    json!({
        "token_endpoint_auth_method": "none", "first_party": true, "grant_types": ["password", "refresh_token"],
        "scope": "read write",
    })
}

/// The header of the system: base64 of `clientID:`.
fn basic(client: &Registration) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:", client.id)))
}

async fn post(server: &TestServer, client: &Registration, form: &[(&str, &str)]) -> Answer {
    server.post("/auth/token", &[("authorization", &basic(client))], form).await
}

async fn enter(server: &TestServer, client: &Registration) -> Value {
    let form = [("username", "ada"), ("password", PASSWORD), ("grant_type", "password")];
    let answer = post(server, client, &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

on_both! {
    async fn aq_01_credentials_are_traded_once_for_an_access_token(kind: Kind) {
        let (server, client) = begin(kind).await;
        let (statements, tokens) = server.statements(enter(&server, &client)).await;
        // The client, the person, the grant, which begins active by one INSERT, and what keeps them to so many grants.
        assert_eq!(statements, kind.with_an_entry(4));
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &text(&tokens, "refresh_token"))];
        assert_eq!(post(&server, &client, &refresh).await.status, 200, "without the password");
    }

    async fn aq_02_the_request_is_a_form_with_username_password_and_grant_type(kind: Kind) {
        let (server, client) = begin(kind).await;
        let right = [("username", "ada"), ("password", PASSWORD), ("grant_type", "password")];
        assert_eq!(post(&server, &client, &right).await.status, 200);
        for missing in 0..3 {
            let mut form = right.to_vec();
            form.remove(missing);
            post(&server, &client, &form).await.assert_error(400, "invalid_request");
        }
        let headers = [("authorization", basic(&client)), ("content-type", "application/json".to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        server.post_raw("/auth/token", &headers, "{}").await.assert_error(400, "invalid_request");
    }

    async fn aq_03_the_client_id_is_in_the_header_with_an_empty_secret(kind: Kind) {
        let (server, client) = begin(kind).await;
        let form = [("username", "ada"), ("password", PASSWORD), ("grant_type", "password")];
        let bare = STANDARD.encode(format!("{}:", client.id));
        for header in [basic(&client), bare.clone()] {
            assert_eq!(server.post("/auth/token", &[("authorization", &header)], &form).await.status, 200, "{header}");
        }
        // Without the scheme it is this profile's only.
        server.change_client(&client, json!({"profile": "default"})).await;
        assert_eq!(server.post("/token", &[("authorization", &basic(&client))], &form).await.status, 200);
        server.post("/token", &[("authorization", &bare)], &form).await.assert_invalid_client();
    }

    async fn aq_04_username_password_and_client_id_must_all_be_right(kind: Kind) {
        let (server, client) = begin(kind).await;
        for (username, password) in [("ada", "wrong"), ("nobody", PASSWORD), ("", PASSWORD), ("ada", "")] {
            let form = [("username", username), ("password", password), ("grant_type", "password")];
            assert_eq!(post(&server, &client, &form).await.status, 400, "{username}");
        }
        let other = Registration { id: "nobody".to_owned(), secret: String::new() };
        let form = [("username", "ada"), ("password", PASSWORD), ("grant_type", "password")];
        post(&server, &other, &form).await.assert_invalid_client();
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
    }

    async fn aq_04_guessing_is_slowed_down_together_with_the_sign_in_page(kind: Kind) {
        let (server, client) = begin(kind).await;
        let wrong = [("username", "ada"), ("password", "wrong"), ("grant_type", "password")];
        for _ in 0..10 {
            post(&server, &client, &wrong).await.assert_error(400, "invalid_grant");
        }
        let right = [("username", "ada"), ("password", PASSWORD), ("grant_type", "password")];
        let answer = post(&server, &client, &right).await;
        answer.assert_error(400, "invalid_grant");
        assert!(answer.body.contains("too many"), "{answer:?}");
        let mut browser = server.browser();
        let page = browser.get("/login").await;
        let form = [("csrf", &*crate::support::hidden(&page, "csrf")), ("username", "ada"), ("password", PASSWORD)];
        assert_eq!(browser.post("/login", &form).await.status, 429);
        server.advance(900);
        assert_eq!(post(&server, &client, &right).await.status, 200);
    }

    async fn aq_05_an_access_token_is_a_long_random_string(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&enter(&server, &client).await, "access_token");
        assert!(token.len() > 100 && !token.contains('.'), "{token}");
        assert_ne!(token, text(&enter(&server, &client).await, "access_token"));
    }

    async fn aq_06_a_token_is_checked_for_authenticity_and_expiry(kind: Kind) {
        let (server, client) = begin(kind).await;
        let gateway = server.client(json!({"introspection_policy": "any"})).await;
        let token = text(&enter(&server, &client).await, "access_token");
        assert!(server.is_active(&gateway, &token).await);
        assert!(!server.is_active(&gateway, &format!("{token}x")).await);
        server.advance(86_400);
        assert!(!server.is_active(&gateway, &token).await);
    }

    async fn aq_07_an_access_token_lives_a_day(kind: Kind) {
        let (server, client) = begin(kind).await;
        let tokens = enter(&server, &client).await;
        assert_eq!(tokens["expires_in"], 86_400);
        let gateway = server.client(json!({"introspection_policy": "any"})).await;
        let claims = server.introspect(&gateway, &text(&tokens, "access_token")).await.json();
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86_400);
    }

    async fn aq_08_the_answer_has_the_members_the_client_reads(kind: Kind) {
        let (server, client) = begin(kind).await;
        let tokens = enter(&server, &client).await;
        assert_eq!(tokens["token_type"], "bearer");
        assert_eq!((&tokens["expire_in"], &tokens["expires_in"]), (&json!(86_400), &json!(86_400)));
        assert!(tokens["access_token"].is_string() && tokens["refresh_token"].is_string(), "{tokens}");
    }

    async fn aq_09_a_refresh_token_is_a_random_string_used_at_the_same_route(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&enter(&server, &client).await, "refresh_token");
        assert!(token.len() >= 32 && !token.contains(&client.id), "{token}");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        assert_eq!(post(&server, &client, &form).await.status, 200);
    }

    async fn aq_10_the_answer_to_a_refresh_has_the_same_shape_and_a_new_access_token(kind: Kind) {
        let (server, client) = begin(kind).await;
        let first = enter(&server, &client).await;
        let token = text(&first, "refresh_token");
        let again = post(&server, &client, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).await.json();
        assert_eq!(crate::support::names(&again), crate::support::names(&first));
        assert_ne!(again["access_token"], first["access_token"]);
    }

    async fn aq_11_clients_have_identifiers_in_the_database(kind: Kind) {
        let (server, _) = begin(kind).await;
        let gateway = server.client(json!({"introspection_policy": "any"})).await;
        for id in ["com.app.web", "com.app.android", "com.app.ios"] {
            let mut members = trusted();
            members["client_id"] = json!(id);
            let client = client(&server, "aqueduct", members).await;
            let token = text(&enter(&server, &client).await, "access_token");
            assert_eq!(server.introspect(&gateway, &token).await.json()["client_id"], id);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM clients WHERE id LIKE 'com.app.%'").await, 3);
    }

    async fn aq_13_what_was_authorized_is_verified_and_stored(kind: Kind) {
        let (server, client) = begin(kind).await;
        let gateway = server.client(json!({"introspection_policy": "any"})).await;
        let token = text(&enter(&server, &client).await, "access_token");
        let there = "SELECT COUNT(*) FROM grants WHERE state = 'active' AND generation = 1";
        assert_eq!(server.number(there).await, 1);
        server.sql("UPDATE grants SET state = 'revoked'").await;
        assert!(!server.is_active(&gateway, &token).await);
    }

    async fn aq_14_a_code_is_issued_at_one_path_and_exchanged_at_the_other(kind: Kind) {
        let (server, _) = begin(kind).await;
        let client = client(&server, "aqueduct", json!({})).await;
        let path = server.authorization(&client, &[("scope", "read")]).replace("/authorize?", "/auth/code?");
        let code = code(&server.browser().authorize_as(&path, "ada").await);
        let form = [
            ("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", crate::support::VERIFIER),
        ];
        assert_eq!(server.post_as(&client, "/auth/token", &form).await.json()["token_type"], "bearer");
    }

    async fn aq_15_the_sign_in_page_of_the_code_flow_is_the_servers(kind: Kind) {
        let (server, _) = begin(kind).await;
        let client = client(&server, "aqueduct", json!({})).await;
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&client, &[("scope", "read")])).await;
        assert!(answer.location().starts_with(server.issuer()), "{answer:?}");
        assert!(is_sign_in(&browser.follow(answer).await));
    }

    async fn aq_17_a_refresh_keeps_the_refresh_token_and_its_end(kind: Kind) {
        let (server, client) = start(kind, "aqueduct", json!({})).await;
        let tokens = tokens_without_pkce(&server, &client, "read").await;
        let token = text(&tokens, "refresh_token");
        let end = "SELECT expires_at FROM grants";
        let before = server.number(end).await;
        for _ in 0..3 {
            server.advance(100_000);
            let (statements, answer) = server.statements(server.refresh(&client, &token)).await;
            assert_eq!((answer.text("refresh_token"), statements), (token.clone(), 2));
        }
        assert_eq!((server.number(end).await, server.number("SELECT generation FROM grants").await), (before, 1));
        server.sql("UPDATE grants SET state = 'revoked'").await;
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
    }

    async fn aq_17_a_client_without_a_secret_rotates(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&enter(&server, &client).await, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        assert_ne!(post(&server, &client, &form).await.text("refresh_token"), token);
        server.advance(31);
        post(&server, &client, &form).await.assert_error(400, "invalid_grant");
    }

    async fn aq_18_refresh_tokens_can_be_kept_to_clients_with_a_secret(kind: Kind) {
        let (server, client) = begin(kind).await;
        server.change_client(&client, json!({"refresh_policy": "confidential_only"})).await;
        assert!(enter(&server, &client).await.get("refresh_token").is_none());
        let confidential = super::client(&server, "aqueduct", json!({"refresh_policy": "confidential_only"})).await;
        assert!(tokens_without_pkce(&server, &confidential, "read").await["refresh_token"].is_string());
    }

    async fn aq_19_an_authorization_request_needs_a_state(kind: Kind) {
        let (server, client) = start(kind, "aqueduct", json!({})).await;
        let answer = server.browser().get(&server.authorization(&client, &[("state", "")])).await;
        answer.assert_redirect_error("invalid_request");
    }

    async fn aq_20_errors_are_400_with_an_error_and_are_not_stored(kind: Kind) {
        let (server, client) = begin(kind).await;
        let form = [("username", "ada"), ("password", "wrong"), ("grant_type", "password")];
        post(&server, &client, &form).await.assert_error(400, "invalid_grant");
    }
}
