//! The parameters of each grant at `/token`.

use chancery::model::{KeySource, Noted, SubjectClaim, TrustedIssuer};
use serde_json::json;

use super::{Bad, Form, Row, assert_table, grant_type, is, optional, required, target};
use crate::device::{self, DEVICE_CODE};
use crate::support::{
    JWT_BEARER, Kind, PASSWORD, REDIRECT_URI, Registration, START, Signer, TestServer, VERIFIER, on_both,
    text,
};

const PARTNER: &str = "https://partner.example";

/// A server with a user and a client.
async fn start(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start(kind).await;
    server.user("ada").await;
    let client = server.client(json!({})).await;
    (server, client)
}

/// Tokens and codes of other kinds, none of which is what a parameter is for.
async fn other_kinds(server: &TestServer, client: &Registration) -> [String; 4] {
    let tokens = server.tokens(client, "ada").await;
    let code = server.code(client, "ada", &[]).await;
    [text(&tokens, "access_token"), text(&tokens, "id_token"), text(&tokens, "refresh_token"), code]
}

fn each(parameter: &'static str, values: &[String], error: &'static str) -> Vec<Row> {
    values.iter().map(|value| (parameter, is(value), error)).collect()
}

on_both! {
    async fn authorization_code(kind: Kind) {
        let (server, client) = start(kind).await;
        let other = server.client(json!({})).await;
        let fresh = async || -> Form {
            let code = server.code(&client, "ada", &[]).await;
            vec![
                ("grant_type", "authorization_code".into()), ("code", code), ("redirect_uri", REDIRECT_URI.into()),
                ("code_verifier", VERIFIER.into()),
            ]
        };
        let [access, id, refresh, _] = other_kinds(&server, &client).await;
        let replayed = server.code(&client, "ada", &[]).await;
        assert_eq!(server.redeem(&client, &replayed).await.status, 200);
        let expired = server.code(&client, "ada", &[]).await;
        let of_another = server.code(&other, "ada", &[]).await;
        let cut = &expired[..expired.len() - 1];
        let codes = [access, id, refresh, cut.to_owned(), expired.clone(), of_another, replayed];
        server.advance(60);
        let rows = [
            grant_type(),
            required("code", "invalid_grant"),
            each("code", &codes, "invalid_grant"),
            // RFC 6749 4.1.3
            optional("redirect_uri", "invalid_grant"),
            vec![("redirect_uri", is(format!("{REDIRECT_URI}/")), "invalid_grant")],
            // RFC 7636 4.6
            optional("code_verifier", "invalid_grant"),
            vec![
                ("code_verifier", Bad::Missing, "invalid_grant"),
                ("code_verifier", Bad::Empty, "invalid_grant"),
                ("code_verifier", is(&VERIFIER[1..]), "invalid_grant"),
                ("code_verifier", is("x".repeat(129)), "invalid_grant"),
                ("code_verifier", is(crate::support::CHALLENGE), "invalid_grant"),
            ],
            target(),
        ];
        assert_table(&server, &client, "/token", fresh, rows.concat()).await;
    }

    async fn refresh_token(kind: Kind) {
        let (server, client) = start(kind).await;
        let other = server.client(json!({})).await;
        let fresh = async || -> Form {
            let token = text(&server.tokens(&client, "ada").await, "refresh_token");
            vec![("grant_type", "refresh_token".into()), ("refresh_token", token), ("scope", "openid".into())]
        };
        let short = server.client(json!({"refresh_token_lifetime": 1})).await;
        let expired = text(&server.tokens(&short, "ada").await, "refresh_token");
        let idle = text(&server.tokens(&client, "ada").await, "refresh_token");
        server.advance(2_592_000);
        server.refresh(&short, &expired).await.assert_error(400, "invalid_grant");
        let replayed = text(&server.tokens(&client, "ada").await, "refresh_token");
        let second = server.refresh(&client, &replayed).await.text("refresh_token");
        server.refresh(&client, &second).await;
        let of_another = text(&server.tokens(&other, "ada").await, "refresh_token");
        let [access, id, _, code] = other_kinds(&server, &client).await;
        let cut = of_another[..of_another.len() - 1].to_owned();
        let tokens = [access, id, code, cut, idle, of_another, replayed];
        let rows = [
            grant_type(),
            required("refresh_token", "invalid_grant"),
            each("refresh_token", &tokens, "invalid_grant"),
            optional("scope", "invalid_scope"),
            vec![("scope", is("openid read"), "invalid_scope"), ("scope", is(" "), "invalid_scope")],
            target(),
        ];
        assert_table(&server, &client, "/token", fresh, rows.concat()).await;
    }

    async fn client_credentials(kind: Kind) {
        let (server, client) = start(kind).await;
        let fresh = async || -> Form { vec![("grant_type", "client_credentials".into()), ("scope", "read".into())] };
        let rows = [
            grant_type(),
            optional("scope", "invalid_scope"),
            ["openid", "offline_access", "read openid", "admin"].map(|scope| ("scope", is(scope), "invalid_scope")).to_vec(),
            target(),
        ];
        assert_table(&server, &client, "/token", fresh, rows.concat()).await;
    }

    async fn password(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__PASSWORD", "true")]).await;
        server.user("ada").await;
        let client = server.client(json!({"first_party": true, "grant_types": ["password", "refresh_token"]})).await;
        let fresh = async || -> Form {
            // Wrong ones are counted for a quarter of an hour.
            server.advance(901);
            vec![
                ("grant_type", "password".into()), ("username", "ada".into()), ("password", PASSWORD.into()),
                ("scope", "read".into()),
            ]
        };
        let rows = [
            grant_type(),
            required("username", "invalid_grant"),
            required("password", "invalid_grant"),
            vec![("username", is("nobody"), "invalid_grant"), ("password", is("wrong"), "invalid_grant")],
            optional("scope", "invalid_scope"),
            target(),
        ];
        assert_table(&server, &client, "/token", fresh, rows.concat()).await;
    }

    async fn device_code(kind: Kind) {
        let (server, web) = start(kind).await;
        let (client, other) =
            (device::device_client(&server, json!({})).await, device::device_client(&server, json!({})).await);
        let approved = async |client: &Registration, decision: &str| {
            let started = device::start(&server, client).await;
            device::answer(&mut server.browser(), "ada", &started, decision).await;
            text(&started, "device_code")
        };
        let fresh = async || -> Form {
            vec![("grant_type", DEVICE_CODE.into()), ("device_code", approved(&client, "allow").await)]
        };
        let [access, id, refresh, code] = other_kinds(&server, &web).await;
        let expired = approved(&client, "allow").await;
        server.advance(86_400);
        let replayed = approved(&client, "allow").await;
        let form = [("grant_type", DEVICE_CODE), ("device_code", replayed.as_str())];
        assert_eq!(server.post_as(&client, "/token", &form).await.status, 200);
        let of_another = approved(&other, "allow").await;
        let started = device::start(&server, &client).await;
        let user_code = text(&started, "user_code");
        let cut = of_another[..of_another.len() - 1].to_owned();
        let codes = [access, id, refresh, code, user_code, cut, of_another, replayed];
        let rows = [
            grant_type(),
            required("device_code", "invalid_grant"),
            each("device_code", &codes, "invalid_grant"),
            // RFC 8628 3.5
            vec![
                ("device_code", is(expired), "expired_token"),
                ("device_code", is(approved(&client, "deny").await), "access_denied"),
                ("device_code", is(text(&started, "device_code")), "authorization_pending"),
                ("device_code", is(text(&started, "device_code")), "slow_down"),
            ],
            target(),
        ];
        assert_table(&server, &client, "/token", fresh, rows.concat()).await;
    }

    async fn jwt_bearer(kind: Kind) {
        let (server, web) = start(kind).await;
        let client = server.client(json!({"grant_types": [JWT_BEARER]})).await;
        let signer = Signer::new("ES256");
        let issuer = TrustedIssuer {
            issuer: PARTNER.into(), keys: KeySource::Jwks(signer.jwks()),
            subject_claim: SubjectClaim::Username, created_at: START,
        };
        assert!(server.app.storage.insert_trusted_issuer(Noted::nothing(), &issuer).await.unwrap());
        let assertion = |change| signer.sign(&server.assertion_claims(PARTNER, "ada", change));
        let fresh = async || -> Form {
            vec![
                ("grant_type", JWT_BEARER.into()), ("assertion", assertion(json!({}))), ("scope", "read".into()),
            ]
        };
        let replayed = assertion(json!({}));
        let form = [("grant_type", JWT_BEARER), ("assertion", replayed.as_str())];
        assert_eq!(server.post_as(&client, "/token", &form).await.status, 200);
        let now = START.unix();
        let mut wrong = other_kinds(&server, &web).await.to_vec();
        wrong.extend([
            replayed,
            assertion(json!({"exp": now - 60})),
            assertion(json!({"exp": now + 86_400})),
            assertion(json!({"exp": "soon"})),
            assertion(json!({"aud": "https://other.example"})),
            assertion(json!({"aud": 1})),
            assertion(json!({"sub": "nobody"})),
            assertion(json!({"iss": "https://other.example"})),
            assertion(json!({"jti": null})),
            signer.sign_with(&json!({"alg": "none"}), &server.assertion_claims(PARTNER, "ada", json!({}))),
            Signer::new("ES256").sign(&server.assertion_claims(PARTNER, "ada", json!({}))),
        ]);
        let rows = [
            grant_type(),
            required("assertion", "invalid_grant"),
            each("assertion", &wrong, "invalid_grant"),
            optional("scope", "invalid_scope"),
            vec![("scope", is("openid"), "invalid_scope"), ("scope", is("offline_access"), "invalid_scope")],
            target(),
        ];
        assert_table(&server, &client, "/token", fresh, rows.concat()).await;
    }
}
