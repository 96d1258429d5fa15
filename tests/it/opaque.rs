//! Opaque access tokens: the claims of the others, sealed, so that only this server can read them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Registration, START, TestServer, on_both, text};

async fn client(server: &TestServer) -> Registration {
    server.client(json!({"token_format": "opaque", "claims_mapping": {"tenant": "const:acme"}})).await
}

async fn userinfo(server: &TestServer, token: &str) -> u16 {
    server.get_with_token("/userinfo", token).await.status.as_u16()
}

on_both! {
    async fn an_opaque_token_says_nothing_to_others(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (client(&server).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        for token in [text(&tokens, "access_token"), server.client_token(&client, "read").await] {
            let sealed = token.strip_prefix("cy_at_").unwrap();
            // A resource server that expects a JWT finds none.
            assert!(!token.contains('.') && jsonwebtoken::decode_header(&token).is_err());
            let bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
            for secret in [client.id.as_str(), user.id.as_str(), "https://id.example", "\"sub\"", "acme"] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found && !token.contains(secret), "{secret}");
            }
        }
        assert_ne!(server.client_token(&client, "read").await, server.client_token(&client, "read").await);
    }

    async fn introspection_tells_what_a_jwt_would_hold(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (client(&server).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let mut told = server.introspect(&client, &text(&tokens, "access_token")).await.json();
        for member in ["jti", "sid"] {
            assert!(told.as_object_mut().unwrap().remove(member).unwrap().is_string());
        }
        let expected = json!({
            "active": true, "client_id": client.id, "sub": user.id, "iss": "https://id.example",
            "aud": "https://id.example", "scope": "openid profile email offline_access",
            "token_type": "Bearer", "iat": START, "exp": START.plus(3600), "auth_time": START, "acr": "1",
            "amr": ["pwd"], "tenant": "acme",
        });
        assert_eq!(told, expected);
        let other = server.client(json!({})).await;
        assert!(!server.is_active(&other, &text(&tokens, "access_token")).await);
    }

    async fn userinfo_refresh_and_revocation_take_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let first = text(&tokens, "access_token");
        assert_eq!(userinfo(&server, &first).await, 200);
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        let second = text(&tokens, "access_token");
        assert!(second.starts_with("cy_at_"));
        // By itself.
        assert_eq!(server.revoke(&client, &first).await.status, 200);
        assert!(!server.is_active(&client, &first).await);
        assert_eq!((userinfo(&server, &first).await, userinfo(&server, &second).await), (401, 200));
        // With its grant.
        server.revoke(&client, &text(&tokens, "refresh_token")).await;
        assert!(!server.is_active(&client, &second).await);
        assert_eq!(userinfo(&server, &second).await, 401);
        // Of a client's own.
        let own = server.client_token(&client, "read").await;
        assert!(server.is_active(&client, &own).await);
        let other = server.client(json!({})).await;
        server.revoke(&other, &own).await.assert_error(400, "unauthorized_client");
        server.revoke(&client, &own).await;
        assert!(!server.is_active(&client, &own).await);
    }

    async fn it_expires(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = client(&server).await;
        let token = server.client_token(&client, "read").await;
        server.advance(3599);
        assert!(server.is_active(&client, &token).await);
        server.advance(1);
        assert!(!server.is_active(&client, &token).await);
    }

    async fn a_changed_token_is_none(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = client(&server).await;
        let token = server.client_token(&client, "read").await;
        let sealed = token.strip_prefix("cy_at_").unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
        for at in [0, 15, 16, 27, 28, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = format!("cy_at_{}", URL_SAFE_NO_PAD.encode(changed));
            assert!(!server.is_active(&client, &changed).await, "byte {at}");
            assert_eq!(userinfo(&server, &changed).await, 401);
        }
        let cut = format!("cy_at_{}", URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - 1]));
        let prefixed = |prefix: &str| format!("{prefix}{sealed}");
        for other in [cut, prefixed(""), prefixed("cy_rt_"), prefixed("cy_at_cy_at_"), "cy_at_".to_owned(), format!("{token}=")] {
            let (statements, active) = server.statements(server.is_active(&client, &other)).await;
            assert_eq!((statements, active), (0, false), "{other}");
        }
    }

    async fn a_token_of_another_server_is_none(kind: Kind) {
        let (server, other) = (TestServer::start(kind).await, TestServer::start(kind).await);
        let (client, stranger) = (client(&server).await, client(&other).await);
        let token = other.client_token(&stranger, "read").await;
        assert!(other.is_active(&stranger, &token).await && !server.is_active(&client, &token).await);
    }

    async fn every_replica_opens_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = client(&server).await;
        let replica = server.replica().await;
        let token = server.client_token(&client, "read").await;
        assert!(replica.is_active(&client, &token).await);
        server.revoke(&client, &token).await;
        assert!(!replica.is_active(&client, &token).await);
    }

    async fn x10_the_client_decides_where_the_resource_does_not(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (jwt, opaque, either) = ("https://jwt.example", "https://opaque.example", "https://either.example");
        server.resource(jwt, json!({"token_format": "jwt"})).await;
        server.resource(opaque, json!({"token_format": "opaque"})).await;
        server.resource(either, json!({})).await;
        for (format, uri, is_opaque) in [
            (Value::Null, "", false),
            (json!("jwt"), "", false),
            (json!("opaque"), "", true),
            (Value::Null, either, false),
            (json!("opaque"), either, true),
            (json!("opaque"), jwt, false),
            (json!("jwt"), opaque, true),
        ] {
            let client = server.client(json!({"token_format": format, "resources": [jwt, opaque, either]})).await;
            let form = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", uri)];
            let token = server.post_as(&client, "/token", &form).await.text("access_token");
            assert_eq!(token.starts_with("cy_at_"), is_opaque, "{format} {uri}");
        }
    }

    async fn it_costs_no_more_statements(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let token = text(&tokens, "access_token");
        for _ in 0..2 {
            assert_eq!(server.statements(server.is_active(&client, &token)).await, (1, true));
            assert_eq!(server.statements(userinfo(&server, &token)).await, (1, 200));
        }
        let (statements, _) = server.statements(server.refresh(&client, &text(&tokens, "refresh_token"))).await;
        assert_eq!(statements, 2);
        let (statements, _) = server.statements(server.client_token(&client, "read")).await;
        assert_eq!(statements, 0);
    }
}
