//! Refreshing (RFC 6749 6): rotation, the grace for a lost response, replay, lifetimes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Browser, Registration, START, TestServer, all, assert_told, claims_of, on_both, text};
use chancery::model::Noted;

const TEN_YEARS: i64 = 10 * 365 * 86_400;

/// A server, a client of it, and the first refresh token of a user.
async fn first(server: &TestServer, change: Value) -> (Registration, String) {
    let client = server.client(change).await;
    if server.number("SELECT COUNT(*) FROM users").await == 0 {
        server.user("ada").await;
    }
    let token = text(&server.tokens(&client, "ada").await, "refresh_token");
    (client, token)
}

on_both! {
    async fn every_refresh_gives_a_new_refresh_token_and_a_new_access_token(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, mut token) = first(&server, json!({})).await;
        let mut seen = vec![token.clone()];
        for _ in 0..3 {
            let tokens = server.refresh(&client, &token).await.json();
            assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
            assert_eq!(tokens["scope"], "openid profile email offline_access");
            token = text(&tokens, "refresh_token");
            for new in [token.clone(), text(&tokens, "access_token")] {
                assert!(!seen.contains(&new));
                seen.push(new);
            }
        }
        assert_eq!(server.number("SELECT generation FROM grants").await, 4);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1, "a refresh adds no row");
    }

    async fn the_predecessor_gets_the_same_successor_within_the_grace(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let successor = server.refresh(&client, &token).await.text("refresh_token");
        for _ in 0..3 {
            server.advance(10);
            let again = server.refresh(&client, &token).await;
            assert_eq!(again.text("refresh_token"), successor, "{again:?}");
            assert!(server.is_active(&client, &again.text("access_token")).await);
        }
        assert_eq!(server.number("SELECT rotated_at FROM grants").await, START.unix(), "and the grace is not longer");
        assert_eq!(server.refresh(&client, &successor).await.status, 200);
    }

    async fn the_predecessor_after_the_grace_revokes_the_grant(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let tokens = server.refresh(&client, &token).await.json();
        server.advance(31);
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
    }

    async fn a_token_two_generations_back_revokes_the_grant_at_once(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let second = server.refresh(&client, &token).await.text("refresh_token");
        let third = server.refresh(&client, &second).await.text("refresh_token");
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        for later in [second, third] {
            server.refresh(&client, &later).await.assert_error(400, "invalid_grant");
        }
    }

    async fn the_grace_is_a_setting_and_may_be_none(kind: Kind) {
        let server = TestServer::start_with(kind, &[("TOKENS__REFRESH_GRACE_SECONDS", "0")]).await;
        let (client, token) = first(&server, json!({})).await;
        let successor = server.refresh(&client, &token).await.text("refresh_token");
        server.advance(1);
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        server.refresh(&client, &successor).await.assert_error(400, "invalid_grant");
    }

    async fn without_a_grace_a_token_that_was_replaced_is_a_replay_at_once(kind: Kind) {
        let server = TestServer::start_with(kind, &[("TOKENS__REFRESH_GRACE_SECONDS", "0")]).await;
        let (client, token) = first(&server, json!({})).await;
        let successor = server.refresh(&client, &token).await.text("refresh_token");
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        server.refresh(&client, &successor).await.assert_error(400, "invalid_grant");
        // However many at once: one gets tokens, and the next ends the grant.
        let (client, token) = first(&server, json!({})).await;
        let answers = all((0..8).map(|_| server.refresh(&client, &token)).collect()).await;
        let given: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert!(given.len() <= 1, "{given:?}");
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'active'").await, 0);
    }

    async fn a_token_presented_again_within_the_grace_is_counted_told_and_seen_by_its_user(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let uses = async || server.number("SELECT grace_uses FROM grants").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let seen = async |browser: &mut Browser<'_>| browser.get("/account").await.body.contains("was used twice");
        let successor = server.refresh(&client, &token).await.text("refresh_token");
        assert_eq!((uses().await, seen(&mut browser).await), (0, false));
        let (told, _) = server.told(async {
            for _ in 0..3 {
                assert_eq!(server.refresh(&client, &token).await.text("refresh_token"), successor);
            }
        })
        .await;
        let used = json!({"event": "grant.grace_used", "actor": "client", "client": client.id});
        assert_told(&told, &[used.clone(), used.clone(), used]);
        assert_eq!((uses().await, seen(&mut browser).await), (3, true));
        let scrape = server.scrape().await;
        assert_eq!(scrape.at(r#"chancery_replays_total{kind="refresh_token_in_grace"}"#), 3.0);
        assert_eq!(scrape.at(r#"chancery_replays_total{kind="refresh_token"}"#), 0.0);
        // A thief who stays in step with the client is seen, too: whoever comes second each time is counted.
        let (mut theirs, mut thiefs) = (successor.clone(), successor);
        for round in 4..8 {
            theirs = server.refresh(&client, &theirs).await.text("refresh_token");
            thiefs = server.refresh(&client, &thiefs).await.text("refresh_token");
            assert_eq!((uses().await, &theirs), (round, &thiefs));
        }
    }

    async fn a_narrower_scope_is_for_this_access_token_only(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let narrow = [("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", "email profile")];
        let tokens = server.post_as(&client, "/token", &narrow).await.json();
        assert_eq!((tokens["scope"].as_str(), tokens.get("id_token")), (Some("email profile"), None));
        assert_eq!(claims_of(&text(&tokens, "access_token"))["scope"], "email profile");
        let whole = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(whole["scope"], "openid profile email offline_access");
    }

    async fn a_wider_scope_is_refused_and_the_token_is_not_spent(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        for scope in ["openid profile email offline_access phone", "read", "admin", "ope\"nid"] {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
            server.post_as(&client, "/token", &form).await.assert_error(400, "invalid_scope");
        }
        assert_eq!(server.number("SELECT generation FROM grants").await, 1);
        assert_eq!(server.refresh(&client, &token).await.status, 200);
    }

    async fn a_token_of_another_client_is_refused_without_harm(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let other = server.client(json!({})).await;
        server.refresh(&other, &token).await.assert_error(400, "invalid_grant");
        let successor = server.refresh(&client, &token).await.text("refresh_token");
        server.advance(31);
        server.refresh(&other, &token).await.assert_error(400, "invalid_grant");
        assert_eq!(server.refresh(&client, &successor).await.status, 200);
    }

    async fn a_tampered_token_is_unknown_and_harms_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let token = server.refresh(&client, &token).await.text("refresh_token");
        let bytes = URL_SAFE_NO_PAD.decode(&token["cy_rt_".len()..]).unwrap();
        // Every byte of id, generation and tag.
        for index in 0..bytes.len() {
            let mut tampered = bytes.clone();
            tampered[index] ^= 1;
            let tampered = format!("cy_rt_{}", URL_SAFE_NO_PAD.encode(tampered));
            server.refresh(&client, &tampered).await.assert_error(400, "invalid_grant");
        }
        for malformed in ["x", "cy_rt_", &token[..20], &format!("{token}A")] {
            server.refresh(&client, malformed).await.assert_error(400, "invalid_grant");
        }
        server.refresh(&client, "").await.assert_error(400, "invalid_request");
        assert_eq!(server.refresh(&client, &token).await.status, 200);
    }

    async fn a_code_is_no_refresh_token_and_a_refresh_token_is_no_code(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        let code = server.code(&client, "ada", &[]).await;
        for wrong in [code.clone(), code.replace("cy_ac_", "cy_rt_")] {
            server.refresh(&client, &wrong).await.assert_error(400, "invalid_grant");
        }
        for wrong in [token.clone(), token.replace("cy_rt_", "cy_ac_")] {
            server.redeem(&client, &wrong).await.assert_error(400, "invalid_grant");
        }
        assert_eq!(server.redeem(&client, &code).await.status, 200);
        assert_eq!(server.refresh(&client, &token).await.status, 200);
    }

    async fn an_unused_refresh_token_ends_and_using_it_puts_that_off(kind: Kind) {
        let server = TestServer::start(kind).await;
        let lifetimes = json!({"refresh_token_idle_lifetime": 500, "refresh_token_lifetime": -1});
        let (client, mut token) = first(&server, lifetimes).await;
        for _ in 0..3 {
            server.advance(499);
            let tokens = server.refresh(&client, &token).await.json();
            assert_eq!(tokens["refresh_token_expires_in"], 500);
            token = text(&tokens, "refresh_token");
        }
        server.advance(500);
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        assert!(!server.is_active(&client, &token).await);
    }

    async fn a_grant_ends_however_often_it_is_refreshed(kind: Kind) {
        let server = TestServer::start(kind).await;
        let lifetimes = json!({"refresh_token_idle_lifetime": -1, "refresh_token_lifetime": 1000});
        let (client, token) = first(&server, lifetimes).await;
        server.advance(999);
        let tokens = server.refresh(&client, &token).await.json();
        assert_eq!(tokens["refresh_token_expires_in"], 1);
        server.advance(1);
        server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
    }

    async fn minus_one_means_never(kind: Kind) {
        let server = TestServer::start(kind).await;
        let lifetimes = json!({"refresh_token_idle_lifetime": -1, "refresh_token_lifetime": -1});
        let (client, token) = first(&server, lifetimes).await;
        server.advance(TEN_YEARS);
        server.app.storage.purge(server.app.now()).await.unwrap();
        let tokens = server.refresh(&client, &token).await.json();
        assert_eq!(tokens.get("refresh_token_expires_in"), None, "{tokens}");
        assert!(server.is_active(&client, &text(&tokens, "refresh_token")).await);
    }

    async fn the_lifetimes_of_the_settings_are_thirty_and_ninety_days(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, mut token) = first(&server, json!({})).await;
        for _ in 0..3 {
            server.advance(30 * 86_400 - 1);
            token = server.refresh(&client, &token).await.text("refresh_token");
        }
        server.advance(3);
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        let (client, token) = first(&server, json!({})).await;
        server.advance(30 * 86_400);
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
    }

    async fn tokens_are_made_from_what_is_registered_now(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, token) = first(&server, json!({})).await;
        server.change_client(&client, json!({"audience": ["api"], "access_token_lifetime": 60})).await;
        server.advance(100);
        let tokens = server.refresh(&client, &token).await.json();
        let claims = claims_of(&text(&tokens, "access_token"));
        assert_eq!((&claims["aud"], &claims["iat"]), (&json!("api"), &json!(START.plus(100))));
        assert_eq!((&claims["exp"], &tokens["expires_in"]), (&json!(START.plus(160)), &json!(60)));
        server.change_client(&client, json!({"grant_types": ["authorization_code"]})).await;
        let answer = server.refresh(&client, &text(&tokens, "refresh_token")).await;
        answer.assert_error(400, "unauthorized_client");
    }

    async fn a_disabled_user_gets_no_tokens_until_enabled_again(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let (client, token) = first(&server, json!({})).await;
        server.app.storage.set_disabled(Noted::nothing(), &user.id, true, server.app.now()).await.unwrap();
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        server.app.storage.set_disabled(Noted::nothing(), &user.id, false, server.app.now()).await.unwrap();
        assert_eq!(server.refresh(&client, &token).await.status, 200);
        server.app.storage.delete_user(Noted::nothing(), &user.id, server.app.now()).await.unwrap();
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
    }

    async fn the_id_token_of_a_refresh_is_about_the_same_sign_in_and_has_no_nonce(kind: Kind) {
        // OpenID Connect Core 12.2
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let before = claims_of(&text(&tokens, "id_token"));
        server.advance(5000);
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        let (_, after) = server.verified(&text(&tokens, "id_token")).await;
        for same in ["iss", "sub", "aud", "auth_time", "sid", "acr", "amr"] {
            assert_eq!(after[same], before[same], "{same}");
        }
        assert_eq!((after.get("nonce"), &after["iat"]), (None, &json!(START.plus(5000))));
        assert_ne!(after["at_hash"], before["at_hash"]);
    }

    async fn a_client_without_a_secret_refreshes_its_own_tokens_only(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.public_client().await, server.public_client().await);
        server.user("ada").await;
        let code = server.code(&client, "ada", &[]).await;
        let token = server.redeem_public(&client, &code).await.text("refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        server.post_public(&other, "/token", &form).await.assert_error(400, "invalid_grant");
        let successor = server.post_public(&client, "/token", &form).await.text("refresh_token");
        assert_ne!(successor, token);
    }
}
