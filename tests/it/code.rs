//! Redeeming authorization codes (RFC 6749 4.1.3, RFC 7636 4.6, RFC 9700 2.1.1).

use serde_json::json;

use crate::support::{CHALLENGE, TestServer, VERIFIER, on_both, text};

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
        server.app.storage.set_disabled(&user.id, true, server.app.now()).await.unwrap();
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
    }

    async fn a_code_of_a_user_or_client_that_was_deleted_meanwhile_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        assert!(server.app.storage.delete_user(&user.id, server.app.now()).await.unwrap());
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        server.user("bob").await;
        let code = server.code(&client, "bob", &[]).await;
        let id = chancery::model::ClientId::new(&client.id);
        assert!(server.app.storage.delete_client(&id).await.unwrap());
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
