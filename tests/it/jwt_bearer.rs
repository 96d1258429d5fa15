//! The JWT bearer grant (RFC 7523 2.1): a trusted issuer vouches for a user.

use std::sync::Arc;

use chancery::model::{KeySource, Noted, SubjectClaim, TrustedIssuer, User};
use serde_json::{Value, json};

use crate::support::{
    Answer, Documents, JWT_BEARER, Kind, Registration, START, Signer, TestServer, claims_of, names, on_both,
    text,
};

const PARTNER: &str = "https://partner.example";

pub struct Place {
    pub server: TestServer,
    pub client: Registration,
    signer: Signer,
    pub user: User,
}

impl Place {
    pub async fn new(kind: Kind) -> Self {
        Self::trusting(kind, SubjectClaim::Sub).await
    }

    async fn trusting(kind: Kind, subject_claim: SubjectClaim) -> Self {
        let (server, signer) = (TestServer::start(kind).await, Signer::new("ES256"));
        trust(&server, KeySource::Jwks(signer.jwks()), subject_claim).await;
        let client = server.client(json!({"grant_types": [JWT_BEARER]})).await;
        let user = server.user("ada").await;
        Self { server, client, signer, user }
    }

    fn assertion(&self, subject: &str, change: Value) -> String {
        self.signer.sign(&self.server.assertion_claims(PARTNER, subject, change))
    }

    async fn exchange(&self, assertion: &str, form: &[(&str, &str)]) -> Answer {
        let mut whole = vec![("grant_type", JWT_BEARER), ("assertion", assertion)];
        whole.extend_from_slice(form);
        self.server.post_as(&self.client, "/token", &whole).await
    }

    /// A token for the user.
    pub async fn token(&self) -> String {
        let assertion = self.assertion(self.user.id.as_str(), json!({}));
        text(&self.exchange(&assertion, &[("scope", "read")]).await.json(), "access_token")
    }
}

async fn trust(server: &TestServer, keys: KeySource, subject_claim: SubjectClaim) {
    let issuer = TrustedIssuer { issuer: PARTNER.to_owned(), keys, subject_claim, created_at: START };
    assert!(server.app.storage.insert_trusted_issuer(Noted::nothing(), &issuer).await.unwrap());
}

on_both! {
    async fn an_assertion_of_a_trusted_issuer_gets_a_token_for_the_user_and_nothing_else(kind: Kind) {
        let place = Place::new(kind).await;
        let assertion = place.assertion(place.user.id.as_str(), json!({}));
        let answer = place.exchange(&assertion, &[("scope", "read")]).await.json();
        assert_eq!(names(&answer), ["access_token", "expires_in", "scope", "token_type"]);
        assert_eq!(answer["scope"], "read");
        let token = text(&answer, "access_token");
        let claims = claims_of(&token);
        assert_eq!((claims["sub"].as_str(), claims["client_id"].as_str()),
            (Some(place.user.id.as_str()), Some(&*place.client.id)));
        let about = place.server.introspect(&place.client, &token).await.json();
        assert_eq!((about["active"].as_bool(), about["sub"].as_str()), (Some(true), Some(place.user.id.as_str())));
    }

    async fn the_token_may_be_for_a_resource_in_its_form_with_mapped_claims(kind: Kind) {
        const API: &str = "https://api.example";
        let place = Place::new(kind).await;
        place.server.resource(API, json!({"scope": "read", "token_format": "opaque", "access_token_lifetime": 60})).await;
        let change = json!({"resources": [API], "claims_mapping": {"who": "user.id"}});
        place.server.change_client(&place.client, change).await;
        let assertion = place.assertion(place.user.id.as_str(), json!({}));
        let wrong = place.exchange(&assertion, &[("scope", "read"), ("resource", "https://other.example")]).await;
        wrong.assert_error(400, "invalid_target");
        // The assertion is not spent by that.
        let answer = place.exchange(&assertion, &[("scope", "read"), ("resource", API)]).await.json();
        assert_eq!(answer["expires_in"], 60);
        let token = text(&answer, "access_token");
        assert!(!token.contains('.'), "{token}");
        let about = place.server.introspect(&place.client, &token).await.json();
        assert_eq!((&about["aud"], &about["sub"]), (&json!(API), &json!(place.user.id.as_str())));
        assert_eq!(about["who"], place.user.id.as_str());
    }

    async fn the_subject_is_an_id_a_name_or_a_verified_address_as_the_operator_said(kind: Kind) {
        for (claim, right, wrong) in [
            (SubjectClaim::Sub, "", ["ada", "ada@mail.example"]),
            (SubjectClaim::Username, "Ada", ["ada@mail.example", "nobody"]),
            (SubjectClaim::Email, "ADA@mail.example", ["ada", "nobody@mail.example"]),
        ] {
            let place = Place::trusting(kind, claim).await;
            let right = if right.is_empty() { place.user.id.as_str() } else { right };
            let answer = place.exchange(&place.assertion(right, json!({})), &[]).await;
            assert_eq!(claims_of(&answer.text("access_token"))["sub"], place.user.id.as_str());
            for wrong in wrong {
                let answer = place.exchange(&place.assertion(wrong, json!({})), &[]).await;
                answer.assert_error(400, "invalid_grant");
            }
        }
        let place = Place::trusting(kind, SubjectClaim::Email).await;
        place.server.sql("UPDATE users SET email_verified = FALSE").await;
        let answer = place.exchange(&place.assertion("ada@mail.example", json!({})), &[]).await;
        answer.assert_error(400, "invalid_grant");
    }

    async fn the_token_dies_with_its_user_at_the_cost_of_one_statement(kind: Kind) {
        let place = Place::new(kind).await;
        let (server, token) = (&place.server, place.token().await);
        let (statements, active) = server.statements(server.is_active(&place.client, &token)).await;
        assert_eq!((statements, active), (1, true));
        server.app.storage.set_disabled(Noted::nothing(), &place.user.id, true, START).await.unwrap();
        assert!(!server.is_active(&place.client, &token).await);
        let disabled = place.exchange(&place.assertion(place.user.id.as_str(), json!({})), &[]).await;
        disabled.assert_error(400, "invalid_grant");
        server.app.storage.set_disabled(Noted::nothing(), &place.user.id, false, START).await.unwrap();
        assert!(server.is_active(&place.client, &token).await);
        server.app.storage.delete_user(Noted::nothing(), &place.user.id, server.app.now()).await.unwrap();
        assert!(!server.is_active(&place.client, &token).await);
    }

    async fn the_token_dies_when_it_is_revoked_and_with_its_client(kind: Kind) {
        let place = Place::new(kind).await;
        let (first, second) = (place.token().await, place.token().await);
        assert_eq!(place.server.revoke(&place.client, &first).await.status, 200);
        assert!(!place.server.is_active(&place.client, &first).await);
        assert!(place.server.is_active(&place.client, &second).await);
        let any = place.server.client(json!({"introspection_policy": "any"})).await;
        assert!(place.server.is_active(&any, &second).await);
        let id = chancery::model::ClientId::new(&place.client.id);
        place.server.app.storage.delete_client(Noted::nothing(), &id).await.unwrap();
        place.server.app.clients.forget();
        assert!(!place.server.is_active(&any, &second).await);
    }

    async fn an_exchange_takes_three_statements(kind: Kind) {
        let place = Place::new(kind).await;
        place.token().await;
        let assertion = place.assertion(place.user.id.as_str(), json!({}));
        let (statements, answer) = place.server.statements(place.exchange(&assertion, &[])).await;
        assert_eq!((statements, answer.status.as_u16()), (3, 200));
    }

    async fn an_assertion_that_is_not_right_is_an_invalid_grant(kind: Kind) {
        let place = Place::new(kind).await;
        let now = START.unix();
        for change in [
            json!({"iss": "https://stranger.example"}),
            json!({"iss": format!("{PARTNER}/")}),
            json!({"iss": null}),
            json!({"sub": null}),
            json!({"sub": "nobody"}),
            json!({"aud": "https://another.example"}),
            json!({"aud": [place.server.issuer(), "https://another.example"]}),
            json!({"exp": null}),
            json!({"exp": now - 30}),
            json!({"exp": now + 3631}),
            json!({"nbf": now + 31}),
            json!({"iat": now + 31}),
            json!({"jti": null}),
        ] {
            let answer = place.exchange(&place.assertion(place.user.id.as_str(), change.clone()), &[]).await;
            assert_eq!(answer.status, 400, "{change}: {answer:?}");
            answer.assert_error(400, "invalid_grant");
        }
        let claims = || place.server.assertion_claims(PARTNER, place.user.id.as_str(), json!({}));
        let hmac = Signer::of_secret("HS256", &place.signer.public_bytes());
        let weak = Signer::of_secret("HS256", place.client.secret.as_bytes());
        for assertion in [
            place.signer.sign_with(&json!({"alg": "none"}), &claims()),
            place.signer.sign_with(&json!({"crit": ["x"]}), &claims()),
            place.signer.sign_with(&json!({"typ": "client-authentication+jwt"}), &claims()),
            place.signer.sign_with(&json!({"kid": "another"}), &claims()),
            Signer::new("ES256").sign(&claims()),
            hmac.sign_with(&json!({"kid": null}), &claims()),
            weak.sign_with(&json!({"kid": null}), &claims()),
            "x".to_owned(),
        ] {
            place.exchange(&assertion, &[]).await.assert_error(400, "invalid_grant");
        }
        let missing = place.server.post_as(&place.client, "/token", &[("grant_type", JWT_BEARER)]).await;
        missing.assert_error(400, "invalid_request");
        let typed = place.signer.sign_with(&json!({"typ": "authorization-grant+jwt"}), &claims());
        assert_eq!(place.exchange(&typed, &[]).await.status, 200);
    }

    async fn no_claim_or_header_makes_the_server_fail(kind: Kind) {
        let place = Place::trusting(kind, SubjectClaim::Username).await;
        for value in ["\0", "a\0b", "\r\n", "💥", "' OR 1=1 --", "%00", "$1", &"x".repeat(10_000)] {
            for member in ["iss", "sub", "aud", "jti"] {
                let claims = place.server.assertion_claims(PARTNER, "ada", json!({ member: value }));
                let answer = place.exchange(&place.signer.sign(&claims), &[]).await;
                assert!(matches!(answer.status.as_u16(), 200 | 400), "{member} {value:?}: {answer:?}");
                let answer = place.server.ask_with(&place.signer.sign(&claims), &[]).await;
                assert_eq!(answer.status, 401, "{member} {value:?}: {answer:?}");
            }
            for member in ["alg", "kid", "typ", "jwk", "jku", "x5u"] {
                let claims = place.server.assertion_claims(PARTNER, "ada", json!({}));
                let assertion = place.signer.sign_with(&json!({ member: value }), &claims);
                let answer = place.exchange(&assertion, &[]).await;
                assert!(matches!(answer.status.as_u16(), 200 | 400), "{member} {value:?}: {answer:?}");
            }
            place.exchange(value, &[]).await.assert_error(400, if value.contains('\0') { "invalid_request" } else { "invalid_grant" });
        }
    }

    async fn tokens_of_this_server_are_no_assertions(kind: Kind) {
        let place = Place::new(kind).await;
        place.exchange(&place.token().await, &[]).await.assert_error(400, "invalid_grant");
    }

    async fn one_of_forty_uses_an_assertion(kind: Kind) {
        let place = Arc::new(Place::new(kind).await);
        let assertion = place.assertion(place.user.id.as_str(), json!({}));
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let (place, assertion) = (Arc::clone(&place), assertion.clone());
                tokio::spawn(async move { place.exchange(&assertion, &[]).await })
            })
            .collect();
        let mut good = 0;
        for task in tasks {
            let answer = task.await.unwrap();
            if answer.status == 200 { good += 1 } else { answer.assert_error(400, "invalid_grant") }
        }
        assert_eq!(good, 1);
    }

    async fn scopes_are_narrowed_to_the_clients_and_never_offline_or_openid(kind: Kind) {
        let place = Place::new(kind).await;
        let assertion = place.assertion(place.user.id.as_str(), json!({}));
        for scope in ["openid", "offline_access", "read openid", "admin", "read admin", "a\"b"] {
            place.exchange(&assertion, &[("scope", scope)]).await.assert_error(400, "invalid_scope");
        }
        let answer = place.exchange(&assertion, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.json().get("scope")), (200, None));
    }

    async fn only_an_authenticated_client_registered_for_the_grant_may_use_it(kind: Kind) {
        let place = Place::new(kind).await;
        let assertion = place.assertion(place.user.id.as_str(), json!({}));
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        place.server.post("/token", &[], &form).await.assert_invalid_client();
        let other = place.server.client(json!({})).await;
        place.server.post_as(&other, "/token", &form).await.assert_error(400, "unauthorized_client");
        let public = json!({"token_endpoint_auth_method": "none", "grant_types": [JWT_BEARER]});
        let public = place.server.client(public).await;
        place.server.post_public(&public, "/token", &form).await.assert_invalid_client();
        assert_eq!(place.exchange(&assertion, &[]).await.status, 200);
    }

    async fn an_issuer_that_is_trusted_no_more_gets_nothing(kind: Kind) {
        let place = Place::new(kind).await;
        assert!(place.server.app.storage.delete_trusted_issuer(Noted::nothing(), PARTNER).await.unwrap());
        let answer = place.exchange(&place.assertion(place.user.id.as_str(), json!({})), &[]).await;
        answer.assert_error(400, "invalid_grant");
    }

    async fn an_issuers_keys_can_be_behind_a_uri(kind: Kind) {
        let signer = Signer::new("EdDSA");
        let documents = Documents::serve(&signer.jwks()).await;
        let server = TestServer::start_with(kind, &[("OUTBOUND__ALLOW_PRIVATE", "true")]).await;
        trust(&server, KeySource::JwksUri(documents.url.clone()), SubjectClaim::Username).await;
        let client = server.client(json!({"grant_types": [JWT_BEARER]})).await;
        let user = server.user("ada").await;
        let place = Place { server, client, signer, user };
        for _ in 0..2 {
            assert_eq!(place.exchange(&place.assertion("ada", json!({})), &[]).await.status, 200);
        }
        assert_eq!(documents.requests(), 1);
    }

    async fn a_pairwise_client_gets_a_token_that_hides_its_user_and_dies_with_them(kind: Kind) {
        let place = Place::new(kind).await;
        let server = &place.server;
        server.change_client(&place.client, json!({"subject_type": "pairwise"})).await;
        let token = place.token().await;
        let claims = claims_of(&token);
        assert!(!claims.to_string().contains(place.user.id.as_str()), "{claims}");
        let answer = server.introspect(&place.client, &token).await.json();
        assert_eq!((&answer["active"], &answer["sub"]), (&json!(true), &claims["sub"]));
        assert_eq!(answer.get("sealed_user"), None);
        server.app.storage.set_disabled(Noted::nothing(), &place.user.id, true, START).await.unwrap();
        assert!(!server.is_active(&place.client, &token).await);
    }

    async fn the_token_endpoint_is_an_audience_for_clients_that_the_operator_allows_it(kind: Kind) {
        let place = Place::new(kind).await;
        let ask = async || {
            let aud = json!({"aud": format!("{}/token", place.server.issuer())});
            place.exchange(&place.assertion(place.user.id.as_str(), aud), &[("scope", "read")]).await
        };
        let refused = ask().await;
        refused.assert_error(400, "invalid_grant");
        assert!(text(&refused.json(), "error_description").contains("https://id.example, and nothing else"));
        place.server.change_client(&place.client, json!({"assertion_audience": "issuer_or_token_endpoint"})).await;
        assert_eq!(ask().await.status, 200);
    }
}
