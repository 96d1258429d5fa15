//! The main path, from the first redirect to the last revocation.

use axum::http::{StatusCode, header};
use serde_json::json;

use crate::support::{TestServer, claims_of, on_both, query_of};

on_both! {
    async fn a_user_signs_in_consents_and_the_client_gets_what_was_granted(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let mut browser = server.browser();
        let answer = browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        assert_eq!(query_of(answer.location(), "state").as_deref(), Some("af0ifjsldkj"));
        assert_eq!(query_of(answer.location(), "iss").as_deref(), Some("https://id.example"));

        let code = query_of(answer.location(), "code").unwrap();
        let answer = server.redeem(&client, &code).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 3600);
        let id_token = claims_of(tokens["id_token"].as_str().unwrap());
        assert_eq!(id_token["sub"], user.id.as_str());
        assert_eq!(id_token["nonce"], "n-0S6_WzA2Mj");

        let access_token = tokens["access_token"].as_str().unwrap();
        let userinfo = server.get_with_token("/userinfo", access_token).await.json();
        assert_eq!(userinfo["sub"], user.id.as_str());
        assert_eq!(userinfo["email"], "ada@mail.example");
        assert!(server.is_active(&client, access_token).await);

        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let again = server.refresh(&client, refresh_token).await.json();
        assert_ne!(again["refresh_token"], tokens["refresh_token"]);
        let successor = again["refresh_token"].as_str().unwrap();
        assert!(server.is_active(&client, successor).await);

        let revoked = server.post_as(&client, "/revoke", &[("token", successor)]).await;
        assert_eq!((revoked.status, revoked.body.as_str()), (StatusCode::OK, "{}"));
        assert!(!server.is_active(&client, access_token).await);
        assert!(!server.is_active(&client, successor).await);
    }
}
