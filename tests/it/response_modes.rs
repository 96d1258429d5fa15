//! How an answer travels (OAuth 2.0 Multiple Response Type Encoding Practices 2.1, OAuth 2.0 Form Post Response Mode, JWT
//! Secured Authorization Response Mode).

use serde_json::{Value, json};

use crate::support::authorization::{STATE, ask, assert_refused};
use crate::support::{Answer, Kind, REDIRECT_URI, Registration, TestServer, claims_of, on_both};

async fn start(kind: Kind, change: Value) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &[("GRANTS__IMPLICIT", "true")]).await;
    server.user("ada").await;
    let mut metadata = json!({
        "response_types": ["code", "code id_token", "token", "id_token token"],
        "grant_types": ["authorization_code", "refresh_token", "implicit"],
    });
    metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let client = server.client(metadata).await;
    (server, client)
}

async fn run(server: &TestServer, client: &Registration, change: &[(&str, &str)]) -> Answer {
    server.browser().authorize_as(&server.authorization(client, change), "ada").await
}

/// The claims of a signed response, verified.
async fn signed(server: &TestServer, client: &Registration, answer: &Answer) -> Value {
    for name in ["code", "state", "error", "iss", "id_token", "access_token"] {
        assert_eq!(answer.returned(name), None, "{answer:?}");
    }
    let (header, claims) = server.verified(&answer.returned("response").unwrap()).await;
    assert_eq!(header["typ"], "oauth-authz-resp+jwt");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://id.example"), &json!(client.id)));
    assert_eq!(claims["exp"], json!(server.app.now().unix() + 600));
    claims
}

on_both! {
    async fn a_code_may_travel_by_query_fragment_or_form(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        for mode in ["query", "fragment", "form_post"] {
            let answer = run(&server, &client, &[("response_mode", mode)]).await;
            assert_eq!(answer.status == 200, mode == "form_post", "{answer:?}");
            assert_eq!(answer.location().contains('#'), mode == "fragment", "{answer:?}");
            assert_eq!(answer.returned("state").as_deref(), Some(STATE));
            assert_eq!(answer.returned("iss").as_deref(), Some("https://id.example"));
            let code = answer.returned("code").unwrap();
            assert_eq!(server.redeem(&client, &code).await.status, 200, "{mode}");
        }
    }

    async fn the_form_posts_itself_without_inline_script_and_is_not_kept(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let state = "<&\"'>";
        let answer = run(&server, &client, &[("response_mode", "form_post"), ("state", state)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
        assert!(answer.body.contains(&format!("<form method=\"post\" action=\"{REDIRECT_URI}\"")), "{answer:?}");
        assert!(answer.body.contains("<button type=\"submit\">"), "{answer:?}");
        assert!(answer.body.contains("value=\"&#60;&#38;&#34;&#39;&#62;\""), "{answer:?}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        // The form goes to another site, and from there wherever the application likes.
        assert!(!policy.contains("form-action"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), "strict-origin");
    }

    async fn errors_travel_like_the_answer(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        for (mode, scope) in [("form_post", "unknown"), ("fragment", "unknown"), ("query", "unknown")] {
            let answer = ask(&server, &client, &[("response_mode", mode), ("scope", scope)]).await;
            assert_eq!(answer.returned("error").as_deref(), Some("invalid_scope"), "{answer:?}");
            assert_eq!(answer.returned("state").as_deref(), Some(STATE));
            assert_eq!(answer.status == 200, mode == "form_post");
            assert_eq!(answer.location().contains('#'), mode == "fragment", "{answer:?}");
        }
        let silent = [("response_mode", "form_post"), ("prompt", "none")];
        let answer = ask(&server, &client, &silent).await;
        assert_eq!(answer.returned("error").as_deref(), Some("login_required"), "{answer:?}");
        let answer = ask(&server, &client, &[("response_mode", "form_post"), ("response_type", "")]).await;
        assert_eq!((answer.status.as_u16(), answer.returned("error").as_deref()), (200, Some("invalid_request")));
        let answer = ask(&server, &client, &[("response_type", "token"), ("scope", "unknown")]).await;
        assert!(answer.location().contains("#error=invalid_scope"), "{answer:?}");
    }

    async fn a_denial_travels_like_the_answer(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let mut browser = server.browser();
        let path = server.authorization(&client, &[("response_mode", "form_post")]);
        let first = browser.get(&path).await;
        let page = browser.follow(first).await;
        let answer = browser.sign_in(&page, "ada", crate::support::PASSWORD).await;
        let page = browser.follow(answer).await;
        let answer = browser.decide(&page, "deny").await;
        assert_eq!((answer.status.as_u16(), answer.returned("error").as_deref()), (200, Some("access_denied")));
    }

    async fn tokens_never_travel_in_the_query(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        for response_type in ["code id_token", "token", "id_token token"] {
            for mode in ["query", "query.jwt"] {
                let change: &[_] = &[("response_type", response_type), ("response_mode", mode)];
                assert_refused(&server, &client, "invalid_request", &[change]).await;
                assert!(ask(&server, &client, change).await.location().contains('#'));
            }
            let answer =
                run(&server, &client, &[("response_type", response_type), ("response_mode", "form_post")]).await;
            assert_eq!(answer.status, 200);
            assert!(answer.returned("id_token").or(answer.returned("access_token")).is_some(), "{answer:?}");
        }
    }

    async fn an_unknown_mode_is_refused_in_the_usual_one(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        for mode in ["web_message", "QUERY", "form_post.jwe", "query fragment"] {
            assert_refused(&server, &client, "invalid_request", &[&[("response_mode", mode)]]).await;
        }
    }

    async fn a_signed_answer_is_one_jwt_with_everything_in_it(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        for (mode, response_type, mark) in [
            ("jwt", "code", "?response="),
            ("query.jwt", "code", "?response="),
            ("fragment.jwt", "code", "#response="),
            ("form_post.jwt", "code", ""),
            ("jwt", "id_token token", "#response="),
            ("form_post.jwt", "code id_token", ""),
        ] {
            let change = [("response_mode", mode), ("response_type", response_type)];
            let answer = run(&server, &client, &change).await;
            assert!(answer.location().contains(mark), "{answer:?}");
            assert_eq!(answer.status == 200, mark.is_empty());
            let claims = signed(&server, &client, &answer).await;
            assert_eq!(claims["state"], STATE);
            for (word, name) in [("code", "code"), ("token", "access_token"), ("id_token", "id_token")] {
                let named = response_type.split(' ').any(|found| found == word);
                assert_eq!(claims[name].is_string(), named, "{claims}");
            }
            if let Some(code) = claims["code"].as_str() {
                assert_eq!(server.redeem(&client, code).await.status, 200);
            }
        }
    }

    async fn errors_are_signed_too(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let answer = ask(&server, &client, &[("response_mode", "jwt"), ("prompt", "none")]).await;
        let claims = signed(&server, &client, &answer).await;
        assert_eq!((&claims["error"], &claims["state"]), (&json!("login_required"), &json!(STATE)));
    }

    async fn a_client_registered_for_signed_answers_gets_no_other(kind: Kind) {
        let (server, client) = start(kind, json!({"authorization_signed_response_alg": "EdDSA"})).await;
        let answer = run(&server, &client, &[]).await;
        assert_eq!(server.verified(&answer.returned("response").unwrap()).await.0["alg"], "EdDSA");
        assert!(signed(&server, &client, &answer).await["code"].is_string());
        for mode in ["query", "fragment", "form_post", "unknown"] {
            let answer = ask(&server, &client, &[("response_mode", mode)]).await;
            assert_eq!(signed(&server, &client, &answer).await["error"], "invalid_request", "{mode}");
        }
    }

    async fn a_signed_answer_is_no_id_token(kind: Kind) {
        let (server, client) = start(kind, json!({})).await;
        let answer = run(&server, &client, &[("response_mode", "jwt")]).await;
        let response = answer.returned("response").unwrap();
        assert!(claims_of(&response).get("sub").is_none());
        assert!(!server.is_active(&client, &response).await);
        let answer = server.get(&format!("/logout?id_token_hint={response}")).await;
        assert_eq!(answer.location(), "", "{answer:?}");
    }
}
