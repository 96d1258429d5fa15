//! The password grant: off twice, and what it may not do where it is on.

use serde_json::{Value, json};

use crate::support::{Kind, PASSWORD, Registration, TestServer, claims_of, on_both, text};

const ON: [(&str, &str); 1] = [("GRANTS__PASSWORD", "true")];

fn trusted() -> Value {
    json!({"first_party": true, "grant_types": ["password", "refresh_token"]})
}

async fn begin(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &ON).await;
    server.user("ada").await;
    let client = server.client(trusted()).await;
    (server, client)
}

fn form<'a>(scope: &'a str, password: &'a str) -> [(&'a str, &'a str); 4] {
    [("grant_type", "password"), ("username", "ada"), ("password", password), ("scope", scope)]
}

on_both! {
    async fn it_is_off_and_unknown_unless_the_server_has_it_on(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(trusted()).await;
        server.post_as(&client, "/token", &form("read", PASSWORD)).await.assert_error(400, "unsupported_grant_type");
        let metadata = server.get("/.well-known/openid-configuration").await.body;
        assert!(!metadata.contains("password"), "{metadata}");
        let (on, _) = begin(kind).await;
        let offered = on.get("/.well-known/openid-configuration").await.json()["grant_types_supported"].clone();
        assert!(offered.as_array().unwrap().contains(&json!("password")), "{offered}");
        assert!(on.app.settings.warnings().iter().any(|warning| warning.contains("grants.password")));
    }

    async fn a_client_needs_the_grant_type_and_to_be_the_operators(kind: Kind) {
        let (server, _) = begin(kind).await;
        for members in [json!({"first_party": true}), json!({"grant_types": ["password"]})] {
            let client = server.client(members).await;
            server.post_as(&client, "/token", &form("read", PASSWORD)).await.assert_error(400, "unauthorized_client");
        }
    }

    async fn identity_and_offline_access_have_to_be_asked_for_and_be_in_the_clients_list(kind: Kind) {
        let (server, client) = begin(kind).await;
        let tokens = server.post_as(&client, "/token", &form("", PASSWORD)).await.json();
        assert_eq!(tokens["scope"], "profile email address phone groups read write");
        assert!(tokens.get("id_token").is_none() && tokens.get("refresh_token").is_none(), "{tokens}");
        let tokens = server.post_as(&client, "/token", &form("openid offline_access", PASSWORD)).await.json();
        let claims = claims_of(&text(&tokens, "id_token"));
        assert_eq!((&claims["amr"], &claims["auth_time"]), (&json!(["pwd"]), &claims["iat"]));
        assert!(tokens["refresh_token"].is_string());
        server.change_client(&client, json!({"scope": "read"})).await;
        for scope in ["openid", "offline_access", "read write"] {
            server.post_as(&client, "/token", &form(scope, PASSWORD)).await.assert_error(400, "invalid_scope");
        }
    }

    async fn a_disabled_user_gets_nothing_and_loses_what_there_was(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = server.post_as(&client, "/token", &form("read", PASSWORD)).await.text("access_token");
        assert!(server.is_active(&client, &token).await);
        server.sql("UPDATE users SET disabled = TRUE").await;
        server.post_as(&client, "/token", &form("read", PASSWORD)).await.assert_error(400, "invalid_grant");
        assert!(!server.is_active(&client, &token).await);
    }

    async fn whatever_is_wrong_the_answer_is_the_same(kind: Kind) {
        let (server, client) = begin(kind).await;
        let long = "x".repeat(2000);
        let mut answers = Vec::new();
        for (username, password) in [("ada", "wrong"), ("nobody", "wrong"), ("ada", &long), (&long, PASSWORD)] {
            let form = [("grant_type", "password"), ("username", username), ("password", password)];
            let answer = server.post_as(&client, "/token", &form).await;
            answer.assert_error(400, "invalid_grant");
            answers.push(answer.body);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }

    async fn more_checks_than_can_wait_are_refused_at_once(kind: Kind) {
        let settings = [ON[0], ("PASSWORDS__QUEUE", "1"), ("PASSWORDS__ITERATIONS", "20")];
        let server = TestServer::start_with(kind, &settings).await;
        server.user("ada").await;
        let client = server.client(trusted()).await;
        let form = form("read", PASSWORD);
        let tries = (0..8).map(|_| server.post_as(&client, "/token", &form));
        let answers = join(tries).await;
        assert!(answers.contains(&200) && answers.contains(&503), "{answers:?}");
        assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    }

    async fn a_grant_that_cannot_be_refreshed_ends_with_its_access_token(kind: Kind) {
        let (server, client) = begin(kind).await;
        server.post_as(&client, "/token", &form("read", PASSWORD)).await.text("access_token");
        let left = "SELECT expires_at - created_at FROM grants WHERE NOT refreshable AND session_id IS NULL";
        assert_eq!(server.number(left).await, 3600);
    }

    async fn paths_are_not_aliased_unless_the_operator_says_so(kind: Kind) {
        let (server, client) = begin(kind).await;
        assert_eq!(server.post_as(&client, "/auth/token", &form("read", PASSWORD)).await.status, 404);
        assert_eq!(server.get("/userinfo/").await.status, 404);
        let issuer = ("SERVER__ISSUER", "https://id.example/tenant");
        let below = TestServer::start_with(kind, &[issuer, ("ALIASES__PATHS", "/oauth2/userinfo=/userinfo")]).await;
        assert_eq!(below.get("/tenant/oauth2/userinfo").await.status, 401);
        assert_eq!(below.get("/oauth2/userinfo").await.status, 404);
        assert!(!below.get("/tenant/.well-known/openid-configuration").await.body.contains("oauth2"));
    }
}

/// The status of each answer, all sent at once.
async fn join(tries: impl Iterator<Item = impl Future<Output = crate::support::Answer>>) -> Vec<u16> {
    let mut tries: Vec<_> = tries.map(Box::pin).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        tries.retain_mut(|request| match request.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer.status.as_u16());
                false
            }
            std::task::Poll::Pending => true,
        });
        if tries.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers
}
