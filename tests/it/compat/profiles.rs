//! Profiles of the operator's own, and clients whose profile is unknown.

use std::fs;

use axum::http::StatusCode;
use serde_json::json;

use super::{client, tokens_without_pkce};
use crate::support::{TestServer, on_both};

const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

on_both! {
    async fn an_operators_profile_is_what_holds_for_its_clients(kind: Kind) {
        let directory = std::env::temp_dir().join(format!("chancery-it-{}", chancery::crypto::random::id()));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("acme.toml"), "pkce = \"optional\"\naccess_token_lifetime = 77\n").unwrap();
        let settings = [("CLIENTS__PROFILES_DIRECTORY", directory.to_str().unwrap())];
        let server = TestServer::start_with(kind, &settings).await;
        fs::remove_dir_all(&directory).unwrap();
        server.user("ada").await;
        let client = client(&server, "acme", json!({})).await;
        let tokens = tokens_without_pkce(&server, &client, "read").await;
        assert_eq!(tokens["expires_in"], 77);
    }

    async fn a_client_whose_profile_is_unknown_is_not_served_and_the_others_are(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (other, gone) = (server.client(json!({})).await, server.client(json!({})).await);
        server.change_client(&gone, json!({"profile": "acme"})).await;
        let token = async |client| server.post_as(client, "/token", &MACHINE).await;
        let refused = token(&gone).await;
        refused.assert_error(500, "server_error");
        assert!(!refused.body.contains("acme"), "{refused:?}");
        assert_eq!(token(&other).await.status, StatusCode::OK);
        let path = server.authorization(&gone, &[]);
        server.browser().get(&path).await.assert_page_error(500);
        server.change_client(&gone, json!({"profile": null})).await;
        assert_eq!(token(&gone).await.status, StatusCode::OK);
    }
}
