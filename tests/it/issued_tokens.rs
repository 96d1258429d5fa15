//! What is in the tokens (OpenID Connect Core 2, RFC 9068 2), and which are given out.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::{START, TestServer, claims_of, names, on_both, text};

/// OpenID Connect Core 3.1.3.6: the left half of the hash.
fn left_half(algorithm: &'static Algorithm, access_token: &str) -> String {
    let hash = digest(algorithm, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

on_both! {
    async fn an_id_token_has_exactly_the_claims_of_the_sign_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        server.advance(7);
        let tokens = server.redeem(&client, &code).await.json();
        let (header, claims) = server.verified(&text(&tokens, "id_token")).await;
        assert_eq!(names(&header), ["alg", "kid", "typ"]);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
        let sessions = server.app.storage.sessions_of(&user.id, START).await.unwrap();
        let expected = json!({
            "iss": "https://id.example", "sub": user.id, "aud": client.id,
            "iat": START.plus(7), "exp": START.plus(3607), "auth_time": START,
            "nonce": "n-0S6_WzA2Mj", "acr": "1", "amr": ["pwd"],
            "at_hash": left_half(&SHA256, &text(&tokens, "access_token")), "sid": sessions[0].id,
        });
        assert_eq!(claims, expected, "and no azp");
    }

    async fn the_scopes_of_a_request_come_in_any_order(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens_with(&client, "ada", &[("scope", "email profile openid")]).await;
        assert_eq!(claims_of(&text(&tokens, "id_token"))["sub"], user.id.as_str());
        let userinfo = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.json();
        assert_eq!(userinfo["email"], "ada@mail.example");
    }

    async fn an_id_token_has_no_nonce_where_none_was_sent(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens_with(&client, "ada", &[("nonce", "")]).await;
        let claims = claims_of(&text(&tokens, "id_token"));
        assert_eq!((claims.get("nonce"), claims["aud"].as_str()), (None, Some(client.id.as_str())));
    }

    async fn the_sign_in_stays_the_time_of_authentication_while_the_session_lasts(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let mut browser = server.browser();
        let request = server.authorization(&client, &[]);
        browser.authorize_as(&request, "ada").await;
        server.advance(1000);
        let answer = browser.get(&request).await;
        let code = crate::support::query_of(answer.location(), "code").unwrap();
        let tokens = server.redeem(&client, &code).await.json();
        for token in ["id_token", "access_token"] {
            let claims = claims_of(&text(&tokens, token));
            assert_eq!((&claims["auth_time"], &claims["iat"]), (&json!(START), &json!(START.plus(1000))));
        }
    }

    async fn an_id_token_is_signed_with_the_algorithm_its_client_registered(kind: Kind) {
        let settings = [("KEYS__ALGORITHMS", "ES256,ES384,EdDSA,RS256,PS256"), ("TOKENS__ID_TOKEN_ALG", "RS256")];
        let server = TestServer::start_with(kind, &settings).await;
        server.user("ada").await;
        for (registered, signed) in [
            (json!({}), "RS256"),
            (json!({"id_token_signed_response_alg": "ES256"}), "ES256"),
            (json!({"id_token_signed_response_alg": "ES384"}), "ES384"),
            (json!({"id_token_signed_response_alg": "EdDSA"}), "EdDSA"),
            (json!({"id_token_signed_response_alg": "PS256"}), "PS256"),
        ] {
            let client = server.client(registered).await;
            let tokens = server.tokens(&client, "ada").await;
            let (header, claims) = server.verified(&text(&tokens, "id_token")).await;
            assert_eq!(header["alg"], signed);
            // Ed25519 hashes with SHA-512 (RFC 8032 5.1).
            let hash = match signed {
                "EdDSA" => &SHA512,
                "ES384" => &SHA384,
                _ => &SHA256,
            };
            assert_eq!(claims["at_hash"], left_half(hash, &text(&tokens, "access_token")), "{signed}");
            let (header, _) = server.verified(&text(&tokens, "access_token")).await;
            assert_eq!(header["alg"], "ES256", "the access token has an algorithm of its own");
        }
    }

    async fn an_access_token_is_signed_with_the_algorithm_its_client_registered(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"access_token_signed_response_alg": "EdDSA"})).await;
        let token = server.client_token(&client, "read").await;
        let (header, _) = server.verified(&token).await;
        assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
        assert!(server.is_active(&client, &token).await);
    }

    async fn an_access_token_has_exactly_the_claims_of_rfc_9068_and_its_grant(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let (header, claims) = server.verified(&text(&tokens, "access_token")).await;
        assert_eq!(names(&header), ["alg", "kid", "typ"]);
        assert_eq!(header["typ"], "at+jwt");
        let sessions = server.app.storage.sessions_of(&user.id, START).await.unwrap();
        let expected = json!({
            "iss": "https://id.example", "sub": user.id, "aud": "https://id.example",
            "client_id": client.id, "iat": START, "exp": START.plus(3600), "jti": claims["jti"],
            "scope": "openid profile email offline_access", "grant": claims["grant"],
            "sid": sessions[0].id, "auth_time": START, "acr": "1", "amr": ["pwd"],
        });
        assert_eq!(claims, expected);
        assert_eq!(tokens["scope"], claims["scope"]);
        let another = claims_of(&text(&server.tokens(&client, "ada").await, "access_token"));
        assert_ne!(another["jti"], claims["jti"]);
        assert_ne!(another["grant"], claims["grant"]);
    }

    async fn the_audience_is_what_the_client_registered(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        for (registered, aud) in [
            (json!(["https://api.example"]), json!("https://api.example")),
            (json!(["https://api.example", "other"]), json!(["https://api.example", "other"])),
        ] {
            let client = server.client(json!({"audience": registered})).await;
            let tokens = server.tokens(&client, "ada").await;
            assert_eq!(claims_of(&text(&tokens, "access_token"))["aud"], aud);
            assert_eq!(claims_of(&text(&tokens, "id_token"))["aud"], client.id);
            assert_eq!(claims_of(&server.client_token(&client, "read").await)["aud"], aud);
        }
    }

    async fn there_is_no_id_token_without_openid(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens_with(&client, "ada", &[("scope", "profile offline_access")]).await;
        let expected =
            ["access_token", "expires_in", "refresh_token", "refresh_token_expires_in", "scope", "token_type"];
        assert_eq!(names(&tokens), expected);
        let again = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(names(&again), expected);
    }

    async fn there_is_a_refresh_token_only_where_offline_access_is_granted_and_the_client_may_refresh(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let expected = ["access_token", "expires_in", "id_token", "scope", "token_type"];
        let tokens = server.tokens_with(&client, "ada", &[("scope", "openid profile")]).await;
        assert_eq!(names(&tokens), expected);
        let client = server.client(json!({"grant_types": ["authorization_code"]})).await;
        assert_eq!(names(&server.tokens(&client, "ada").await), expected);
    }

    async fn a_client_may_have_its_own_access_token_lifetime(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"access_token_lifetime": 120})).await;
        server.user("ada").await;
        let tokens = server.tokens(&client, "ada").await;
        assert_eq!(tokens["expires_in"], 120);
        assert_eq!(claims_of(&text(&tokens, "access_token"))["exp"], json!(START.plus(120)));
        let own = server.client_token(&client, "read").await;
        server.advance(119);
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
        assert!(server.is_active(&client, &own).await);
        server.advance(1);
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
        assert!(!server.is_active(&client, &own).await);
    }

    async fn refresh_token_expires_in_is_the_nearer_of_the_two_ends(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        for (idle, absolute, expected) in [
            (json!(null), json!(null), json!(2_592_000)),
            (json!(500), json!(800), json!(500)),
            (json!(800), json!(500), json!(500)),
            (json!(-1), json!(500), json!(500)),
            (json!(500), json!(-1), json!(500)),
            (json!(-1), json!(-1), json!(null)),
        ] {
            let change = json!({"refresh_token_idle_lifetime": idle, "refresh_token_lifetime": absolute});
            let client = server.client(change).await;
            let tokens = server.tokens(&client, "ada").await;
            assert_eq!(tokens["refresh_token_expires_in"], expected, "{idle} {absolute}");
        }
    }
}
