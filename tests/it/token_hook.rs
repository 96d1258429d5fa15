//! The token hook: asked before tokens are minted, over HTTPS, with signed requests; what it may add, and what happens when
//! it fails.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::model::{KeySource, Noted, SubjectClaim, TrustedIssuer};
use serde_json::{Value, json};

use crate::device::{self, DEVICE_CODE};
use crate::support::{
    Answer, HookService, JWT_BEARER, Kind, PASSWORD, Registration, START, Signer, TestServer, claims_of,
    on_both, text,
};

const KEY: [u8; 32] = [7; 32];

struct Place {
    server: TestServer,
    hook: HookService,
}

impl Place {
    async fn new(kind: Kind) -> Self {
        Self::with(kind, &[]).await
    }

    async fn with(kind: Kind, change: &[(&str, &str)]) -> Self {
        let hook = HookService::serve().await;
        let (secret, authority) = (format!("whsec_{}", STANDARD.encode(KEY)), HookService::authority());
        let mut settings = vec![
            ("TOKEN_HOOK__URL", hook.url.as_str()),
            ("TOKEN_HOOK__SECRET", &secret),
            ("TOKEN_HOOK__ALLOW_PRIVATE", "true"),
            ("OUTBOUND__CA_FILE", &authority),
            ("GRANTS__PASSWORD", "true"),
        ];
        settings.extend_from_slice(change);
        let server = TestServer::start_with(kind, &settings).await;
        server.user("ada").await;
        Self { server, hook }
    }

    async fn machine(&self, client: &Registration) -> Answer {
        self.server
            .post_as(client, "/token", &[("grant_type", "client_credentials"), ("scope", "read")])
            .await
    }
}

/// The ways to fail, each as the receiver answers.
fn failures() -> Vec<(u16, Vec<u8>)> {
    let long = json!({"access_token": {"a": "x".repeat(20_000)}}).to_string();
    vec![
        (500, b"{}".to_vec()),
        (302, b"{}".to_vec()),
        (401, b"{}".to_vec()),
        (200, long.into_bytes()),
        (200, b"<html>".to_vec()),
        (200, b"".to_vec()),
        (200, br#"{"access_token": "tenant"}"#.to_vec()),
        (200, br#"{"access_token": {"tenant": "x"}, "more": 1}"#.to_vec()),
        (200, br#"{"access_token": {"sub": "root"}}"#.to_vec()),
        (200, br#"{"id_token": {"nonce": "x"}}"#.to_vec()),
    ]
}

on_both! {
    async fn the_hook_adds_claims_to_the_tokens_of_a_code_and_of_a_refresh(kind: Kind) {
        let place = Place::new(kind).await;
        let client = place.server.client(json!({"claims_mapping": {"tenant": "const:mapped", "b": "const:b"}})).await;
        let additions = json!({"access_token": {"tenant": "acme", "roles": ["a"]}, "id_token": {"plan": {"n": 1}}});
        place.hook.answer(200, additions.to_string());
        let tokens = place.server.tokens(&client, "ada").await;
        let refreshed = place.server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        for tokens in [&tokens, &refreshed] {
            let (_, access) = place.server.verified(&text(tokens, "access_token")).await;
            assert_eq!((&access["tenant"], &access["roles"], &access["b"]), (&json!("acme"), &json!(["a"]), &json!("b")));
            let (_, id) = place.server.verified(&text(tokens, "id_token")).await;
            assert_eq!((&id["plan"], id.get("tenant")), (&json!({"n": 1}), None));
        }
        let about = place.server.introspect(&client, &text(&tokens, "access_token")).await.json();
        assert_eq!(about["tenant"], "acme");
        assert_eq!(place.hook.requests(), 2);
    }

    async fn the_hook_is_told_what_for_and_no_secret(kind: Kind) {
        let place = Place::new(kind).await;
        let client = place.server.client(json!({})).await;
        let code = place.server.code(&client, "ada", &[]).await;
        let tokens = place.server.redeem(&client, &code).await.json();
        let (received, claims) = (place.hook.last(), claims_of(&text(&tokens, "access_token")));
        let mut id = claims_of(&text(&tokens, "id_token"));
        id.as_object_mut().unwrap().remove("at_hash");
        let expected = json!({"type": "token.issuing", "timestamp": "2027-01-15T08:00:00Z", "data": {
            "grant_type": "authorization_code", "client_id": client.id, "username": "ada",
            "access_token": claims, "id_token": id,
        }});
        assert_eq!(received.json(), expected);
        let said = String::from_utf8(received.body.clone()).unwrap();
        for secret in [&code, &client.secret, &text(&tokens, "access_token"), &text(&tokens, "refresh_token")] {
            assert!(!said.contains(secret.as_str()) && !format!("{:?}", received.headers).contains(secret.as_str()));
        }
        place.machine(&client).await;
        let data = place.hook.last().json()["data"].clone();
        assert_eq!((&data["grant_type"], data.get("username"), data.get("id_token")), (&json!("client_credentials"), None, None));
    }

    async fn requests_are_signed_as_standard_webhooks_are(kind: Kind) {
        let place = Place::new(kind).await;
        let client = place.server.client(json!({})).await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            place.machine(&client).await;
            let received = place.hook.last();
            let (id, at) = (received.header("webhook-id").to_owned(), received.header("webhook-timestamp"));
            assert_eq!(at, START.unix().to_string());
            assert_eq!(received.header("content-type"), "application/json");
            let mut signed = format!("{id}.{at}.").into_bytes();
            signed.extend_from_slice(&received.body);
            let signature = received.header("webhook-signature").strip_prefix("v1,").unwrap();
            let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY);
            hmac::verify(&key, &signed, &STANDARD.decode(signature).unwrap()).unwrap();
            ids.push(id);
        }
        assert_ne!(ids[0], ids[1]);
    }

    async fn every_grant_asks_the_hook_once(kind: Kind) {
        let place = Place::new(kind).await;
        let (server, hook) = (&place.server, &place.hook);
        hook.answer(200, r#"{"access_token": {"hooked": true}}"#);
        let (client, device_client) = (server.client(json!({})).await, device::device_client(server, json!({})).await);
        let trusted = server.client(json!({"first_party": true, "grant_types": ["password"]})).await;
        let signer = Signer::new("ES256");
        let issuer = TrustedIssuer {
            issuer: "https://partner.example".to_owned(),
            keys: KeySource::Jwks(signer.jwks()),
            subject_claim: SubjectClaim::Username,
            created_at: START,
        };
        assert!(server.app.storage.insert_trusted_issuer(Noted::nothing(), &issuer).await.unwrap());
        let bearer = server.client(json!({"grant_types": [JWT_BEARER]})).await;
        let assertion = signer.sign(&server.assertion_claims("https://partner.example", "ada", json!({})));
        let tokens = server.tokens(&client, "ada").await;
        let started = device::start(server, &device_client).await;
        device::answer(&mut server.browser(), "ada", &started, "allow").await;
        let password = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), ("scope", "read")];
        let assertion = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("scope", "read")];
        for (number, (name, tokens)) in [
            ("authorization_code", tokens.clone()),
            ("refresh_token", server.refresh(&client, &text(&tokens, "refresh_token")).await.json()),
            ("client_credentials", place.machine(&client).await.json()),
            (DEVICE_CODE, device::poll(server, &device_client, &started).await.json()),
            ("password", server.post_as(&trusted, "/token", &password).await.json()),
            (JWT_BEARER, server.post_as(&bearer, "/token", &assertion).await.json()),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(claims_of(&text(&tokens, "access_token"))["hooked"], true, "{name}: {tokens}");
            assert_eq!(hook.nth(number).json()["data"]["grant_type"], name);
        }
        assert_eq!(hook.requests(), 6);
    }

    async fn a_failure_refuses_tokens_and_costs_nobody_their_code(kind: Kind) {
        let place = Place::new(kind).await;
        let client = place.server.client(json!({})).await;
        let code = place.server.code(&client, "ada", &[]).await;
        for (status, body) in failures() {
            place.hook.answer(status, body.clone());
            let answer = place.server.redeem(&client, &code).await;
            answer.assert_error(503, "temporarily_unavailable");
        }
        place.hook.answer(200, "{}");
        let tokens = place.server.redeem(&client, &code).await.json();
        let refresh_token = text(&tokens, "refresh_token");
        for (status, body) in failures() {
            place.hook.answer(status, body);
            place.server.refresh(&client, &refresh_token).await.assert_error(503, "temporarily_unavailable");
        }
        place.hook.answer(200, "{}");
        assert_eq!(place.server.number("SELECT generation FROM grants").await, 1, "nothing was rotated");
        assert_eq!(place.server.refresh(&client, &refresh_token).await.status, 200);
    }

    async fn a_failure_issues_tokens_without_its_claims_where_the_operator_says_so(kind: Kind) {
        let place = Place::with(kind, &[("TOKEN_HOOK__ON_FAILURE", "issue")]).await;
        assert!(place.server.app.settings.warnings().iter().any(|warning| warning.contains("token_hook.on_failure")));
        let client = place.server.client(json!({})).await;
        for (status, body) in failures() {
            place.hook.answer(status, body);
            let claims = claims_of(&place.machine(&client).await.text("access_token"));
            assert_eq!((&claims["sub"], claims.get("tenant")), (&json!(client.id), None));
        }
        place.hook.answer(403, "");
        place.machine(&client).await.assert_error(400, "access_denied");
    }

    async fn a_hook_that_is_slow_or_gone_costs_its_timeout_at_most(kind: Kind) {
        let Place { server, hook } = Place::with(kind, &[("TOKEN_HOOK__TIMEOUT_MS", "200")]).await;
        let client = server.client(json!({})).await;
        let form = [("grant_type", "client_credentials"), ("scope", "read")];
        hook.delay(Duration::from_secs(30));
        let begun = Instant::now();
        server.post_as(&client, "/token", &form).await.assert_error(503, "temporarily_unavailable");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        hook.delay(Duration::ZERO);
        assert_eq!(server.post_as(&client, "/token", &form).await.status, 200);
        drop(hook);
        server.post_as(&client, "/token", &form).await.assert_error(503, "temporarily_unavailable");
    }

    async fn a_denial_is_final_for_a_code_and_a_device_and_not_for_a_refresh_token(kind: Kind) {
        let place = Place::new(kind).await;
        let (server, hook) = (&place.server, &place.hook);
        let (client, device_client) = (server.client(json!({})).await, device::device_client(server, json!({})).await);
        let (denial, denied) = (r#"{"error_description": "Not on Sundays."}"#, |answer: &Answer| {
            answer.assert_error(400, "access_denied");
            assert_eq!(answer.json()["error_description"], "Not on Sundays.");
        });
        let refresh_token = text(&server.tokens(&client, "ada").await, "refresh_token");
        let code = server.code(&client, "ada", &[]).await;
        let started = device::start(server, &device_client).await;
        device::answer(&mut server.browser(), "ada", &started, "allow").await;
        hook.answer(403, denial);
        denied(&server.redeem(&client, &code).await);
        denied(&server.refresh(&client, &refresh_token).await);
        denied(&device::poll(server, &device_client, &started).await);
        denied(&place.machine(&client).await);
        hook.answer(200, "{}");
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        server.advance(60);
        assert_eq!(device::poll(server, &device_client, &started).await.status, 400);
        assert_eq!(server.refresh(&client, &refresh_token).await.status, 200);
    }

    async fn a_client_may_be_left_out_or_be_the_only_one(kind: Kind) {
        let place = Place::new(kind).await;
        let without = place.server.client(json!({"token_hook": false})).await;
        assert_eq!((place.machine(&without).await.status.as_u16(), place.hook.requests()), (200, 0));
        let chosen = Place::with(kind, &[("TOKEN_HOOK__DEFAULT", "false")]).await;
        let (with, other) = (chosen.server.client(json!({"token_hook": true})).await, chosen.server.client(json!({})).await);
        chosen.machine(&other).await;
        assert_eq!(chosen.hook.requests(), 0);
        chosen.machine(&with).await;
        assert_eq!(chosen.hook.requests(), 1);
    }

    async fn who_is_refused_anyway_does_not_reach_the_hook(kind: Kind) {
        let place = Place::new(kind).await;
        let (client, other) = (place.server.client(json!({})).await, place.server.client(json!({})).await);
        let code = place.server.code(&client, "ada", &[]).await;
        place.server.redeem(&other, &code).await.assert_error(400, "invalid_grant");
        place.server.redeem_with(&client, &code, &[("code_verifier", "wrong")]).await.assert_error(400, "invalid_grant");
        place.server.refresh(&client, "x").await.assert_error(400, "invalid_grant");
        assert_eq!(place.hook.requests(), 0);
    }

    async fn an_answer_that_is_too_long_is_none(kind: Kind) {
        let place = Place::new(kind).await;
        let client = place.server.client(json!({})).await;
        let padded = |length: usize| format!("{:<length$}", "{}");
        place.hook.answer(200, padded(16 * 1024));
        assert_eq!(place.machine(&client).await.status, 200);
        place.hook.answer(200, padded(16 * 1024 + 1));
        place.machine(&client).await.assert_error(503, "temporarily_unavailable");
    }

    async fn a_connection_is_used_again(kind: Kind) {
        let place = Place::new(kind).await;
        let client = place.server.client(json!({})).await;
        for _ in 0..5 {
            assert_eq!(place.machine(&client).await.status, 200);
        }
        assert_eq!((place.hook.requests(), place.hook.connections()), (5, 1));
    }

    async fn of_forty_exchanges_of_one_code_at_once_one_wins_with_the_hook_too(kind: Kind) {
        let place = Place::new(kind).await;
        let client = place.server.client(json!({})).await;
        let code = place.server.code(&client, "ada", &[]).await;
        place.hook.delay(Duration::from_millis(20));
        let work = (0..40).map(|_| place.server.redeem(&client, &code)).collect();
        let answers = crate::support::all(work).await;
        let good: Vec<Value> = answers.iter().filter(|answer| answer.status == 200).map(Answer::json).collect();
        assert!(good.len() <= 1, "{}", good.len());
        for tokens in good {
            assert!(!place.server.is_active(&client, &text(&tokens, "access_token")).await, "the second use revoked it");
        }
    }

    async fn without_allow_private_the_hook_is_not_asked_in_the_own_network(kind: Kind) {
        let place = Place::with(kind, &[("TOKEN_HOOK__ALLOW_PRIVATE", "false")]).await;
        let client = place.server.client(json!({})).await;
        place.machine(&client).await.assert_error(503, "temporarily_unavailable");
        assert_eq!(place.hook.connections(), 0);
    }
}
