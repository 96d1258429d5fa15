//! Software statements (RFC 7591 2.3): somebody whom the operator named vouches for what an application says.

use axum::http::StatusCode;
use chancery::model::{KeySource, Noted, SoftwareIssuer, SubjectClaim, TrustedIssuer};
use serde_json::{Value, json};

use crate::support::{Documents, OPEN, Signer, TestServer, merged, on_both};

const ISSUER: &str = "https://vouch.example";

async fn believe(server: &TestServer, keys: KeySource) {
    let issuer = SoftwareIssuer { issuer: ISSUER.to_owned(), keys, created_at: server.app.now() };
    assert!(server.app.storage.insert_software_issuer(Noted::nothing(), &issuer).await.unwrap());
}

fn statement(change: Value) -> Value {
    let claims = json!({"iss": ISSUER, "software_id": "acme", "client_name": "Vouched", "iat": 1});
    merged(claims, &change)
}

on_both! {
    async fn what_a_statement_says_takes_precedence_and_it_is_returned_as_it_came(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let signer = Signer::new("ES256");
        believe(&server, KeySource::Jwks(signer.jwks())).await;
        let jwt = signer.sign(&statement(json!({"redirect_uris": ["https://vouched.example/cb"]})));
        let answer = server.register(json!({"software_statement": jwt, "client_name": "Liar", "client_name#de": "Schwindler", "software_version": "2"})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let registered = answer.json();
        assert_eq!(registered["software_statement"], json!(jwt));
        assert_eq!((&registered["client_name"], &registered["software_id"]), (&json!("Vouched"), &json!("acme")));
        assert_eq!(registered["redirect_uris"], json!(["https://vouched.example/cb"]));
        assert_eq!(registered["software_version"], "2");
        assert_eq!(registered["client_name#de"], json!(null), "nor is it otherwise in another language");
    }

    async fn a_statement_is_refused_unless_it_is_right_in_every_way(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let (signer, other) = (Signer::new("ES256"), Signer::new("ES256"));
        believe(&server, KeySource::Jwks(signer.jwks())).await;
        let now = server.app.now().unix();
        let none = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL3ZvdWNoLmV4YW1wbGUifQ.";
        let symmetric = Signer::of_secret("HS256", &signer.public_bytes());
        for (what, jwt) in [
            ("another key", other.sign(&statement(json!({})))),
            ("no signature", none.to_owned()),
            ("a public key as a secret", symmetric.sign(&statement(json!({})))),
            ("expired", signer.sign(&statement(json!({"exp": now - 31})))),
            ("not yet", signer.sign(&statement(json!({"nbf": now + 31})))),
            ("an end that is no time", signer.sign(&statement(json!({"exp": "tomorrow"})))),
            ("no issuer", signer.sign(&statement(json!({"iss": null})))),
            ("an unknown extension", signer.sign_with(&json!({"crit": ["x"]}), &statement(json!({})))),
            ("no object", signer.sign(&json!([1]))),
            ("no JWT", "x".to_owned()),
            ("no text", String::new()),
        ] {
            let answer = server.register(json!({"software_statement": jwt})).await;
            answer.assert_error(400, "invalid_software_statement");
            assert!(!answer.body.contains("Vouched"), "{what}");
        }
        server.register(json!({"software_statement": 1})).await.assert_error(400, "invalid_software_statement");
        let unknown = signer.sign(&statement(json!({"iss": "https://other.example"})));
        server.register(json!({"software_statement": unknown})).await.assert_error(400, "unapproved_software_statement");
    }

    async fn a_statement_gives_nothing_that_only_the_operator_gives(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let signer = Signer::new("EdDSA");
        believe(&server, KeySource::Jwks(signer.jwks())).await;
        for claim in [json!({"skip_consent": true}), json!({"client_id": "mine"}), json!({"scope": "openid admin"})] {
            let answer = server.register(json!({"software_statement": signer.sign(&statement(claim))})).await;
            answer.assert_error(400, "invalid_client_metadata");
        }
    }

    async fn who_vouches_for_users_does_not_vouch_for_software(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let signer = Signer::new("ES256");
        let issuer = TrustedIssuer {
            issuer: ISSUER.to_owned(), keys: KeySource::Jwks(signer.jwks()),
            subject_claim: SubjectClaim::Sub, created_at: server.app.now(),
        };
        server.app.storage.insert_trusted_issuer(Noted::nothing(), &issuer).await.unwrap();
        let answer = server.register(json!({"software_statement": signer.sign(&statement(json!({})))})).await;
        answer.assert_error(400, "unapproved_software_statement");
    }

    async fn the_keys_of_an_issuer_are_fetched(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("OUTBOUND__ALLOW_PRIVATE", "true")]).await;
        let signer = Signer::new("RS256");
        let documents = Documents::serve(&signer.jwks()).await;
        believe(&server, KeySource::JwksUri(documents.url.clone())).await;
        let jwt = signer.sign(&statement(json!({})));
        assert_eq!(server.register(json!({"software_statement": jwt})).await.status, StatusCode::CREATED);
        assert_eq!(documents.requests(), 1);
    }

    async fn the_operator_may_want_a_statement_of_everybody(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__REQUIRE_SOFTWARE_STATEMENT", "true")]).await;
        server.register(json!({})).await.assert_error(400, "unapproved_software_statement");
        let signer = Signer::new("ES256");
        believe(&server, KeySource::Jwks(signer.jwks())).await;
        let jwt = signer.sign(&statement(json!({})));
        assert_eq!(server.register(json!({"software_statement": jwt})).await.status, StatusCode::CREATED);
    }

    async fn a_statement_of_an_issuer_with_several_keys_names_the_one_in_kid(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let (signer, other) = (Signer::new("ES256"), Signer::new("ES256"));
        believe(&server, KeySource::Jwks(json!({"keys": [other.jwk(), signer.jwk()]}))).await;
        let unnamed = signer.sign_with(&json!({"kid": null}), &statement(json!({})));
        let answer = server.register(json!({"software_statement": unnamed})).await;
        answer.assert_error(400, "invalid_software_statement");
        assert!(answer.body.contains("kid"), "{answer:?}");
        let named = signer.sign(&statement(json!({})));
        assert_eq!(server.register(json!({"software_statement": named})).await.status, StatusCode::CREATED);
    }
}
