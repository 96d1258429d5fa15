//! WebFinger: which issuer vouches for somebody (OpenID Connect Discovery 2), and nothing about who there is.

use axum::http::header;
use serde_json::json;

use crate::support::{TestServer, encode, on_both};

const ISSUER: &str = "http://openid.net/specs/connect/1.0/issuer";

fn path(resource: &str) -> String {
    format!("/.well-known/webfinger?{}", encode(&[("resource", resource), ("rel", ISSUER)]))
}

on_both! {
    async fn the_issuer_is_found_for_its_own_host_and_no_account_is_looked_up(kind: Kind) {
        let server = TestServer::start(kind).await;
        let _user = server.user("ada").await;
        let (statements, answers) = server.statements(async {
            [server.get(&path("acct:ada@id.example")).await, server.get(&path("acct:nobody@id.example")).await]
        }).await;
        assert_eq!(statements, 0);
        for (answer, subject) in answers.iter().zip(["acct:ada@id.example", "acct:nobody@id.example"]) {
            assert_eq!((answer.status.as_u16(), answer.header(header::CONTENT_TYPE)), (200, "application/jrd+json"));
            let links = json!([{"rel": ISSUER, "href": "https://id.example"}]);
            assert_eq!(answer.json(), json!({"subject": subject, "links": links}));
        }
        assert_eq!(server.get(&path("acct:ada@other.example")).await.status, 404);
        server.get("/.well-known/webfinger").await.assert_error(400, "invalid_request");
        server.get(&format!("{}&resource=x", path("acct:a@id.example"))).await.assert_error(400, "invalid_request");
    }

    async fn it_is_at_the_root_of_the_host_whatever_the_path_of_the_issuer(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__ISSUER", "https://id.example/auth")]).await;
        let answer = server.get(&path("acct:ada@id.example")).await;
        assert_eq!(answer.json()["links"][0]["href"], "https://id.example/auth");
        assert_eq!(server.get(&format!("/auth{}", path("acct:ada@id.example"))).await.status, 404);
    }
}
