//! Redeeming authorization codes (RFC 6749 4.1.3, RFC 7636 4.6, RFC 9700 2.1.1).

use serde_json::json;

use crate::support::{CHALLENGE, REDIRECT_URI, TestServer, VERIFIER, on_both, text};
use chancery::model::Noted;

on_both! {
    async fn a_code_that_is_unknown_or_malformed_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        let unknown = format!("cy_ac_{}", "A".repeat(48));
        let longer = format!("{code}A");
        let wrong_tag = format!("{}{}", &code[..code.len() - 4], "AAAA");
        let as_refresh_token = code.replace("cy_ac_", "cy_rt_");
        for wrong in ["x", "cy_ac_", &unknown, &longer, &code[..20], &wrong_tag, &as_refresh_token] {
            server.redeem(&client, wrong).await.assert_error(400, "invalid_grant");
        }
        server.redeem_with(&client, "", &[]).await.assert_error(400, "invalid_request");
        assert_eq!(server.redeem(&client, &code).await.status, 200, "no guess has spent the code");
    }

    async fn a_code_of_another_client_is_refused_and_not_spent(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        let code = server.code(&client, "ada", &[]).await;
        server.redeem(&other, &code).await.assert_error(400, "invalid_grant");
        assert_eq!(server.redeem(&client, &code).await.status, 200);
    }

    async fn another_client_cannot_revoke_by_replaying_a_code(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        let code = server.code(&client, "ada", &[]).await;
        let access_token = server.redeem(&client, &code).await.text("access_token");
        server.redeem(&other, &code).await.assert_error(400, "invalid_grant");
        assert!(server.is_active(&client, &access_token).await);
    }

    async fn a_code_lives_for_a_minute(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let (early, late) = (server.code(&client, "ada", &[]).await, server.code(&client, "ada", &[]).await);
        server.advance(59);
        assert_eq!(server.redeem(&client, &early).await.status, 200);
        server.advance(1);
        server.redeem(&client, &late).await.assert_error(400, "invalid_grant");
    }

    async fn a_client_may_have_its_own_code_lifetime(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"authorization_code_lifetime": 300})).await;
        server.user("ada").await;
        let (early, late) = (server.code(&client, "ada", &[]).await, server.code(&client, "ada", &[]).await);
        server.advance(299);
        assert_eq!(server.redeem(&client, &early).await.status, 200);
        server.advance(1);
        server.redeem(&client, &late).await.assert_error(400, "invalid_grant");
    }

    async fn a_wrong_verifier_is_refused_and_spends_the_code(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let another = VERIFIER.replace('d', "e");
        // RFC 7636 4.1: 43 to 128 unreserved characters.
        let (short, long, spaced) = (&VERIFIER[..42], "a".repeat(129), VERIFIER.replace('d', " "));
        for wrong in [another.as_str(), "", short, &long, &spaced, CHALLENGE] {
            let code = server.code(&client, "ada", &[]).await;
            let answer = server.redeem_with(&client, &code, &[("code_verifier", wrong)]).await;
            answer.assert_error(400, "invalid_grant");
            server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        }
    }

    async fn a_verifier_without_a_challenge_is_refused_as_a_downgrade(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"pkce": "optional"})).await;
        server.user("ada").await;
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let code = server.code(&client, "ada", &without).await;
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        let code = server.code(&client, "ada", &without).await;
        assert_eq!(server.redeem_with(&client, &code, &[("code_verifier", "")]).await.status, 200);
    }

    async fn another_redirect_uri_is_refused_and_spends_the_code(kind: Kind) {
        let server = TestServer::start(kind).await;
        let uris = ["https://app.example/callback", "https://app.example/other"];
        let client = server.client(json!({"redirect_uris": uris})).await;
        server.user("ada").await;
        for wrong in [uris[1], "https://app.example/callback/", "https://APP.example/callback"] {
            let code = server.code(&client, "ada", &[]).await;
            let answer = server.redeem_with(&client, &code, &[("redirect_uri", wrong)]).await;
            answer.assert_error(400, "invalid_grant");
            server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        }
    }

    async fn redirect_uri_may_be_left_out_where_the_code_is_bound_by_pkce(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"pkce": "optional"})).await;
        server.user("ada").await;
        let code = server.code(&client, "ada", &[]).await;
        assert_eq!(server.redeem_with(&client, &code, &[("redirect_uri", "")]).await.status, 200);
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let code = server.code(&client, "ada", &without).await;
        let neither = [("redirect_uri", ""), ("code_verifier", "")];
        server.redeem_with(&client, &code, &neither).await.assert_error(400, "invalid_grant");
    }

    async fn a_code_is_refused_the_second_time_and_what_it_gave_is_revoked(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        let tokens = server.redeem(&client, &code).await.json();
        let (access_token, refresh_token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        assert!(server.is_active(&client, &access_token).await);
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        assert!(!server.is_active(&client, &access_token).await);
        assert_eq!(server.get_with_token("/userinfo", &access_token).await.status, 401);
        server.refresh(&client, &refresh_token).await.assert_error(400, "invalid_grant");
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
    }

    async fn a_used_code_ends_nothing_for_who_has_the_code_alone(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.public_client().await;
        let code = server.code(&client, "ada", &[]).await;
        let tokens = server.redeem_public(&client, &code).await.json();
        let another = VERIFIER.replace('d', "e");
        let form = [("grant_type", "authorization_code"), ("code", code.as_str())];
        let (told, _) = server.told(async {
            for more in [
                vec![],
                vec![("redirect_uri", REDIRECT_URI)],
                vec![("redirect_uri", REDIRECT_URI), ("code_verifier", another.as_str())],
                vec![("redirect_uri", "https://wrong.example/"), ("code_verifier", VERIFIER)],
                vec![("redirect_uri", "https://wrong.example/")],
            ] {
                let answer = server.post_public(&client, "/token", &[&form[..], &more].concat()).await;
                answer.assert_error(400, "invalid_grant");
                assert_eq!(answer.json()["error_description"], "The code was used before.");
            }
        })
        .await;
        assert!(told.is_empty(), "{told:?}");
        assert!(server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.status == 200);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        assert_eq!(server.post_public(&client, "/token", &refresh).await.status, 200);
        // Whoever could have redeemed it shows that two had it.
        server.redeem_public(&client, &code).await.assert_error(400, "invalid_grant");
        assert!(server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.status == 401);
    }

    async fn a_used_code_of_a_client_with_a_secret_ends_nothing_with_a_wrong_verifier_or_redirect_uri(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        for client in [server.client(json!({})).await, server.client(json!({"pkce": "optional"})).await] {
            let code = server.code(&client, "ada", &[]).await;
            let tokens = server.redeem(&client, &code).await.json();
            for wrong in [("code_verifier", ""), ("code_verifier", CHALLENGE), ("redirect_uri", "https://wrong.example/")] {
                server.redeem_with(&client, &code, &[wrong]).await.assert_error(400, "invalid_grant");
                assert!(server.is_active(&client, &text(&tokens, "access_token")).await, "{wrong:?}");
            }
        }
    }

    async fn a_code_that_ended_unused_is_told_as_that_and_is_no_replay(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let codes = [
            server.code(&client, "ada", &[]).await,
            server.code(&client, "ada", &[]).await,
            server.code(&client, "ada", &[]).await,
        ];
        let why = async |code: &str| {
            let answer = server.redeem(&client, code).await;
            answer.assert_error(400, "invalid_grant");
            text(&answer.json(), "error_description")
        };
        server.redeem_with(&client, &codes[0], &[("code_verifier", CHALLENGE)]).await.assert_error(400, "invalid_grant");
        assert!(why(&codes[0]).await.starts_with("The code was never redeemed"));
        let storage = &server.app.storage;
        storage.end_sessions(Noted::nothing(), &user.id, server.app.now()).await.unwrap();
        assert!(why(&codes[1]).await.starts_with("The code was never redeemed"));
        storage.set_disabled(Noted::nothing(), &user.id, true, server.app.now()).await.unwrap();
        assert_eq!(why(&codes[2]).await, "The user is disabled.");
        let scrape = server.scrape().await;
        assert_eq!(scrape.at(r#"chancery_replays_total{kind="authorization_code"}"#), 0.0);
    }

    async fn a_second_use_revokes_however_late_it_comes(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        let tokens = server.redeem(&client, &code).await.json();
        server.advance(600);
        let successor = server.refresh(&client, &text(&tokens, "refresh_token")).await.text("refresh_token");
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
        server.refresh(&client, &successor).await.assert_error(400, "invalid_grant");
    }

    async fn a_code_of_a_user_who_was_disabled_meanwhile_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        server.app.storage.set_disabled(Noted::nothing(), &user.id, true, server.app.now()).await.unwrap();
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
    }

    async fn a_code_of_a_user_or_client_that_was_deleted_meanwhile_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        assert!(server.app.storage.delete_user(Noted::nothing(), &user.id, server.app.now()).await.unwrap());
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        server.user("bob").await;
        let code = server.code(&client, "bob", &[]).await;
        let id = chancery::model::ClientId::new(&client.id);
        assert!(server.app.storage.delete_client(Noted::nothing(), &id).await.unwrap());
        server.app.clients.forget();
        server.redeem(&client, &code).await.assert_invalid_client();
    }

    async fn a_client_without_a_secret_redeems_a_code_by_its_verifier(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.public_client().await, server.public_client().await);
        server.user("ada").await;
        let code = server.code(&client, "ada", &[]).await;
        server.redeem_public(&other, &code).await.assert_error(400, "invalid_grant");
        assert_eq!(server.redeem_public(&client, &code).await.status, 200);
    }
}
