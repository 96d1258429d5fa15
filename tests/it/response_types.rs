//! What comes back from the authorization endpoint beside a code (OAuth 2.0 Multiple Response Type Encoding Practices,
//! OpenID Connect Core 3.2, 3.3, RFC 6749 4.2).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::authorization::{STATE, ask, assert_accepted, assert_refused};
use crate::support::{Answer, ExternalUi, Kind, Registration, TestServer, claims_of, hidden, on_both, text};

const ALL: [&str; 7] =
    ["code", "code id_token", "id_token", "id_token token", "code token", "code id_token token", "token"];
const NO_CODE: [(&str, &str); 2] = [("code_challenge", ""), ("code_challenge_method", "")];

/// A server that offers every type, with a user and a client that may ask for these.
async fn start(kind: Kind, types: &[&str]) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &[("GRANTS__IMPLICIT", "true")]).await;
    server.user("ada").await;
    let client = server.client(registered(types)).await;
    (server, client)
}

fn registered(types: &[&str]) -> Value {
    let grant_types = ["authorization_code", "refresh_token", "client_credentials", "implicit"];
    json!({"response_types": types, "grant_types": grant_types})
}

async fn run(server: &TestServer, client: &Registration, change: &[(&str, &str)]) -> Answer {
    server.browser().authorize_as(&server.authorization(client, change), "ada").await
}

fn left_half(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

on_both! {
    async fn every_type_returns_what_it_names_in_the_fragment_and_never_a_refresh_token(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        for response_type in ALL {
            let answer = run(&server, &client, &[("response_type", response_type)]).await;
            let fragment = answer.location().contains('#');
            assert_eq!(fragment, response_type != "code", "{answer:?}");
            for (word, name) in [("code", "code"), ("token", "access_token"), ("id_token", "id_token")] {
                let named = response_type.split(' ').any(|found| found == word);
                assert_eq!(answer.returned(name).is_some(), named, "{response_type} {name}");
            }
            assert_eq!(answer.returned("state").as_deref(), Some(STATE));
            assert_eq!(answer.returned("iss").as_deref(), Some("https://id.example"));
            assert_eq!(answer.returned("refresh_token"), None);
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }

    async fn an_id_token_is_bound_to_what_comes_with_it(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        for response_type in ALL.into_iter().filter(|each| each.contains("id_token")) {
            let answer = run(&server, &client, &[("response_type", response_type)]).await;
            let (_, claims) = server.verified(&answer.returned("id_token").unwrap()).await;
            let hash = |name: &str| answer.returned(name).map(|text| json!(left_half(&text)));
            assert_eq!(claims.get("c_hash"), hash("code").as_ref(), "{response_type}");
            assert_eq!(claims.get("at_hash"), hash("access_token").as_ref(), "{response_type}");
            assert_eq!(claims["s_hash"], left_half(STATE));
            assert_eq!((&claims["nonce"], &claims["aud"]), (&json!("n-0S6_WzA2Mj"), &json!(client.id)));
            // OpenID Connect Core 5.4: the claims are in the ID token where no access token is issued.
            let tells = response_type == "id_token";
            assert_eq!(claims["email"] == "ada@mail.example", tells, "{claims}");
            assert_eq!(claims["name"] == "Ada Lovelace", tells, "{claims}");
        }
    }

    async fn both_id_tokens_of_a_hybrid_flow_are_about_the_same_user(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        let answer = run(&server, &client, &[("response_type", "code id_token")]).await;
        let (_, front) = server.verified(&answer.returned("id_token").unwrap()).await;
        let tokens = server.redeem(&client, &answer.returned("code").unwrap()).await.json();
        let (_, back) = server.verified(&text(&tokens, "id_token")).await;
        for name in ["iss", "sub", "aud", "nonce", "auth_time", "sid"] {
            assert_eq!(front[name], back[name], "{name}");
        }
        // HY-09: the code gives a refresh token where offline_access was granted.
        assert!(tokens["refresh_token"].is_string());
    }

    async fn a_code_with_an_id_token_needs_only_the_client_to_be_registered(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({"response_types": ["code", "code id_token"]})).await;
        let answer = run(&server, &client, &[("response_type", "id_token code")]).await;
        assert!(answer.returned("code").is_some() && answer.returned("id_token").is_some(), "{answer:?}");
        assert_eq!(answer.returned("access_token"), None);
    }

    async fn each_switch_alone_opens_nothing(kind: Kind) {
        let off = TestServer::start(kind).await;
        let client = off.client(registered(&ALL)).await;
        for response_type in ALL.into_iter().skip(2) {
            let change: &[_] = &[("response_type", response_type)];
            assert_refused(&off, &client, "unsupported_response_type", &[change]).await;
        }
        let (on, _) = start(kind, &ALL).await;
        let plain = on.client(json!({})).await;
        for response_type in ALL.into_iter().skip(1) {
            let change: &[_] = &[("response_type", response_type)];
            assert_refused(&on, &plain, "unauthorized_client", &[change]).await;
        }
        let mut metadata = registered(&["id_token"]);
        metadata["grant_types"] = json!(["authorization_code"]);
        let no_grant = on.client(metadata).await;
        assert_refused(&on, &no_grant, "unauthorized_client", &[&[("response_type", "id_token")]]).await;
    }

    async fn an_id_token_needs_a_nonce_and_openid(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        for response_type in ALL.into_iter().filter(|each| each.contains("id_token")) {
            let no_nonce: &[_] = &[("response_type", response_type), ("nonce", "")];
            assert_refused(&server, &client, "invalid_request", &[no_nonce]).await;
            let no_openid: &[_] = &[("response_type", response_type), ("scope", "profile")];
            assert_refused(&server, &client, "invalid_scope", &[no_openid]).await;
        }
        for response_type in ["code token", "token"] {
            let change = [("response_type", response_type), ("nonce", "")];
            assert_accepted(&ask(&server, &client, &change).await);
        }
    }

    async fn pkce_is_for_types_with_a_code(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        for response_type in ["code", "code id_token", "code token", "code id_token token"] {
            let change = [NO_CODE.as_slice(), &[("response_type", response_type)]].concat();
            assert_refused(&server, &client, "invalid_request", &[&change]).await;
        }
        for response_type in ["id_token", "id_token token", "token"] {
            let change = [NO_CODE.as_slice(), &[("response_type", response_type)]].concat();
            assert_accepted(&ask(&server, &client, &change).await);
        }
    }

    async fn x2_a_token_in_the_front_channel_lives_ten_minutes_at_most(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        for response_type in ["token", "code token"] {
            let answer = run(&server, &client, &[("response_type", response_type)]).await;
            assert_eq!(answer.returned("expires_in").as_deref(), Some("600"));
            assert_eq!(answer.returned("token_type").as_deref(), Some("Bearer"));
            let token = answer.returned("access_token").unwrap();
            assert!(server.is_active(&client, &token).await);
            server.advance(599);
            assert!(server.is_active(&client, &token).await, "{response_type}");
            server.advance(1);
            assert!(!server.is_active(&client, &token).await);
        }
        server.change_client(&client, json!({"access_token_lifetime": 60})).await;
        let answer = run(&server, &client, &[("response_type", "token")]).await;
        assert_eq!(answer.returned("expires_in").as_deref(), Some("60"));
    }

    async fn a_front_channel_token_works_before_and_after_its_code_is_redeemed_and_ends_with_its_grant(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        let answer = run(&server, &client, &[("response_type", "code token")]).await;
        let (code, token) = (answer.returned("code").unwrap(), answer.returned("access_token").unwrap());
        assert_eq!(server.get_with_token("/userinfo", &token).await.status, 200);
        assert_eq!(server.redeem(&client, &code).await.status, 200);
        assert!(server.is_active(&client, &token).await);
        // A code that is used twice takes everything back.
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        assert!(!server.is_active(&client, &token).await);
        assert_eq!(server.get_with_token("/userinfo", &token).await.status, 401);
    }

    async fn a_failed_attempt_at_the_code_ends_the_token_beside_it(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        let answer = run(&server, &client, &[("response_type", "code token")]).await;
        let (code, token) = (answer.returned("code").unwrap(), answer.returned("access_token").unwrap());
        let wrong = [("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong")];
        server.redeem_with(&client, &code, &wrong).await.assert_error(400, "invalid_grant");
        assert!(!server.is_active(&client, &token).await);
    }

    async fn signing_out_ends_the_tokens_of_the_front_channel(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        for response_type in ["token", "code token"] {
            let mut browser = server.browser();
            let change = [("response_type", response_type), ("scope", "openid")];
            let answer = browser.authorize_as(&server.authorization(&client, &change), "ada").await;
            let token = answer.returned("access_token").unwrap();
            assert!(server.is_active(&client, &token).await);
            let mut elsewhere = server.browser();
            elsewhere.enter("ada").await;
            let csrf = hidden(&elsewhere.get("/account").await, "csrf");
            let session = text(&claims_of(&token), "sid");
            elsewhere.post("/account/sessions/end", &[("csrf", &csrf), ("session", &session)]).await;
            assert!(!server.is_active(&client, &token).await, "{response_type}");
        }
    }

    async fn without_a_code_offline_access_is_ignored(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        let change = [("response_type", "id_token token"), ("scope", "openid email offline_access")];
        let answer = run(&server, &client, &change).await;
        assert_eq!(answer.returned("scope").as_deref(), Some("openid email"));
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE refreshable").await, 0);
    }

    async fn a_form_that_is_sent_twice_makes_one_grant(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        for response_type in ["token", "id_token", "code id_token token"] {
            let mut browser = server.browser();
            let change = [("response_type", response_type), ("prompt", "consent")];
            let first = browser.get(&server.authorization(&client, &change)).await;
            let page = browser.follow(first).await;
            let answer = browser.sign_in(&page, "ada", crate::support::PASSWORD).await;
            let page = browser.follow(answer).await;
            let before = server.number("SELECT COUNT(*) FROM grants").await;
            let (once, twice) = (browser.decide(&page, "allow").await, browser.decide(&page, "allow").await);
            assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, before + 1);
            assert_eq!(once.returned("code"), twice.returned("code"));
            assert!(twice.location().contains('#'), "{twice:?}");
            server.advance(60);
            browser.decide(&page, "allow").await.assert_page_error(400);
        }
    }

    async fn asking_nobody_for_tokens_takes_no_more_statements_than_for_a_code(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        let mut browser = server.browser();
        let path = server.authorization(&client, &[("response_type", "code id_token token")]);
        browser.authorize_as(&path, "ada").await;
        let (statements, answer) = server.statements(browser.get(&path)).await;
        assert!(answer.returned("access_token").is_some());
        assert!(statements <= 4, "{statements}");
    }

    async fn the_metadata_names_implicit_types_only_where_they_are_on(kind: Kind) {
        let path = "/.well-known/openid-configuration";
        let document = TestServer::start(kind).await.get(path).await.json();
        assert_eq!(document["response_types_supported"], json!(["code", "code id_token"]));
        assert!(!document["grant_types_supported"].as_array().unwrap().contains(&json!("implicit")));
        let document = start(kind, &ALL).await.0.get(path).await.json();
        assert_eq!(document["response_types_supported"], json!(ALL));
        assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!("implicit")));
    }

    async fn the_token_endpoint_knows_no_implicit_grant(kind: Kind) {
        let (server, client) = start(kind, &ALL).await;
        let answer = server.post_as(&client, "/token", &[("grant_type", "implicit")]).await;
        answer.assert_error(400, "unsupported_grant_type");
    }

    async fn an_external_page_that_withholds_openid_withholds_the_id_token(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let metadata = json!({"ui": "external", "response_types": ["code id_token"]});
        let client = server.client(metadata).await;
        let (mut browser, ui) = (server.browser(), ExternalUi(&server));
        let challenge = ui.start(&mut browser, &client, &[("response_type", "code id_token")]).await;
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        let accept = json!({"grant_scope": ["email"]});
        let answer = ui.answer(&mut browser, "consent/accept", &challenge, accept).await;
        answer.assert_redirect_error("access_denied");
    }
}
