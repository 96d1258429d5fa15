//! The parameters of a token exchange (RFC 8693 2.1) at `/token`.

use serde_json::json;

use super::{Bad, Form, assert_table, grant_type, is, optional, required, send, target};
use crate::support::{Signer, on_both, text};
use crate::token_exchange::{ACCESS_TOKEN, ID_TOKEN, JWT, Place, TOKEN_EXCHANGE};

const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SAML: &str = "urn:ietf:params:oauth:token-type:saml2";

on_both! {
    async fn token_exchange(kind: Kind) {
        let place = Place::new(kind).await;
        let server = &place.server;
        let tokens = place.tokens().await;
        let subject = text(&tokens, "access_token");
        let own = server.client_token(&place.backend, "read").await;
        let fresh = async || -> Form {
            vec![
                ("grant_type", TOKEN_EXCHANGE.into()),
                ("subject_token", subject.clone()),
                ("subject_token_type", ACCESS_TOKEN.into()),
                ("actor_token", own.clone()),
                ("actor_token_type", ACCESS_TOKEN.into()),
                ("requested_token_type", ACCESS_TOKEN.into()),
                ("scope", "read".into()),
            ]
        };
        // Of the wrong type, of another client, signed by somebody else, revoked.
        let foreign = Signer::new("ES256").sign(&json!({"iss": server.issuer(), "sub": "ada", "client_id": "backend"}));
        let of_another = server.client_token(&place.web, "read").await;
        let revoked = server.client_token(&place.backend, "read").await;
        server.revoke(&place.backend, &revoked).await;
        let code = server.code(&place.web, "ada", &[]).await;
        let wrong = [
            text(&tokens, "id_token"), text(&tokens, "refresh_token"), code, foreign, of_another, revoked,
            format!("{subject}x"), format!("{own}x"),
        ];
        let wrong = |parameter: &'static str| {
            wrong.clone().map(|token| (parameter, is(token), "invalid_request")).to_vec()
        };
        let types = |parameter: &'static str, unknown: &[&str]| {
            unknown.iter().map(|name| (parameter, is(*name), "invalid_request")).collect::<Vec<_>>()
        };
        let rows = [
            grant_type(),
            required("subject_token", "invalid_request"),
            wrong("subject_token"),
            required("subject_token_type", "invalid_request"),
            types("subject_token_type", &["access_token", REFRESH_TOKEN, SAML, ID_TOKEN]),
            // RFC 8693 2.1: each of the two needs the other.
            required("actor_token", "invalid_request"),
            wrong("actor_token"),
            vec![("actor_token", is(subject.clone()), "invalid_request")],
            required("actor_token_type", "invalid_request"),
            types("actor_token_type", &["access_token", REFRESH_TOKEN, SAML, ID_TOKEN]),
            optional("requested_token_type", "invalid_request"),
            types("requested_token_type", &["access_token", REFRESH_TOKEN, ID_TOKEN, SAML]),
            optional("scope", "invalid_scope"),
            ["openid", "offline_access", "write", "admin"].map(|scope| ("scope", is(scope), "invalid_scope")).to_vec(),
            target(),
        ];
        assert_table(server, &place.backend, "/token", &fresh, rows.concat()).await;
        // The same without an actor, where the policy allows no other.
        server.change_client(&place.backend, json!({"token_exchange_policy": "impersonation"})).await;
        let silent = async || -> Form {
            fresh().await.into_iter().filter(|(name, _)| !name.starts_with("actor")).collect()
        };
        let rows = vec![
            ("actor_token", is(own.clone()), "invalid_request"),
            ("actor_token_type", is(JWT), "invalid_request"),
            ("subject_token", Bad::Missing, "invalid_request"),
        ];
        assert_table(server, &place.backend, "/token", silent, rows).await;
        send(server, &place.backend, "/token", &fresh().await).await.assert_error(400, "unauthorized_client");
        // Expired, last of all.
        server.advance(3600);
        send(server, &place.backend, "/token", &silent().await).await.assert_error(400, "invalid_request");
    }
}
