//! What an attacker may try with an answer on its way (RFC 9700 4.1, 4.4, 4.5).

use serde_json::json;

use crate::support::{REDIRECT_URI, TestServer, on_both};

/// Each looks like the registered `https://app.example/callback` to somebody.
const TRICKS: [&str; 32] = [
    "https://app.example@evil.example/callback",
    "https://app.example:443@evil.example/callback",
    "https://user@app.example/callback",
    "https://app.example%40evil.example/callback",
    "https://app.example%2Fevil.example/callback",
    "https://app.example%00.evil.example/callback",
    "https://app.example.evil.example/callback",
    "https://evil-app.example/callback",
    "https://evilapp.example/callback",
    "https://app.example./callback",
    "https://app.example/callback#fragment",
    "https://app.example/callback#",
    "https://app.example/callback%23fragment",
    "https://app.example/callback/",
    "https://app.example/callback/../evil",
    "https://app.example/evil/../callback",
    "https://app.example/./callback",
    "https://app.example/%2e%2e/callback",
    "https://app.example/callback%2f..%2fevil",
    "https://app.example/callback%2F",
    "https://app.example//callback",
    "https://app.example\\@evil.example/callback",
    "https:\\\\app.example\\callback",
    "https:/app.example/callback",
    "https://app.example/callback?next=https://evil.example",
    "https://app.example/callback;evil",
    "https://аpp.example/callback",
    "https://app。example/callback",
    "https://xn--pp-7kc.example/callback",
    "https://app.example/Callback",
    "javascript://app.example/callback",
    "//app.example/callback",
];

on_both! {
    async fn a_redirect_uri_that_only_looks_registered_is_never_followed(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for trick in TRICKS {
            server.get(&server.authorization(&client, &[("redirect_uri", trick)])).await.assert_page_error(400);
            // Not with an error either, and not in another mode.
            for change in [("scope", "admin"), ("response_mode", "form_post"), ("response_mode", "jwt"), ("prompt", "none")] {
                let answer = server.get(&server.authorization(&client, &[("redirect_uri", trick), change])).await;
                answer.assert_page_error(400);
                assert!(!answer.body.contains("<form"), "{trick}");
            }
            let form = [("response_type", "code"), ("redirect_uri", trick), ("scope", "openid")];
            server.post_as(&client, "/par", &form).await.assert_error(400, "invalid_request");
        }
    }

    async fn a_code_of_another_flow_cannot_be_injected(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        let stolen = server.code(&client, "ada", &[]).await;
        // Another client cannot redeem it, and does not spend it.
        server.redeem(&other, &stolen).await.assert_error(400, "invalid_grant");
        // In another session of the same client the verifier is another one.
        let verifier = [("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX")];
        server.redeem_with(&client, &stolen, &verifier).await.assert_error(400, "invalid_grant");
        server.redeem(&client, &stolen).await.assert_error(400, "invalid_grant");
    }

    async fn every_answer_names_the_issuer(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__IMPLICIT", "true")]).await;
        server.user("ada").await;
        let client = server.client(json!({
            "response_types": ["code", "code id_token", "token"], "grant_types": ["authorization_code", "implicit"],
        })).await;
        for response_type in ["code", "code id_token", "token"] {
            for mode in ["", "form_post", "jwt", "form_post.jwt", "fragment"] {
                for scope in ["openid", "admin"] {
                    let change = [("response_type", response_type), ("response_mode", mode), ("scope", scope)];
                    let answer = server.browser().authorize_as(&server.authorization(&client, &change), "ada").await;
                    let issuer = match answer.returned("response") {
                        Some(jwt) => server.verified(&jwt).await.1["iss"].as_str().map(str::to_owned),
                        None => answer.returned("iss"),
                    };
                    assert_eq!(issuer.as_deref(), Some("https://id.example"), "{answer:?}");
                    assert_eq!(answer.returned("response").is_some(), mode.contains("jwt"));
                }
            }
        }
    }

    async fn a_redirect_uri_comes_back_to_the_letter(kind: Kind) {
        let server = TestServer::start(kind).await;
        let uri = "https://app.example/callback?keep=%2F&x";
        let client = server.client(json!({"redirect_uris": [REDIRECT_URI, uri]})).await;
        for (mode, mark) in [("query", "&error="), ("fragment", "#error="), ("form_post", "")] {
            let change = [("redirect_uri", uri), ("prompt", "none"), ("response_mode", mode)];
            let answer = server.get(&server.authorization(&client, &change)).await;
            match mark {
                "" => assert!(answer.body.contains("action=\"https://app.example/callback?keep=%2F&#38;x\"")),
                mark => assert!(answer.location().starts_with(&format!("{uri}{mark}")), "{answer:?}"),
            }
        }
    }
}
