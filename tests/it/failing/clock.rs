//! A clock that jumps an hour, forward or back, and is put right again.

use serde_json::json;

use crate::support::{Registration, TestServer, on_both, text};

const HOUR: i64 = 3600;

async fn everything_works(server: &TestServer, client: &Registration) {
    let tokens = server.tokens(client, "ada").await;
    assert!(server.is_active(client, &text(&tokens, "access_token")).await);
    let refreshed = server.refresh(client, &text(&tokens, "refresh_token")).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    assert!(server.is_active(client, &refreshed.text("access_token")).await);
}

on_both! {
    async fn a_clock_that_jumps_an_hour_and_back_ends_nobodys_access(kind: Kind) {
        for jump in [HOUR, -HOUR] {
            let server = TestServer::start(kind).await;
            server.user("ada").await;
            let client = server.client(json!({})).await;
            let mut browser = server.browser();
            let tokens = browser.tokens(&client, "ada", &[]).await;
            server.advance(jump);
            server.app.rotate_keys().await.unwrap();
            server.app.reload_keys().await.unwrap();
            server.app.storage.purge(server.app.now()).await.unwrap();
            everything_works(&server, &client).await;
            assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"), "{jump}");
            let refreshed = server.refresh(&client, &text(&tokens, "refresh_token")).await;
            assert_eq!(refreshed.status, 200, "{jump}: {refreshed:?}");
            server.advance(-jump);
            server.app.storage.purge(server.app.now()).await.unwrap();
            everything_works(&server, &client).await;
            let again = server.refresh(&client, &refreshed.text("refresh_token")).await;
            assert_eq!(again.status, 200, "{jump}: {again:?}");
            assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"), "{jump}");
        }
    }

    async fn what_was_used_or_revoked_stays_so_whatever_the_clock_says(kind: Kind) {
        for jump in [HOUR, -HOUR] {
            let server = TestServer::start(kind).await;
            server.user("ada").await;
            let client = server.client(json!({})).await;
            let code = server.code(&client, "ada", &[]).await;
            let tokens = server.redeem(&client, &code).await.json();
            let other = text(&server.tokens(&client, "ada").await, "access_token");
            server.post_as(&client, "/revoke", &[("token", &other)]).await;
            server.advance(jump);
            server.app.storage.purge(server.app.now()).await.unwrap();
            assert!(!server.is_active(&client, &other).await, "{jump}");
            server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
            assert!(!server.is_active(&client, &text(&tokens, "access_token")).await, "{jump}");
            server.advance(-jump);
            assert!(!server.is_active(&client, &other).await, "{jump}");
            server.refresh(&client, &text(&tokens, "refresh_token")).await.assert_error(400, "invalid_grant");
        }
    }
}
