//! Pairwise subjects (OpenID Connect Core 8.1), and the sectors they are for.

use serde_json::{Value, json};

use crate::support::{Documents, OPEN, Registration, TestServer, claims_of, on_both, text};
use chancery::model::Noted;

/// A client of the sector of `host` that knows users by pairwise subjects.
async fn client_of(server: &TestServer, host: &str, change: Value) -> Registration {
    let mut members =
        json!({"subject_type": "pairwise", "sector_identifier_uri": format!("https://{host}/uris")});
    members.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    server.client(members).await
}

/// The `sub` of a user's ID token.
async fn subject(server: &TestServer, client: &Registration, username: &str) -> String {
    text(&claims_of(&text(&server.tokens(client, username).await, "id_token")), "sub")
}

on_both! {
    async fn clients_of_one_sector_share_a_subject_that_those_of_another_cannot_connect(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (ada, _bob) = (server.user("ada").await, server.user("bob").await);
        let one = client_of(&server, "one.example", json!({})).await;
        let same = client_of(&server, "one.example", json!({})).await;
        let other = client_of(&server, "two.example", json!({})).await;
        let public = server.client(json!({})).await;
        let sub = subject(&server, &one, "ada").await;
        assert_eq!(sub.len(), 43);
        assert_eq!(subject(&server, &one, "ada").await, sub);
        assert_eq!(subject(&server, &same, "ada").await, sub);
        assert_ne!(subject(&server, &other, "ada").await, sub);
        assert_ne!(subject(&server, &one, "bob").await, sub);
        assert_eq!(subject(&server, &public, "ada").await, ada.id.as_str());
        let replica = server.replica().await;
        assert_eq!(subject(&replica, &one, "ada").await, sub);
    }

    async fn whatever_a_client_reads_names_the_user_by_the_same_pairwise_subject(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        for format in ["jwt", "opaque"] {
            let client = client_of(&server, "one.example", json!({"token_format": format})).await;
            let scope = [("scope", "openid offline_access")];
            let tokens = server.tokens_with(&client, "ada", &scope).await;
            let sub = text(&claims_of(&text(&tokens, "id_token")), "sub");
            assert_ne!(sub, user.id.as_str());
            let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
            if format == "jwt" {
                assert_eq!(claims_of(&access)["sub"], json!(sub));
                assert!(!format!("{:?}", claims_of(&access)).contains(user.id.as_str()));
            }
            let about = server.get_with_token("/userinfo", &access).await;
            assert_eq!(about.json(), json!({ "sub": sub }));
            for token in [&access, &refresh] {
                assert_eq!(server.introspect(&client, token).await.json()["sub"], json!(sub));
            }
            let refreshed = server.refresh(&client, &refresh).await.json();
            assert_eq!(claims_of(&text(&refreshed, "id_token"))["sub"], json!(sub));
            server.revoke(&client, &access).await;
            assert!(!server.is_active(&client, &access).await);
        }
    }

    async fn an_id_token_with_a_pairwise_subject_proves_whose_sign_out_is_meant(kind: Kind) {
        let server = TestServer::start(kind).await;
        let _user = server.user("ada").await;
        let client = client_of(&server, "one.example", json!({})).await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let hint = text(&tokens, "id_token");
        assert!(browser.signed_in_as().await.is_some());
        browser.get(&format!("/logout?id_token_hint={hint}")).await;
        assert!(browser.signed_in_as().await.is_none());
    }

    async fn a_disabled_user_makes_the_tokens_of_pairwise_clients_inactive(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let client = client_of(&server, "one.example", json!({})).await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        assert!(server.is_active(&client, &token).await);
        server.app.storage.set_disabled(Noted::nothing(), &user.id, true, server.app.now()).await.unwrap();
        assert!(!server.is_active(&client, &token).await);
    }

    /// oidcc-registration-sector-uri, oidcc-registration-sector-bad
    async fn a_client_that_registers_itself_must_be_in_the_list_of_its_sector(kind: Kind) {
        let uris = json!(["https://app.example/cb", "https://other.example/cb"]);
        let documents = Documents::serve(&uris).await;
        let server = TestServer::start_with(kind, &[OPEN, ("OUTBOUND__ALLOW_PRIVATE", "true")]).await;
        let members = json!({"subject_type": "pairwise", "redirect_uris": uris,
            "sector_identifier_uri": documents.url});
        let registered = server.register(members.clone()).await;
        assert_eq!(registered.status.as_u16(), 201, "{registered:?}");
        assert_eq!(registered.json()["sector_identifier_uri"], documents.url);
        for list in [json!(["https://app.example/cb"]), json!({}), json!([1]), json!("https://app.example/cb")] {
            documents.publish(&list, "");
            let refused = server.register(members.clone()).await;
            refused.assert_error(400, "invalid_client_metadata");
            assert!(text(&refused.json(), "error_description").contains("sector_identifier_uri: "), "{refused:?}");
        }
    }
}
