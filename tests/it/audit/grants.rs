//! Consents, grants, replays and tokens.

use chancery::model::{KeySource, Noted, SubjectClaim, TrustedIssuer};
use serde_json::{Value, json};

use crate::device;
use crate::support::{
    ExternalUi, HookService, JWT_BEARER, PASSWORD, START, Signer, TestServer, assert_told, hidden, on_both,
    query_of, text,
};
use crate::token_exchange;

const SCOPE: &str = "openid profile email offline_access";

on_both! {
    async fn a_consent_and_what_came_of_it_are_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let (mut browser, path) = (server.browser(), server.authorization(&client, &[]));
        let (told, answer) = server.told(browser.authorize_as(&path, "ada")).await;
        let code = query_of(answer.location(), "code").unwrap();
        let grant = told[2]["grant"].clone();
        let about = json!({"actor": "user", "user": user.id, "client": client.id, "grant": grant});
        let of = |event: Value| crate::support::merged(about.clone(), &event);
        assert_told(&told, &[
            json!({"event": "sign_in.succeeded"}),
            of(json!({"event": "consent.given", "scope": SCOPE})),
            of(json!({
                "event": "grant.created", "scope": SCOPE, "grant_type": "authorization_code",
                "session": told[0]["session"],
            })),
        ]);
        let (told, answer) = server.told(server.redeem(&client, &code)).await;
        let redeemed = of(json!({"event": "grant.redeemed", "actor": "client", "grant_type": "authorization_code"}));
        assert_told(&told, &[redeemed]);
        assert!(grant.is_string() && !json!(server.audit_log().await).to_string().contains(&code));
        // A refresh is no event; the last use is in the grant.
        let (told, _) = server.told(server.refresh(&client, &answer.text("refresh_token"))).await;
        assert!(told.is_empty(), "{told:?}");
        // Nobody is asked again: a grant without a consent.
        let (told, _) = server.told(browser.get(&path)).await;
        assert_told(&told, &[json!({"event": "grant.created", "actor": "user", "user": user.id})]);
        let csrf = hidden(&browser.get("/account").await, "csrf");
        let form = [("csrf", csrf.as_str()), ("client_id", client.id.as_str())];
        let (told, _) = server.told(browser.post("/account/apps/revoke", &form)).await;
        assert_told(&told, &[json!({"event": "consent.revoked", "actor": "user", "user": user.id, "client": client.id})]);
        let (told, _) = server.told(browser.post("/account/apps/revoke", &form)).await;
        assert!(told.is_empty(), "{told:?}");
    }

    async fn a_refusal_is_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let mut browser = server.browser();
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(answer).await;
        let (told, _) = server.told(browser.decide(&page, "deny")).await;
        assert_told(&told, &[json!({
            "event": "consent.refused", "actor": "user", "user": user.id, "client": client.id, "scope": SCOPE,
        })]);
    }

    async fn the_answers_of_external_pages_are_told_as_theirs(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let mut browser = server.browser();
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada", "remember": true})).await;
        let (told, _) = server.told(ui.answer(&mut browser, "consent/reject", &challenge, json!({}))).await;
        assert_told(&told, &[json!({
            "event": "external_page.answered", "actor": "admin_api", "page": "consent", "accepted": false,
            "client": client.id, "request": challenge,
        })]);
    }

    async fn a_device_that_is_allowed_or_refused_is_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let client = device::device_client(&server, json!({})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let started = device::start(&server, &client).await;
        let (told, _) = server.told(device::answer(&mut browser, "ada", &started, "allow")).await;
        let about = json!({"user": user.id, "client": client.id, "grant": told[0]["grant"]});
        let of = |event: Value| crate::support::merged(about.clone(), &event);
        let device_code = json!("urn:ietf:params:oauth:grant-type:device_code");
        assert_told(&told, &[
            of(json!({"event": "consent.given", "actor": "user"})),
            of(json!({"event": "grant.created", "actor": "user", "grant_type": device_code})),
        ]);
        let (told, _) = server.told(device::poll(&server, &client, &started)).await;
        assert_told(&told, &[of(json!({"event": "grant.redeemed", "actor": "client", "grant_type": device_code}))]);
        let started = device::start(&server, &client).await;
        let (told, _) = server.told(device::answer(&mut browser, "ada", &started, "deny")).await;
        assert_told(&told, &[json!({"event": "consent.refused", "user": user.id, "client": client.id})]);
    }

    async fn a_grant_by_password_or_without_a_code_is_told(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__PASSWORD", "true"), ("GRANTS__IMPLICIT", "true")]).await;
        let user = server.user("ada").await;
        let types = json!(["authorization_code", "implicit", "password"]);
        let members = json!({"first_party": true, "skip_consent": true, "grant_types": types, "response_types": ["code", "id_token"]});
        let client = server.client(members).await;
        let form = |password| [("grant_type", "password"), ("username", "ada"), ("password", password), ("scope", "read")];
        let (told, _) = server.told(server.post_as(&client, "/token", &form(PASSWORD))).await;
        let created = json!({"event": "grant.created", "actor": "user", "user": user.id, "client": client.id});
        let of = |grant_type: &str| crate::support::merged(created.clone(), &json!({"grant_type": grant_type}));
        assert_told(&told, &[of("password")]);
        let (told, _) = server.told(server.post_as(&client, "/token", &form("wrong"))).await;
        assert_told(&told, &[json!({"event": "sign_in.failed", "user": user.id, "reason": "wrong_password"})]);
        let mut browser = server.browser();
        browser.enter("ada").await;
        let path = server.authorization(&client, &[("response_type", "id_token"), ("scope", "openid"), ("code_challenge", ""), ("code_challenge_method", "")]);
        let (told, answer) = server.told(browser.get(&path)).await;
        assert!(answer.returned("id_token").is_some(), "{answer:?}");
        assert_told(&told, &[of("implicit")]);
    }

    async fn replays_are_told_once(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let replayed = |presented: &str| json!({
            "event": "grant.replayed", "actor": "client", "user": user.id, "client": client.id, "presented": presented,
        });
        let code = server.code(&client, "ada", &[]).await;
        server.redeem(&client, &code).await;
        let (told, _) = server.told(async {
            for _ in 0..3 {
                server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
            }
        })
        .await;
        assert_told(&told, &[replayed("code")]);
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        server.refresh(&client, &token).await;
        server.advance(60);
        let (told, _) = server.told(async {
            for _ in 0..3 {
                server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
            }
        })
        .await;
        assert_told(&told, &[replayed("refresh_token")]);
    }

    async fn a_token_presented_again_within_the_grace_is_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        let (told, _) = server.told(server.refresh(&client, &token)).await;
        assert!(told.is_empty(), "{told:?}");
        let (told, _) = server.told(server.refresh(&client, &token)).await;
        assert_told(&told, &[json!({"event": "grant.grace_used", "actor": "client", "user": user.id, "client": client.id})]);
        assert!(told[0]["grant"].is_string() && told[0]["session"].is_string());
    }

    async fn whatever_revokes_a_grant_is_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"max_refresh_grants": 1})).await;
        let user = server.user("ada").await;
        let revoked = |reason: &str| json!({
            "event": "grant.revoked", "user": user.id, "client": client.id, "reason": reason,
        });
        let tokens = server.tokens(&client, "ada").await;
        let (told, _) = server.told(server.revoke(&client, &text(&tokens, "refresh_token"))).await;
        assert_told(&told, &[revoked("by_client")]);
        let (told, _) = server.told(server.revoke(&client, &text(&tokens, "refresh_token"))).await;
        assert!(told.is_empty(), "{told:?}");
        let code = server.code(&client, "ada", &[]).await;
        let (told, _) = server.told(server.redeem_with(&client, &code, &[("code_verifier", &"x".repeat(43))])).await;
        assert_told(&told, &[revoked("failed_exchange")]);
        server.tokens(&client, "ada").await;
        server.advance(1);
        let code = server.code(&client, "ada", &[]).await;
        let (told, _) = server.told(server.redeem(&client, &code)).await;
        // The second is in the queue until its second is over.
        assert_told(&told, &[json!({"event": "grant.redeemed"}), revoked("too_many")]);
        let access = server.client_token(&client, "read").await;
        let (told, _) = server.told(server.revoke(&client, &access)).await;
        assert_told(&told, &[json!({"event": "token.revoked", "actor": "client", "client": client.id})]);
        assert!(told[0]["jti"].is_string());
    }

    async fn a_grant_that_the_token_hook_refuses_is_told(kind: Kind) {
        let hook = HookService::serve().await;
        let secret = format!("whsec_{}", "A".repeat(43) + "=");
        let server = TestServer::start_with(kind, &[
            ("TOKEN_HOOK__URL", hook.url.as_str()),
            ("TOKEN_HOOK__SECRET", &secret),
            ("TOKEN_HOOK__ALLOW_PRIVATE", "true"),
            ("OUTBOUND__CA_FILE", &HookService::authority()),
        ])
        .await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        hook.answer(403, r#"{"error_description": "No."}"#);
        let (told, answer) = server.told(server.redeem(&client, &code)).await;
        assert_ne!(answer.status, 200);
        assert_told(&told, &[json!({"event": "grant.revoked", "actor": "server", "user": user.id, "reason": "token_hook"})]);
    }

    async fn tokens_for_a_user_without_a_grant_are_told(kind: Kind) {
        const PARTNER: &str = "https://partner.example";
        let (server, signer) = (TestServer::start(kind).await, Signer::new("ES256"));
        let issuer = TrustedIssuer {
            issuer: PARTNER.to_owned(),
            keys: KeySource::Jwks(signer.jwks()),
            subject_claim: SubjectClaim::Sub,
            created_at: START,
        };
        server.app.storage.insert_trusted_issuer(Noted::nothing(), &issuer).await.unwrap();
        let client = server.client(json!({"grant_types": [JWT_BEARER]})).await;
        let user = server.user("ada").await;
        let assertion = signer.sign(&server.assertion_claims(PARTNER, user.id.as_str(), json!({})));
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("scope", "read")];
        let (told, _) = server.told(server.post_as(&client, "/token", &form)).await;
        assert_told(&told, &[json!({
            "event": "token.issued", "actor": "client", "client": client.id, "subject": user.id, "grant_type": JWT_BEARER,
            "scope": "read",
        })]);
        let place = token_exchange::Place::new(kind).await;
        let subject = place.subject_token().await;
        let (told, answer) = place.server.told(place.exchange(&subject, &[])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_told(&told, &[json!({
            "event": "token.issued", "actor": "client", "client": "backend", "subject": place.user.id,
            "grant_type": token_exchange::TOKEN_EXCHANGE,
        })]);
    }

    async fn a_token_of_a_client_for_itself_is_no_event(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let (told, _) = server.told(server.client_token(&client, "read")).await;
        assert!(told.is_empty(), "{told:?}");
    }
}
