//! Who acts for whom: `act` (RFC 8693 4.1) and `may_act` (4.4).

use serde_json::{Value, json};

use super::{ACCESS_TOKEN, ID_TOKEN, Place, TOKEN_EXCHANGE, exchange};
use crate::support::{Answer, Registration, claims_of, on_both, text};
use chancery::model::Noted;

/// Exchanges a token, with another as the actor's.
async fn act(place: &Place, client: &Registration, subject: &str, actor: &str) -> Answer {
    let form = [("actor_token", actor), ("actor_token_type", ACCESS_TOKEN)];
    exchange(&place.server, client, subject, &form).await
}

/// A client that may exchange the tokens of others by name.
async fn service(place: &Place, id: &str, takes: Value) -> Registration {
    let members = json!({
        "client_id": id, "grant_types": [TOKEN_EXCHANGE, "client_credentials"], "scope": "read",
        "token_exchange_clients": takes, "token_exchange_policy": "any",
    });
    place.server.client(members).await
}

on_both! {
    async fn who_acts_is_named_and_inside_who_acted_before(kind: Kind) {
        let place = Place::new(kind).await;
        let mut token = place.subject_token().await;
        let mut chain = Value::Null;
        for (id, before) in [("backend", "web"), ("two", "backend"), ("three", "two"), ("four", "three")] {
            let client = match id {
                "backend" => crate::support::Registration { id: id.into(), secret: place.backend.secret.clone() },
                _ => service(&place, id, json!([before])).await,
            };
            let own = place.server.client_token(&client, "read").await;
            token = act(&place, &client, &token, &own).await.text("access_token");
            let mut act = json!({"sub": id});
            if !chain.is_null() {
                act["act"] = chain;
            }
            let claims = claims_of(&token);
            assert_eq!((&claims["act"], &claims["sub"]), (&act, &json!(place.user.id)));
            chain = act;
            // Who speaks for the subject without a name of their own hides nobody.
            let silent = exchange(&place.server, &client, &token, &[]).await.text("access_token");
            assert_eq!(claims_of(&silent)["act"], chain);
        }
        let last = service(&place, "five", json!(["four"])).await;
        let own = place.server.client_token(&last, "read").await;
        act(&place, &last, &token, &own).await.assert_error(400, "invalid_request");
    }

    async fn an_actor_is_the_client_itself_or_somebody_who_signed_in_at_it(kind: Kind) {
        let place = Place::new(kind).await;
        let bob = place.server.user("bob").await;
        let change = json!({"grant_types": [TOKEN_EXCHANGE, "client_credentials", "authorization_code"],
            "redirect_uris": [crate::support::REDIRECT_URI], "token_exchange_clients": ["web"], "resource_server": null});
        place.server.change_client(&place.backend, change).await;
        let subject = place.subject_token().await;
        let code = place.server.code(&place.backend, "bob", &[("scope", "openid read")]).await;
        let bobs = place.server.redeem(&place.backend, &code).await.json();
        let answer = act(&place, &place.backend, &subject, &text(&bobs, "access_token")).await;
        assert_eq!(claims_of(&answer.text("access_token"))["act"], json!({"sub": bob.id}));
        let form = [("actor_token", text(&bobs, "id_token")), ("actor_token_type", ID_TOKEN.to_owned())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = place.exchange(&subject, &form).await;
        let claims = claims_of(&answer.text("access_token"));
        assert_eq!((&claims["act"], &claims["sub"]), (&json!({"sub": bob.id}), &json!(place.user.id)));

        // A token that came to the client as a resource server says nothing of who sits there.
        act(&place, &place.backend, &subject, &place.subject_token().await).await.assert_error(400, "invalid_request");
        let foreign = place.server.client_token(&place.web, "read").await;
        act(&place, &place.backend, &subject, &foreign).await.assert_error(400, "invalid_request");
        let own = place.server.client_token(&place.backend, "read").await;
        let acting = act(&place, &place.backend, &subject, &own).await.text("access_token");
        act(&place, &place.backend, &subject, &acting).await.assert_error(400, "invalid_request");
        for actor in ["x", &text(&bobs, "id_token"), &format!("{own}x")] {
            act(&place, &place.backend, &subject, actor).await.assert_error(400, "invalid_request");
        }
        place.server.revoke(&place.backend, &own).await;
        act(&place, &place.backend, &subject, &own).await.assert_error(400, "invalid_request");
        place.server.app.storage.set_disabled(Noted::nothing(), &bob.id, true, place.server.app.now()).await.unwrap();
        let bobs = text(&bobs, "access_token");
        act(&place, &place.backend, &subject, &bobs).await.assert_error(400, "invalid_request");
        place.exchange(&subject, &form).await.assert_error(400, "invalid_request");
    }

    async fn may_act_names_who_alone_may_act(kind: Kind) {
        let place = Place::new(kind).await;
        place.server.change_client(&place.web, json!({"may_act": "backend"})).await;
        let other = service(&place, "other", json!(["web", "backend"])).await;
        let subject = place.subject_token().await;
        assert_eq!(claims_of(&subject)["may_act"], json!({"sub": "backend"}));
        for (client, right) in [(&place.backend, true), (&other, false)] {
            let own = place.server.client_token(client, "read").await;
            for answer in [
                exchange(&place.server, client, &subject, &[]).await,
                act(&place, client, &subject, &own).await,
            ] {
                match right {
                    true => assert_eq!(answer.status, 200, "{answer:?}"),
                    false => answer.assert_error(400, "invalid_request"),
                }
            }
        }
        // It stays said from one exchange to the next.
        let next = place.exchanged(&subject).await;
        assert_eq!(claims_of(&next)["may_act"], json!({"sub": "backend"}));
        exchange(&place.server, &other, &next, &[]).await.assert_error(400, "invalid_request");
    }

    async fn may_act_is_about_the_actor_whoever_the_client_is(kind: Kind) {
        let place = Place::new(kind).await;
        let bob = place.server.user("bob").await;
        place.server.change_client(&place.web, json!({"may_act": bob.id})).await;
        let change = json!({"grant_types": [TOKEN_EXCHANGE, "client_credentials", "authorization_code"],
            "redirect_uris": [crate::support::REDIRECT_URI]});
        place.server.change_client(&place.backend, change).await;
        let subject = place.subject_token().await;
        let code = place.server.code(&place.backend, "bob", &[("scope", "read")]).await;
        let bobs = place.server.redeem(&place.backend, &code).await.text("access_token");
        assert_eq!(act(&place, &place.backend, &subject, &bobs).await.status, 200);
        let own = place.server.client_token(&place.backend, "read").await;
        act(&place, &place.backend, &subject, &own).await.assert_error(400, "invalid_request");
        place.exchange(&subject, &[]).await.assert_error(400, "invalid_request");
    }

    async fn an_id_token_is_bound_by_what_its_client_is_registered_with(kind: Kind) {
        let place = Place::new(kind).await;
        let change = json!({"grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
            "token_exchange_policy": "impersonation"});
        place.server.change_client(&place.web, change).await;
        let id_token = text(&place.tokens().await, "id_token");
        let form = [("subject_token_type", ID_TOKEN)];
        assert_eq!(exchange(&place.server, &place.web, &id_token, &form).await.status, 200);
        place.server.change_client(&place.web, json!({"may_act": "backend"})).await;
        exchange(&place.server, &place.web, &id_token, &form).await.assert_error(400, "invalid_request");
    }
}
