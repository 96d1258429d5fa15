//! How many statements an operation takes: ARCHITECTURE.md holds the table. A cached answer to "is it revoked" would
//! be seen here too, as a number that is too small.

use serde_json::json;

use crate::support::{TestServer, on_both, query_of, text};
use crate::token_exchange::{ACCESS_TOKEN, ID_TOKEN, Place, TOKEN_EXCHANGE, exchange};

on_both! {
    async fn client_credentials_takes_one_statement_and_none_once_the_client_is_cached(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        for expected in [1, 0, 0] {
            let form = [("grant_type", "client_credentials"), ("scope", "read")];
            let (statements, answer) = server.statements(server.post_as(&client, "/token", &form)).await;
            assert_eq!((statements, answer.status.as_u16()), (expected, 200));
        }
    }

    async fn an_authorization_request_that_asks_nobody_takes_at_most_four(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let (mut browser, request) = (server.browser(), server.authorization(&client, &[]));
        browser.authorize_as(&request, "ada").await;
        let (statements, answer) = server.statements(browser.get(&request)).await;
        assert!(query_of(answer.location(), "code").is_some(), "{answer:?}");
        assert_eq!(statements, kind.with_an_entry(3));
    }

    async fn a_code_exchange_takes_two(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        let (statements, answer) = server.statements(server.redeem(&client, &code)).await;
        assert_eq!((statements, answer.status.as_u16()), (2, 200));
    }

    async fn the_number_of_grants_costs_a_statement_where_it_is_registered_or_reached(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let mut browser = server.browser();
        let mut tokens = Vec::new();
        for number in 1..=52 {
            let path = server.authorization(&client, &[]);
            let answer = match number {
                1 => browser.authorize_as(&path, "ada").await,
                _ => browser.get(&path).await,
            };
            let code = query_of(answer.location(), "code").unwrap();
            let (statements, answer) = server.statements(server.redeem(&client, &code)).await;
            let expected = if number <= 50 { 2 } else { kind.with_an_entry(3) };
            assert_eq!((statements, answer.status.as_u16()), (expected, 200), "{number}");
            tokens.push(answer.text("refresh_token"));
            server.advance(1);
        }
        // X27: 50, the oldest are dropped.
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'active'").await, 50);
        for (number, token) in tokens.iter().enumerate() {
            assert_eq!(server.is_active(&client, token).await, number >= 2, "{number}");
        }
        server.change_client(&client, json!({"max_refresh_grants": 60})).await;
        let code = query_of(browser.get(&server.authorization(&client, &[])).await.location(), "code").unwrap();
        server.get("/healthz").await;
        let (statements, _) = server.statements(server.redeem(&client, &code)).await;
        assert_eq!(statements, 3);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'active'").await, 51);
    }

    async fn a_refresh_takes_two(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        for _ in 0..2 {
            // The second time it is the predecessor within the grace.
            let (statements, answer) = server.statements(server.refresh(&client, &token)).await;
            assert_eq!((statements, answer.status.as_u16()), (2, 200));
        }
    }

    async fn introspection_takes_one_every_time(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let own = server.client_token(&client, "read").await;
        for token in [text(&tokens, "access_token"), text(&tokens, "refresh_token"), own] {
            for _ in 0..3 {
                let (statements, active) = server.statements(server.is_active(&client, &token)).await;
                assert_eq!((statements, active), (1, true));
            }
        }
    }

    async fn a_token_exchange_takes_one_read_for_each_token(kind: Kind) {
        let place = Place::new(kind).await;
        let (subject, server) = (place.subject_token().await, &place.server);
        let own = server.client_token(&place.backend, "read").await;
        let actor = [("actor_token", own.as_str()), ("actor_token_type", ACCESS_TOKEN)];
        for (form, expected) in [(&[][..], 1), (&actor[..], 2)] {
            for _ in 0..2 {
                let (statements, answer) = server.statements(place.exchange(&subject, form)).await;
                assert_eq!((statements, answer.status.as_u16()), (expected, 200));
            }
        }
        // One for an ID token too, and one to ask about what came of it.
        let change = json!({"grant_types": ["authorization_code", TOKEN_EXCHANGE], "token_exchange_policy": "any"});
        server.change_client(&place.web, change).await;
        let id_token = text(&place.tokens().await, "id_token");
        let form = [("subject_token_type", ID_TOKEN)];
        let (statements, answer) = server.statements(exchange(server, &place.web, &id_token, &form)).await;
        assert_eq!((statements, answer.status.as_u16()), (1, 200));
        let (statements, active) =
            server.statements(server.is_active(&place.web, &answer.text("access_token"))).await;
        assert_eq!((statements, active), (1, true));
    }

    async fn userinfo_takes_one_every_time(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        for _ in 0..3 {
            let (statements, answer) = server.statements(server.get_with_token("/userinfo", &token)).await;
            assert_eq!((statements, answer.status.as_u16()), (1, 200));
        }
    }

    async fn what_is_no_token_of_ours_costs_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.client_token(&client, "read").await;
        for token in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            let (statements, active) = server.statements(server.is_active(&client, token)).await;
            assert_eq!((statements, active), (0, false));
            let (statements, answer) = server.statements(server.get_with_token("/userinfo", token)).await;
            assert_eq!((statements, answer.status.as_u16()), (0, 401));
        }
        let (statements, _) = server.statements(server.refresh(&client, "x")).await;
        assert_eq!(statements, 0);
    }

    async fn documents_take_none(kind: Kind) {
        let server = TestServer::start(kind).await;
        for path in
            ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks", "/healthz"]
        {
            let (statements, answer) = server.statements(server.get(path)).await;
            assert_eq!((statements, answer.status.as_u16()), (0, 200), "{path}");
        }
    }
}
