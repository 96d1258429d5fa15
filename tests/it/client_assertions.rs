//! Clients that prove themselves by assertions: client_secret_jwt and private_key_jwt (RFC 7523 2.2, 3, and
//! draft-ietf-oauth-rfc7523bis).

mod once;
mod secrets;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery::model::{ClientId, ClientSecrets, RetiredSecret, Secret};
use chancery::registry::clients::seal_secret;
use serde_json::{Value, json};

use crate::support::{
    ASYMMETRIC, Answer, CLIENT_ASSERTION, OPEN, Registration, START, Signer, TestServer, merged, on_both,
    registration_of, text,
};

const SECRET_JWT: &str = "client_secret_jwt";

async fn secret_client(server: &TestServer, change: Value) -> Registration {
    server.client(merged(json!({"token_endpoint_auth_method": SECRET_JWT}), &change)).await
}

fn hmac_of(client: &Registration, algorithm: &'static str) -> Signer {
    Signer::of_secret(algorithm, client.secret.as_bytes())
}

/// The refusal of a signature, a client, a method: the same for all, so that nobody learns which it was.
#[track_caller]
fn assert_refused(answer: &Answer, case: &str) {
    answer.assert_invalid_client();
    let description = text(&answer.json(), "error_description");
    assert!(description.starts_with("Client authentication failed"), "{case}: {description}");
}

/// The refusal of what the text alone tells.
#[track_caller]
fn assert_told(answer: &Answer, case: &str) {
    answer.assert_invalid_client();
    let description = text(&answer.json(), "error_description");
    assert!(!description.starts_with("Client authentication failed"), "{case}: {description}");
}

/// A server, a client with an ES256 key, and the key.
async fn start(kind: crate::support::Kind) -> (TestServer, Registration, Signer) {
    let (server, signer) = (TestServer::start(kind).await, Signer::new("ES256"));
    let client = server.client_with_keys(&signer, json!({})).await;
    (server, client, signer)
}

on_both! {
    async fn every_asymmetric_algorithm_authenticates_by_private_key_jwt(kind: Kind) {
        let server = TestServer::start(kind).await;
        for algorithm in ASYMMETRIC {
            let signer = Signer::new(algorithm);
            let client = server.client_with_keys(&signer, json!({})).await;
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            let answer = server.ask_with(&signer.sign(&claims), &[]).await;
            assert_eq!(answer.status, 200, "{algorithm}: {answer:?}");
        }
    }

    async fn every_hmac_algorithm_authenticates_by_client_secret_jwt(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = secret_client(&server, json!({})).await;
        for algorithm in ["HS256", "HS384", "HS512"] {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            let answer = server.ask_with(&hmac_of(&client, algorithm).sign(&claims), &[]).await;
            assert_eq!(answer.status, 200, "{algorithm}: {answer:?}");
        }
    }

    async fn discovery_lists_exactly_the_algorithms_that_work(kind: Kind) {
        let server = TestServer::start(kind).await;
        let found = server.get("/.well-known/openid-configuration").await.json();
        let expected: Vec<&str> = ["HS256", "HS384", "HS512"].into_iter().chain(ASYMMETRIC).collect();
        for endpoint in ["token", "introspection", "revocation"] {
            assert_eq!(found[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")], json!(expected));
            let methods = found[format!("{endpoint}_endpoint_auth_methods_supported")].to_string();
            assert!(methods.contains("private_key_jwt") && methods.contains(SECRET_JWT), "{methods}");
        }
    }

    async fn an_assertion_authenticates_at_every_endpoint_for_clients(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        for path in ["/token", "/introspect", "/revoke"] {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            let assertion = signer.sign(&claims);
            let form = [
                ("grant_type", "client_credentials"),
                ("token", "x"),
                ("client_assertion_type", CLIENT_ASSERTION),
                ("client_assertion", &assertion),
            ];
            assert_eq!(server.post(path, &[], &form).await.status, 200, "{path}");
            server.post(path, &[], &form).await.assert_invalid_client();
        }
    }

    async fn claims_that_are_not_right_are_refused_and_the_sender_is_told(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let now = START.unix();
        let token_endpoint = format!("{}/token", server.issuer());
        for change in [
            json!({"aud": "https://another.example"}),
            json!({"aud": [server.issuer(), "https://another.example"]}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"aud": format!("{}/", server.issuer())}),
            json!({"aud": format!("{}/introspect", server.issuer())}),
            json!({"aud": token_endpoint}),
            json!({"aud": [server.issuer(), token_endpoint]}),
            json!({"aud": [server.issuer(), server.issuer()]}),
            json!({"aud": 7}),
            json!({"iss": "somebody"}),
            json!({"sub": "somebody"}),
            json!({"iss": null}),
            json!({"sub": null}),
            json!({"iss": "a\u{0}", "sub": "a\u{0}"}),
            json!({"exp": null}),
            json!({"exp": "soon"}),
            json!({"exp": now - 30}),
            json!({"exp": now - 3600}),
            json!({"exp": now + 3631}),
            json!({"exp": 1e300}),
            json!({"nbf": now + 31}),
            json!({"iat": now + 31}),
            json!({"jti": null}),
            json!({"jti": ""}),
            json!({"jti": 7}),
        ] {
            let claims = server.assertion_claims(&client.id, &client.id, change.clone());
            assert_told(&server.ask_with(&signer.sign(&claims), &[]).await, &change.to_string());
        }
        for change in [
            json!({"aud": [server.issuer()]}),
            json!({"exp": now - 29}),
            json!({"exp": now + 3630}),
            json!({"exp": now as f64 + 60.5}),
            json!({"nbf": now + 30, "iat": now + 30}),
            json!({"nbf": null, "iat": null, "more": {"claims": true}}),
        ] {
            let claims = server.assertion_claims(&client.id, &client.id, change.clone());
            let answer = server.ask_with(&signer.sign(&claims), &[]).await;
            assert_eq!(answer.status, 200, "{change}: {answer:?}");
        }
    }

    async fn the_issuer_is_the_sole_audience_unless_the_operator_allows_a_client_more(kind: Kind) {
        let older = "issuer_or_token_endpoint";
        for (setting, switch, both) in [
            (None, None, false),
            (None, Some(older), true),
            (Some(older), None, true),
            (Some(older), Some("issuer"), false),
        ] {
            let settings: Vec<_> = setting.map(|value| ("CLIENTS__ASSERTION_AUDIENCE", value)).into_iter().collect();
            let (server, signer) = (TestServer::start_with(kind, &settings).await, Signer::new("ES256"));
            let client = server.client_with_keys(&signer, json!({"assertion_audience": switch})).await;
            let token_endpoint = format!("{}/token", server.issuer());
            for (audience, accepted) in [
                (json!(server.issuer()), true),
                (json!([server.issuer()]), true),
                (json!(token_endpoint), both),
                (json!([server.issuer(), token_endpoint]), both),
                (json!([server.issuer(), server.issuer()]), both),
                (json!([token_endpoint, "https://another.example"]), false),
                (json!(format!("{}/introspect", server.issuer())), false),
            ] {
                let claims = server.assertion_claims(&client.id, &client.id, json!({"aud": audience}));
                let answer = server.ask_with(&signer.sign(&claims), &[]).await;
                assert_eq!(answer.status == 200, accepted, "{setting:?} {switch:?} {audience}: {answer:?}");
                if !accepted {
                    let told = text(&answer.json(), "error_description");
                    assert!(told.contains("aud must be this server's issuer, https://id.example, and nothing"), "{told}");
                }
            }
        }
    }

    async fn a_refused_assertion_writes_no_row(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let stranger = Signer::new("ES256");
        let claims = |change: Value| server.assertion_claims(&client.id, &client.id, change);
        let nobody = server.assertion_claims("nobody", "nobody", json!({}));
        for refused in [
            stranger.sign(&claims(json!({}))),
            stranger.sign_with(&json!({"kid": signer.jwk()["kid"]}), &claims(json!({}))),
            signer.sign(&nobody),
            signer.sign(&claims(json!({"aud": "https://another.example"}))),
            signer.sign(&claims(json!({"exp": START.unix() - 30}))),
            signer.sign_with(&json!({"alg": "none"}), &claims(json!({}))),
            "x".to_owned(),
        ] {
            for path in ["/token", "/introspect", "/revoke", "/par"] {
                let form = [
                    ("grant_type", "client_credentials"), ("token", "x"),
                    ("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", &refused),
                ];
                server.post(path, &[], &form).await.assert_invalid_client();
            }
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM used_assertions").await, 0);
    }

    async fn a_client_has_so_many_used_assertions_remembered_and_another_client_its_own(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("CLIENTS__MAX_REMEMBERED", "300")]).await;
        let (signer, other) = (Signer::new("ES256"), Signer::new("ES256"));
        let registered = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": signer.jwks()});
        let own = registration_of(&server.register(registered).await.json());
        let others = server.client_with_keys(&other, json!({})).await;
        let ask = async |client: &Registration, signer: &Signer| {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            let kind = ("client_assertion_type", CLIENT_ASSERTION);
            server.post("/revoke", &[], &[("token", "x"), kind, ("client_assertion", &signer.sign(&claims))]).await
        };
        // One that registered itself may a hundredth of what the operator's may.
        for _ in 0..3 {
            assert_eq!(ask(&own, &signer).await.status, 200);
        }
        let refused = ask(&own, &signer).await;
        refused.assert_error(503, "temporarily_unavailable");
        assert!(text(&refused.json(), "error_description").contains("quarter of an hour"), "{refused:?}");
        assert_eq!(server.number("SELECT COUNT(*) FROM used_assertions").await, 3);
        for _ in 0..4 {
            assert_eq!(ask(&others, &other).await.status, 200);
        }
        server.advance(900);
        assert_eq!(ask(&own, &signer).await.status, 200);
    }

    async fn nobody_learns_from_the_audience_whether_a_client_exists(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let ask = async |id: &str| {
            let aud = json!({"aud": format!("{}/token", server.issuer())});
            server.ask_with(&signer.sign(&server.assertion_claims(id, id, aud)), &[]).await.body
        };
        assert_eq!(ask(&client.id).await, ask("nobody").await);
    }

    async fn a_client_with_several_keys_names_the_one_in_kid(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let unnamed = async || {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            server.ask_with(&signer.sign_with(&json!({"kid": null}), &claims), &[]).await
        };
        assert_eq!(unnamed().await.status, 200, "its only key needs no name");
        let rsa = Signer::new("RS256");
        server.change_client(&client, json!({"jwks": {"keys": [signer.jwk(), rsa.jwk()]}})).await;
        assert_eq!(unnamed().await.status, 200, "nor does the only one of its kind");
        let other = Signer::new("ES256");
        server.change_client(&client, json!({"jwks": {"keys": [other.jwk(), signer.jwk()]}})).await;
        let refused = unnamed().await;
        assert_refused(&refused, "no kid");
        assert!(text(&refused.json(), "error_description").contains("kid"));
        let claims = server.assertion_claims(&client.id, &client.id, json!({}));
        assert_eq!(server.ask_with(&signer.sign(&claims), &[]).await.status, 200);
    }

    async fn headers_that_are_not_right_are_refused(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let claims = || server.assertion_claims(&client.id, &client.id, json!({}));
        for change in [
            json!({"alg": "none"}),
            json!({"alg": "None"}),
            json!({"alg": ""}),
            json!({"alg": "ES512"}),
            json!({"alg": null}),
            json!({"typ": "at+jwt"}),
            json!({"typ": "authorization-grant+jwt"}),
            json!({"typ": "dpop+jwt"}),
            json!({"crit": ["exp"], "exp": 1}),
            json!({"crit": []}),
            json!({"crit": ["b64"], "b64": false}),
        ] {
            let answer = server.ask_with(&signer.sign_with(&change, &claims()), &[]).await;
            assert_told(&answer, &change.to_string());
        }
        for change in [
            json!({"typ": null}),
            json!({"typ": "jwt"}),
            json!({"typ": "client-authentication+jwt"}),
            json!({"typ": "application/client-authentication+jwt"}),
            json!({"kid": null}),
        ] {
            let answer = server.ask_with(&signer.sign_with(&change, &claims()), &[]).await;
            assert_eq!(answer.status, 200, "{change}: {answer:?}");
        }
    }

    async fn what_is_no_signed_jwt_is_refused(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let right = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
        let (signed, _) = right.rsplit_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let payload = right.split('.').nth(1).unwrap();
        for assertion in
            ["x", "a.b", "a.b.c", "....", &format!("{right}.x"), &format!("{none}.{payload}."), &"A".repeat(9000)]
        {
            server.ask_with(assertion, &[]).await.assert_invalid_client();
        }
        assert_refused(&server.ask_with(&format!("{signed}."), &[]).await, "no signature");
        assert_refused(&server.ask_with(&format!("{signed}.AAAA"), &[]).await, "a short signature");
        let changed = server.assertion_claims(&client.id, &client.id, json!({}));
        let payload = URL_SAFE_NO_PAD.encode(changed.to_string());
        let parts: Vec<&str> = right.split('.').collect();
        assert_refused(&server.ask_with(&format!("{}.{payload}.{}", parts[0], parts[2]), &[]).await, "other claims");
        assert_eq!(server.ask_with(&right, &[]).await.status, 200, "refusing spends nothing");
    }

    async fn an_assertion_of_another_clients_key_is_refused(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let other_signer = Signer::new("ES256");
        let other = server.client_with_keys(&other_signer, json!({})).await;
        let claims = server.assertion_claims(&client.id, &client.id, json!({}));
        for change in [json!({}), json!({"kid": null}), json!({"kid": signer.jwk()["kid"]})] {
            assert_refused(&server.ask_with(&other_signer.sign_with(&change, &claims), &[]).await, "other key");
        }
        let unknown = server.assertion_claims("unknown", "unknown", json!({}));
        assert_refused(&server.ask_with(&signer.sign(&unknown), &[]).await, "unknown client");
        let claims = server.assertion_claims(&other.id, &other.id, json!({}));
        assert_refused(&server.ask_with(&signer.sign(&claims), &[]).await, "the other way round");
    }

    async fn an_unknown_kid_is_refused(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let claims = server.assertion_claims(&client.id, &client.id, json!({}));
        let assertion = signer.sign_with(&json!({"kid": "another"}), &claims);
        assert_refused(&server.ask_with(&assertion, &[]).await, "kid");
    }

    async fn a_public_key_is_no_secret(kind: Kind) {
        let server = TestServer::start(kind).await;
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            let signer = Signer::new(algorithm);
            let client = server.client_with_keys(&signer, json!({})).await;
            let jwk = signer.jwk().to_string().into_bytes();
            for public in [signer.public_bytes(), jwk, Vec::new()] {
                for hmac in ["HS256", "HS384", "HS512"] {
                    let claims = server.assertion_claims(&client.id, &client.id, json!({}));
                    let forged = Signer::of_secret(hmac, &public);
                    for kid in [signer.jwk()["kid"].clone(), Value::Null] {
                        let assertion = forged.sign_with(&json!({"kid": kid}), &claims);
                        assert_refused(&server.ask_with(&assertion, &[]).await, algorithm);
                    }
                }
            }
        }
    }

    async fn a_key_signs_with_the_algorithms_of_its_kind_only(kind: Kind) {
        let server = TestServer::start(kind).await;
        let signer = Signer::new("ES256");
        let client = server.client_with_keys(&signer, json!({})).await;
        for claimed in ["RS256", "ES384", "EdDSA", "PS256", "HS256"] {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            assert_refused(&server.ask_with(&signer.sign_with(&json!({"alg": claimed}), &claims), &[]).await, claimed);
        }
        // A key that says which algorithm it is for is for no other.
        let signer = Signer::new("RS256");
        let mut jwk = signer.jwk();
        jwk["alg"] = json!("PS256");
        let client = server.client_with_keys(&signer, json!({"jwks": {"keys": [jwk]}})).await;
        let claims = server.assertion_claims(&client.id, &client.id, json!({}));
        assert_refused(&server.ask_with(&signer.sign(&claims), &[]).await, "RS256 with a PS256 key");
        let signer = signer.with_algorithm("PS256");
        assert_eq!(server.ask_with(&signer.sign(&claims), &[]).await.status, 200);
    }

    async fn the_registered_algorithm_is_the_only_one(kind: Kind) {
        let server = TestServer::start(kind).await;
        let signer = Signer::new("RS256");
        let change = json!({"token_endpoint_auth_signing_alg": "RS256"});
        let client = server.client_with_keys(&signer, change).await;
        let claims = server.assertion_claims(&client.id, &client.id, json!({}));
        assert_eq!(server.ask_with(&signer.sign(&claims), &[]).await.status, 200);
        let signer = signer.with_algorithm("PS256");
        let claims = server.assertion_claims(&client.id, &client.id, json!({}));
        assert_refused(&server.ask_with(&signer.sign(&claims), &[]).await, "PS256");
        let client = secret_client(&server, json!({"token_endpoint_auth_signing_alg": "HS512"})).await;
        for (algorithm, accepted) in [("HS256", false), ("HS512", true)] {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            let answer = server.ask_with(&hmac_of(&client, algorithm).sign(&claims), &[]).await;
            assert_eq!(answer.status == 200, accepted, "{algorithm}");
        }
    }

    async fn one_client_has_one_method(kind: Kind) {
        let server = TestServer::start(kind).await;
        let signer = Signer::new("ES256");
        for method in ["client_secret_basic", "client_secret_post", SECRET_JWT, "none"] {
            let grants = json!(["authorization_code"]);
            let change =
                json!({"token_endpoint_auth_method": method, "jwks": signer.jwks(), "grant_types": grants});
            let client = server.client(change).await;
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            assert_refused(&server.ask_with(&signer.sign(&claims), &[]).await, method);
            if method != SECRET_JWT {
                assert_refused(&server.ask_with(&hmac_of(&client, "HS256").sign(&claims), &[]).await, method);
            }
        }
        let secret = secret_client(&server, json!({})).await;
        let credentials = format!("Basic {}", STANDARD.encode(format!("{}:{}", secret.id, secret.secret)));
        let form = [("grant_type", "client_credentials")];
        assert_refused(&server.post("/token", &[("authorization", &credentials)], &form).await, "basic");
        let posted = [form[0], ("client_id", &secret.id), ("client_secret", &secret.secret)];
        assert_refused(&server.post("/token", &[], &posted).await, "post");
        assert_refused(&server.post("/token", &[], &posted[..2]).await, "none");
    }

    async fn two_methods_at_once_are_an_invalid_request(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let assertion = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
        let with = |form: &[(&'static str, &'static str)]| {
            let (form, assertion, server) = (form.to_vec(), assertion.clone(), &server);
            async move { server.ask_with(&assertion, &form).await }
        };
        with(&[("client_secret", "secret")]).await.assert_error(400, "invalid_request");
        with(&[("client_id", "another")]).await.assert_error(400, "invalid_request");
        with(&[("client_assertion", "again")]).await.assert_error(400, "invalid_request");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", &assertion),
        ];
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:secret", client.id)));
        let answer = server.post("/token", &[("authorization", &basic)], &form).await;
        answer.assert_error(400, "invalid_request");
        server.post("/token", &[], &form[..2]).await.assert_error(400, "invalid_request");
        server.post("/token", &[], &[form[0], form[2]]).await.assert_error(400, "invalid_request");
        let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
        let answer = server.post("/token", &[], &[form[0], ("client_assertion_type", saml), form[2]]).await;
        assert_told(&answer, "another type");
        // None of this spent it, and its own client_id may stand beside it (RFC 7521 4.2).
        assert_eq!(server.ask_with(&assertion, &[("client_id", &client.id)]).await.status, 200);
    }
}
