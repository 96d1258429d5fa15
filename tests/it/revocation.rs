//! Revocation (RFC 7009).

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;

use crate::support::{Answer, OPEN, Registration, TestServer, on_both, registration_of, text};

/// RFC 7009 2.2: 200, and nothing in it; as JSON, because simple-oauth2 takes no other answer of these endpoints.
#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "{}"), "{answer:?}");
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
}

on_both! {
    async fn a_refresh_token_takes_its_whole_grant_with_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let first = server.tokens(&client, "ada").await;
        let second = server.refresh(&client, &text(&first, "refresh_token")).await.json();
        let another = server.tokens(&client, "ada").await;
        assert_done(&server.revoke(&client, &text(&second, "refresh_token")).await);
        for tokens in [&first, &second] {
            assert!(!server.is_active(&client, &text(tokens, "access_token")).await);
            let refreshed = server.refresh(&client, &text(tokens, "refresh_token")).await;
            refreshed.assert_error(400, "invalid_grant");
            assert_eq!(server.get_with_token("/userinfo", &text(tokens, "access_token")).await.status, 401);
        }
        assert!(server.is_active(&client, &text(&another, "access_token")).await, "another grant goes on");
    }

    async fn any_generation_of_a_refresh_token_revokes_the_grant(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let old = text(&server.tokens(&client, "ada").await, "refresh_token");
        let new = server.refresh(&client, &old).await.text("refresh_token");
        assert_done(&server.revoke(&client, &old).await);
        assert!(!server.is_active(&client, &new).await);
    }

    async fn an_access_token_takes_only_itself(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let refreshed = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_done(&server.revoke(&client, &text(&tokens, "access_token")).await);
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
        assert_eq!(server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.status, 401);
        assert!(server.is_active(&client, &text(&refreshed, "access_token")).await);
        assert_eq!(server.refresh(&client, &text(&refreshed, "refresh_token")).await.status, 200);
    }

    async fn a_client_revokes_a_token_of_its_own(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let (token, other) =
            (server.client_token(&client, "read").await, server.client_token(&client, "read").await);
        assert_done(&server.revoke(&client, &token).await);
        assert!(!server.is_active(&client, &token).await);
        assert!(server.is_active(&client, &other).await);
    }

    async fn an_unknown_expired_or_revoked_token_is_a_success(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let unknown = format!("cy_rt_{}", "A".repeat(48));
        let tampered = format!("{}AAAA", text(&tokens, "refresh_token").split_at(50).0);
        for token in ["x", "a.b.c", &unknown, &tampered, &text(&tokens, "id_token")] {
            assert_done(&server.revoke(&client, token).await);
        }
        assert!(server.is_active(&client, &text(&tokens, "refresh_token")).await);
        server.advance(3600);
        assert_done(&server.revoke(&client, &text(&tokens, "access_token")).await);
        assert_eq!(server.number("SELECT COUNT(*) FROM revoked_tokens").await, 0, "nothing to remember");
        for _ in 0..3 {
            assert_done(&server.revoke(&client, &text(&tokens, "refresh_token")).await);
        }
    }

    async fn revoking_an_access_token_again_is_a_success(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let token = server.client_token(&client, "read").await;
        for _ in 0..3 {
            assert_done(&server.revoke(&client, &token).await);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM revoked_tokens").await, 1);
    }

    async fn a_token_of_another_client_is_refused_and_stays_good(kind: Kind) {
        // RFC 7009 2.1
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        let tokens = server.tokens(&client, "ada").await;
        for token in ["access_token", "refresh_token"] {
            let answer = server.revoke(&other, &text(&tokens, token)).await;
            answer.assert_error(400, "unauthorized_client");
            assert!(server.is_active(&client, &text(&tokens, token)).await);
        }
    }

    async fn a_token_of_nobody_of_another_client_or_of_whoever_is_not_authenticated_writes_no_row(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        server.user("ada").await;
        let tokens = server.tokens(&client, "ada").await;
        let (mine, lone) = (text(&tokens, "access_token"), server.client_token(&client, "read").await);
        let wrong = Registration { secret: "wrong".to_owned(), ..client.clone() };
        for token in [&mine, &lone] {
            server.revoke(&other, token).await.assert_error(400, "unauthorized_client");
            server.revoke(&wrong, token).await.assert_invalid_client();
            server.post("/revoke", &[], &[("token", token)]).await.assert_invalid_client();
            let tampered = format!("{}A", &token[..token.len() - 1]);
            if tampered != *token {
                assert_done(&server.revoke(&client, &tampered).await);
            }
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM revoked_tokens").await, 0);
        assert!(server.is_active(&client, &mine).await && server.is_active(&client, &lone).await);
    }

    async fn a_client_revokes_so_many_tokens_at_a_time_and_is_told_that_the_next_one_is_still_good(kind: Kind) {
        let granted = ("REGISTRATION__GRANT_TYPES", "client_credentials");
        let limits = [OPEN, granted, ("REGISTRATION__SCOPES", "read"), ("CLIENTS__MAX_REMEMBERED", "300")];
        let server = TestServer::start_with(kind, &limits).await;
        let asked = json!({"grant_types": ["client_credentials"], "redirect_uris": null});
        let client = registration_of(&server.register(asked).await.json());
        let other = server.client(json!({})).await;
        for _ in 0..3 {
            assert_done(&server.revoke(&client, &server.client_token(&client, "read").await).await);
        }
        let token = server.client_token(&client, "read").await;
        // RFC 7009 2.2.1: the client must assume that the token still exists, and may try again.
        let refused = server.revoke(&client, &token).await;
        refused.assert_error(503, "temporarily_unavailable");
        assert!(text(&refused.json(), "error_description").contains("still good"), "{refused:?}");
        assert_eq!(refused.header(header::RETRY_AFTER), "900");
        assert!(server.is_active(&client, &token).await);
        assert_eq!(server.number("SELECT COUNT(*) FROM revoked_tokens").await, 3);
        assert_done(&server.revoke(&other, &server.client_token(&other, "read").await).await);
        server.advance(900);
        assert_done(&server.revoke(&client, &token).await);
    }

    async fn a_client_without_a_secret_revokes_its_own_tokens(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, other) = (server.public_client().await, server.public_client().await);
        server.user("ada").await;
        let code = server.code(&client, "ada", &[]).await;
        let tokens = server.redeem_public(&client, &code).await.json();
        let refresh_token = text(&tokens, "refresh_token");
        let form = [("token", refresh_token.as_str())];
        server.post_public(&other, "/revoke", &form).await.assert_error(400, "unauthorized_client");
        assert_eq!(server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.status, 200);
        assert_done(&server.post_public(&client, "/revoke", &form).await);
        assert_eq!(server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.status, 401);
    }

    async fn the_token_is_required_and_only_post_will_do(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.post_as(&client, "/revoke", &[]).await.assert_error(400, "invalid_request");
        let request = Request::get("/revoke?token=x").body(Body::empty()).unwrap();
        let answer = server.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.header(header::ALLOW)), (405, "POST"));
    }
}
