//! The parameters of an authorization request (RFC 6749 4.1.1). Nothing is redirected to before client and redirect URI
//! are proven; after that the application is told.

use serde_json::json;

use super::{Bad, Empty, Form, Missing, Repeated, TooLong, is, spoilt};
use crate::support::authorization::assert_accepted;
use crate::support::{CHALLENGE, REDIRECT_URI, TestServer, encode, on_both};

on_both! {
    async fn authorization(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let right: Form = vec![
            ("client_id", client.id.clone()), ("response_type", "code".into()), ("redirect_uri", REDIRECT_URI.into()),
            ("scope", "openid".into()), ("state", "s".into()), ("nonce", "n".into()),
            ("code_challenge", CHALLENGE.into()), ("code_challenge_method", "S256".into()),
        ];
        let ask = async |parameter: &'static str, bad: &Bad| {
            let form = spoilt(&right, parameter, bad);
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            server.get(&format!("/authorize?{}", encode(&form))).await
        };
        assert_accepted(&ask("nonce", &Missing).await);
        for (parameter, bad) in [
            ("client_id", Missing), ("client_id", Empty), ("client_id", Repeated), ("client_id", TooLong),
            ("client_id", is("another")), ("client_id", is("\u{1f600}")), ("client_id", is("x\0")),
            ("redirect_uri", Repeated), ("redirect_uri", TooLong), ("redirect_uri", is("https://evil.example/")),
            ("redirect_uri", is(format!("{REDIRECT_URI}/"))), ("redirect_uri", is("x\0")),
            ("state", Repeated), ("state", TooLong),
        ] {
            ask(parameter, &bad).await.assert_page_error(400);
        }
        for (parameter, bad, error) in [
            ("response_type", Missing, "invalid_request"),
            ("response_type", Empty, "invalid_request"),
            ("response_type", Repeated, "invalid_request"),
            ("response_type", TooLong, "unsupported_response_type"),
            ("response_type", is("magic"), "unsupported_response_type"),
            ("scope", Repeated, "invalid_request"),
            ("scope", TooLong, "invalid_scope"),
            ("scope", is("openid admin"), "invalid_scope"),
            ("scope", is("\"x\""), "invalid_scope"),
            ("nonce", Repeated, "invalid_request"),
            ("code_challenge", Missing, "invalid_request"),
            ("code_challenge", Repeated, "invalid_request"),
            ("code_challenge", TooLong, "invalid_request"),
            ("code_challenge", is("x"), "invalid_request"),
            ("code_challenge_method", Missing, "invalid_request"),
            ("code_challenge_method", is("plain"), "invalid_request"),
            ("code_challenge_method", TooLong, "invalid_request"),
            ("prompt", is("magic"), "invalid_request"),
            ("prompt", is("none login"), "invalid_request"),
            ("max_age", is("-1"), "invalid_request"),
            ("max_age", is("soon"), "invalid_request"),
            ("resource", is("https://unknown.example"), "invalid_target"),
            ("resource", is("/api"), "invalid_target"),
            ("audience", is("unknown"), "invalid_target"),
        ] {
            let answer = ask(parameter, &bad).await;
            let bad = format!("{bad:?}").chars().take(60).collect::<String>();
            assert_eq!(answer.status, 303, "{parameter} {bad}: {answer:?}");
            answer.assert_redirect_error(error);
        }
    }
}
