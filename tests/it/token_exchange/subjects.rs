//! Which tokens are exchanged, and what ends what came of them.

use chancery::model::{ClientId, KeySource, Noted, SessionId, SubjectClaim, TrustedIssuer};
use serde_json::json;

use super::{ACCESS_TOKEN, API, ID_TOKEN, JWT, NEXT, Place, TOKEN_EXCHANGE, exchange};
use crate::support::{Answer, JWT_BEARER, Registration, START, Signer, claims_of, on_both, text};

const PARTNER: &str = "https://partner.example";

/// A client that is the audience of nothing.
async fn stranger(place: &Place, change: serde_json::Value) -> Registration {
    let members = json!({"grant_types": [TOKEN_EXCHANGE], "token_exchange_policy": "any"});
    place.server.client(crate::support::merged(members, &change)).await
}

/// Ends the session that a token came from.
async fn end_session(place: &Place, token: &str) {
    let session = SessionId::new(claims_of(token)["sid"].as_str().unwrap());
    assert!(
        place
            .server
            .app
            .storage
            .end_session(Noted::nothing(), &session, &place.user.id, place.server.app.now())
            .await
            .unwrap()
    );
}

#[track_caller]
fn assert_done(answer: &Answer, right: bool) {
    match right {
        true => assert_eq!(answer.status, 200, "{answer:?}"),
        false => answer.assert_error(400, "invalid_request"),
    }
}

on_both! {
    async fn a_client_takes_its_own_tokens_those_for_it_and_those_of_clients_the_operator_named(kind: Kind) {
        let place = Place::new(kind).await;
        let subject = place.subject_token().await;
        let other = place.server.client_token(&place.web, "read").await;
        for (change, subject_taken, other_taken) in [
            (json!({}), false, false),
            (json!({"resource_server": API}), true, false),
            (json!({"resource_server": NEXT}), false, false),
            (json!({"token_exchange_clients": ["web"]}), true, true),
            (json!({"token_exchange_clients": ["we", "web2", "backend"]}), false, false),
            (json!({"token_exchange_clients": ["*"], "first_party": true}), true, true),
        ] {
            let client = stranger(&place, change.clone()).await;
            assert_done(&exchange(&place.server, &client, &subject, &[]).await, subject_taken);
            assert_done(&exchange(&place.server, &client, &other, &[]).await, other_taken);
        }
        // Its own name in the audience will do as well.
        let client = stranger(&place, json!({})).await;
        place.server.change_client(&place.web, json!({"audience": ["https://x.example", client.id]})).await;
        let token = text(&place.server.tokens(&place.web, "ada").await, "access_token");
        assert_done(&exchange(&place.server, &client, &token, &[]).await, true);
        let own = stranger(&place, json!({"grant_types": [TOKEN_EXCHANGE, "client_credentials"]})).await;
        let token = place.server.client_token(&own, "read").await;
        let answer = exchange(&place.server, &own, &token, &[]).await;
        assert_eq!(claims_of(&answer.text("access_token"))["sub"], own.id);
    }

    async fn what_is_no_good_token_of_its_type_is_an_invalid_request(kind: Kind) {
        let place = Place::new(kind).await;
        let tokens = place.tokens().await;
        let (access, id, refresh) =
            (text(&tokens, "access_token"), text(&tokens, "id_token"), text(&tokens, "refresh_token"));
        let code = place.server.code(&place.web, "ada", &[]).await;
        for token in ["x", "a.b.c", &id, &refresh, &code, &format!("{access}x"), "\u{1f600}"] {
            assert_done(&place.exchange(token, &[]).await, false);
            assert_done(&place.exchange(token, &[("subject_token_type", JWT)]).await, false);
        }
        for token in [&access, &id, &refresh] {
            assert_done(&place.exchange(token, &[("subject_token_type", ID_TOKEN)]).await, false);
        }
        assert_done(&place.exchange(&access, &[]).await, true);
        assert_done(&place.exchange(&access, &[("subject_token_type", JWT)]).await, true);
    }

    async fn a_revoked_token_grant_session_or_user_is_no_good(kind: Kind) {
        let place = Place::new(kind).await;
        let (server, storage) = (&place.server, &place.server.app.storage);
        let subject = place.subject_token().await;
        server.revoke(&place.web, &subject).await;
        assert_done(&place.exchange(&subject, &[]).await, false);

        let tokens = place.tokens().await;
        server.revoke(&place.web, &text(&tokens, "refresh_token")).await;
        assert_done(&place.exchange(&text(&tokens, "access_token"), &[]).await, false);

        let online = [("resource", API), ("scope", "openid read")];
        let token = text(&server.tokens_with(&place.web, "ada", &online).await, "access_token");
        assert_done(&place.exchange(&token, &[]).await, true);
        end_session(&place, &token).await;
        assert_done(&place.exchange(&token, &[]).await, false);

        let subject = place.subject_token().await;
        for (disabled, right) in [(true, false), (false, true)] {
            storage.set_disabled(Noted::nothing(), &place.user.id, disabled, START).await.unwrap();
            assert_done(&place.exchange(&subject, &[]).await, right);
        }
        storage.delete_user(Noted::nothing(), &place.user.id, START).await.unwrap();
        assert_done(&place.exchange(&subject, &[]).await, false);
    }

    async fn a_token_ends_with_the_grant_it_came_from_in_every_process_at_once(kind: Kind) {
        let place = Place::with(kind, json!({"token_exchange_policy": "any", "introspection_policy": "any",
            "resource_server": null, "token_exchange_clients": ["web"]})).await;
        let tokens = place.tokens().await;
        let first = place.exchanged(&text(&tokens, "access_token")).await;
        let second = place.exchanged(&first).await;
        let other = place.server.replica().await;
        for token in [&first, &second] {
            assert!(place.server.is_active(&place.backend, token).await);
            assert!(other.is_active(&place.backend, token).await);
        }
        place.server.revoke(&place.web, &text(&tokens, "refresh_token")).await;
        for token in [&first, &second] {
            assert!(!other.is_active(&place.backend, token).await);
            assert!(!place.server.is_active(&place.backend, token).await);
            assert_done(&exchange(&other, &place.backend, token, &[]).await, false);
        }
    }

    async fn a_token_outlives_the_revocation_of_the_one_it_was_exchanged_for_and_of_its_own(kind: Kind) {
        let place = Place::with(kind, json!({"token_exchange_policy": "any", "introspection_policy": "any",
            "resource_server": null, "token_exchange_clients": ["web"]})).await;
        let subject = place.subject_token().await;
        let (first, second) = (place.exchanged(&subject).await, place.exchanged(&subject).await);
        place.server.revoke(&place.web, &subject).await;
        assert!(!place.server.is_active(&place.web, &subject).await);
        // A token that is revoked by itself takes only itself: these are tokens of their own, of another client.
        assert!(place.server.is_active(&place.backend, &first).await);
        place.server.revoke(&place.web, &first).await.assert_error(400, "unauthorized_client");
        assert_eq!(place.server.revoke(&place.backend, &first).await.status, 200);
        assert!(!place.server.is_active(&place.backend, &first).await);
        assert!(place.server.is_active(&place.backend, &second).await);
    }

    async fn a_token_ends_with_its_own_client_and_with_the_client_it_speaks_for(kind: Kind) {
        let place = Place::with(kind, json!({"token_exchange_policy": "any", "resource_server": null,
            "token_exchange_clients": ["web"]})).await;
        let gateway = place.server.client(json!({"introspection_policy": "any"})).await;
        let of_user = place.exchanged(&place.subject_token().await).await;
        let of_client = place.exchanged(&place.server.client_token(&place.web, "read").await).await;
        let claims = claims_of(&of_client);
        assert_eq!((&claims["sub"], &claims["client_id"], &claims["exchanged"]), (&json!("web"), &json!("backend"), &json!("client")));
        for token in [&of_user, &of_client] {
            assert!(place.server.is_active(&gateway, token).await);
        }
        let delete = async |id: &str| {
            place.server.app.storage.delete_client(Noted::nothing(), &ClientId::new(id)).await.unwrap();
            place.server.app.clients.forget();
        };
        let again = exchange(&place.server, &place.backend, &of_client, &[]).await.text("access_token");
        delete("backend").await;
        for token in [&of_user, &of_client, &again] {
            assert!(!place.server.is_active(&gateway, token).await);
        }
        let place = Place::with(kind, json!({"token_exchange_policy": "any", "resource_server": null,
            "token_exchange_clients": ["web"], "introspection_policy": "any"})).await;
        let of_client = place.exchanged(&place.server.client_token(&place.web, "read").await).await;
        assert!(place.server.is_active(&place.backend, &of_client).await);
        place.server.app.storage.delete_client(Noted::nothing(), &ClientId::new("web")).await.unwrap();
        place.server.app.clients.forget();
        assert!(!place.server.is_active(&place.backend, &of_client).await);
        assert_done(&place.exchange(&of_client, &[]).await, false);
    }

    async fn an_id_token_stands_for_the_grant_it_came_from(kind: Kind) {
        let place = Place::new(kind).await;
        let change = json!({"grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
            "token_exchange_policy": "impersonation"});
        place.server.change_client(&place.web, change).await;
        let of_id = [("subject_token_type", ID_TOKEN)];
        let ask = async |token: &str| exchange(&place.server, &place.web, token, &of_id).await;
        let tokens = place.tokens().await;
        let (access, id) = (claims_of(&text(&tokens, "access_token")), text(&tokens, "id_token"));
        let claims = claims_of(&ask(&id).await.text("access_token"));
        assert_eq!((&claims["grant"], &claims["sub"]), (&access["grant"], &json!(place.user.id)));
        assert_eq!((&claims["scope"], &claims["aud"]), (&json!("read write"), &json!(API)));
        assert_eq!(claims["exp"], claims_of(&id)["exp"]);
        // Of another client, not even where its access tokens are taken.
        place.server.change_client(&place.backend, json!({"token_exchange_clients": ["web"]})).await;
        assert_done(&place.exchange(&id, &of_id).await, false);

        place.server.app.storage.set_disabled(Noted::nothing(), &place.user.id, true, START).await.unwrap();
        assert_done(&ask(&id).await, false);
        place.server.app.storage.set_disabled(Noted::nothing(), &place.user.id, false, START).await.unwrap();
        // Disabling a user ends their sessions.
        assert_done(&ask(&id).await, false);
        // Offline access outlives the session, an ID token does not.
        let tokens = place.tokens().await;
        let id = text(&tokens, "id_token");
        assert_done(&ask(&id).await, true);
        end_session(&place, &id).await;
        assert_done(&ask(&id).await, false);
        assert_eq!(place.server.refresh(&place.web, &text(&tokens, "refresh_token")).await.status, 200);

        let tokens = place.tokens().await;
        let id = text(&tokens, "id_token");
        assert_done(&ask(&id).await, true);
        // One of a later sign-in does not stand in for it.
        place.server.advance(10);
        place.tokens().await;
        place.server.revoke(&place.web, &text(&tokens, "refresh_token")).await;
        assert_done(&ask(&id).await, false);
        let id = text(&place.tokens().await, "id_token");
        place.server.advance(claims_of(&id)["exp"].as_i64().unwrap() - place.server.app.now().unix());
        assert_done(&ask(&id).await, false);
    }

    async fn the_id_token_of_a_device_is_exchanged_without_a_session(kind: Kind) {
        let place = Place::new(kind).await;
        let change = json!({"grant_types": [crate::device::DEVICE_CODE, TOKEN_EXCHANGE],
            "token_exchange_policy": "impersonation"});
        let device = crate::device::device_client(&place.server, change).await;
        let started = crate::device::start(&place.server, &device).await;
        crate::device::answer(&mut place.server.browser(), "ada", &started, "allow").await;
        let id = crate::device::poll(&place.server, &device, &started).await.text("id_token");
        let answer = exchange(&place.server, &device, &id, &[("subject_token_type", ID_TOKEN)]).await;
        assert_eq!(claims_of(&answer.text("access_token"))["sub"], place.user.id.as_str());
        place.server.app.storage.withdraw(Noted::nothing(), &place.user.id, &ClientId::new(&device.id)).await.unwrap();
        assert_done(&exchange(&place.server, &device, &id, &[("subject_token_type", ID_TOKEN)]).await, false);
    }

    async fn the_assertion_of_a_trusted_issuer_is_exchanged_by_who_may_use_assertions(kind: Kind) {
        let place = Place::new(kind).await;
        let signer = Signer::new("ES256");
        let issuer = TrustedIssuer {
            issuer: PARTNER.into(), keys: KeySource::Jwks(signer.jwks()),
            subject_claim: SubjectClaim::Sub, created_at: START,
        };
        assert!(place.server.app.storage.insert_trusted_issuer(Noted::nothing(), &issuer).await.unwrap());
        let assertion = |change| {
            signer.sign(&place.server.assertion_claims(PARTNER, place.user.id.as_str(), change))
        };
        let ask = async |token: &str, form: &[(&str, &str)]| {
            let form = [&[("subject_token_type", JWT)], form].concat();
            place.exchange(token, &form).await
        };
        let good = assertion(json!({}));
        assert_done(&ask(&good, &[]).await, false);
        let change = json!({"grant_types": [TOKEN_EXCHANGE, "client_credentials", JWT_BEARER], "resource_server": null,
            "token_exchange_clients": ["web"]});
        place.server.change_client(&place.backend, change).await;
        // What is refused for another reason is not spent.
        ask(&good, &[("scope", "write")]).await.assert_error(400, "invalid_scope");
        ask(&good, &[("resource", "https://unknown.example")]).await.assert_error(400, "invalid_target");
        assert_done(&place.exchange(&good, &[("subject_token_type", ACCESS_TOKEN)]).await, false);
        let answer = ask(&good, &[("scope", "read")]).await;
        let token = answer.text("access_token");
        let claims = claims_of(&token);
        assert_eq!((&claims["sub"], &claims["scope"]), (&json!(place.user.id), &json!("read")));
        assert_eq!(answer.json()["expires_in"], 60);
        assert!(claims.get("grant").is_none());
        assert_done(&ask(&good, &[("scope", "read")]).await, false);
        let bearer = [("grant_type", JWT_BEARER), ("assertion", good.as_str())];
        place.server.post_as(&place.backend, "/token", &bearer).await.assert_error(400, "invalid_grant");

        let wrong = Signer::new("ES256");
        let claims = place.server.assertion_claims(PARTNER, place.user.id.as_str(), json!({}));
        for token in [
            wrong.sign(&claims),
            assertion(json!({"sub": "nobody"})),
            assertion(json!({"aud": "https://other.example"})),
            assertion(json!({"exp": START.unix()})),
            assertion(json!({"act": {"sub": "x"}})),
            assertion(json!({"may_act": {"sub": "web"}})),
        ] {
            assert_done(&ask(&token, &[]).await, false);
        }
        assert_done(&ask(&assertion(json!({"may_act": {"sub": "backend"}})), &[]).await, true);
        // The token dies with its user.
        assert!(place.server.is_active(&place.backend, &token).await);
        let again = exchange(&place.server, &place.backend, &token, &[]).await.text("access_token");
        place.server.app.storage.set_disabled(Noted::nothing(), &place.user.id, true, START).await.unwrap();
        for token in [&token, &again] {
            assert!(!place.server.is_active(&place.backend, token).await);
            assert_done(&place.exchange(token, &[]).await, false);
        }
    }
}
