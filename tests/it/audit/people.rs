//! Sign-ins, sessions and passwords.

use serde_json::{Value, json};

use crate::support::{ExternalUi, PASSWORD, TestServer, assert_told, hidden, on_both};

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0";
const NEW: &str = "another battery staple";

async fn sign_in(server: &TestServer, username: &str, password: &str) {
    let mut browser = server.browser();
    let page = browser.get("/login").await;
    browser.sign_in(&page, username, password).await;
}

on_both! {
    async fn a_sign_in_says_who_when_where_from_and_how(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let mut browser = server.browser();
        browser.headers.push(("user-agent", format!("{AGENT}{}", "x".repeat(1000))));
        let (told, _) = server.told(browser.enter("ada")).await;
        assert_told(&told, &[json!({
            "event": "sign_in.succeeded", "actor": "user", "user": user.id, "amr": "pwd", "at": "2027-01-15T08:00:00Z",
            "address": "0.0.0.0",
        })]);
        let told = &told[0];
        assert!(told["user_agent"].as_str().is_some_and(|agent| agent.starts_with(AGENT) && agent.len() == 256));
        assert_eq!(told["request_id"].as_str().unwrap().len(), 22);
        let session = server.app.storage.sessions_of(&user.id, server.app.now()).await.unwrap().remove(0);
        assert_eq!(told["session"], json!(session.id));
    }

    async fn a_failed_sign_in_says_why_and_never_what_was_typed(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        server.user("bob").await;
        server.sql("UPDATE users SET disabled = TRUE WHERE username = 'bob'").await;
        let cases: [(&str, &str, Value); 3] = [
            ("ada", "not-the-password", json!("wrong_password")),
            ("my-secret-typed-as-a-name", PASSWORD, json!("unknown_user")),
            ("bob", PASSWORD, json!("user_disabled")),
        ];
        for (username, password, reason) in cases {
            let (told, ()) = server.told(sign_in(&server, username, password)).await;
            assert_told(&told, &[json!({"event": "sign_in.failed", "actor": "unknown", "reason": reason})]);
            assert_eq!(told[0]["user"] == json!(user.id), username == "ada");
            assert_eq!(told[0]["user"].is_null(), username.contains("secret"));
            let text = json!(told).to_string();
            assert!(!text.contains(username) && !text.contains(password), "{text}");
        }
        let (told, ()) = server.told(async {
            for _ in 0..10 {
                sign_in(&server, "ada", "wrong").await;
            }
        })
        .await;
        assert_told(&told[..9], &vec![json!({"event": "sign_in.failed"}); 9]);
        assert_told(&told[9..], &[json!({"event": "sign_in.throttled", "actor": "unknown", "user": user.id})]);
    }

    async fn the_end_of_a_session_says_how_it_ended(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let (mut first, mut second) = (server.browser(), server.browser());
        for browser in [&mut first, &mut second] {
            browser.enter("ada").await;
        }
        let csrf = hidden(&first.get("/account").await, "csrf");
        let sessions = server.app.storage.sessions_of(&user.id, server.app.now()).await.unwrap();
        let page = first.get("/account").await;
        let other = sessions.iter().find(|session| page.body.contains(session.id.as_str())).unwrap();
        let form = [("csrf", csrf.as_str()), ("session", other.id.as_str())];
        let (told, _) = server.told(first.post("/account/sessions/end", &form)).await;
        let ended = json!({"event": "session.ended", "actor": "user", "user": user.id});
        let mut expected = ended.clone();
        (expected["reason"], expected["session"]) = (json!("account_page"), json!(other.id));
        assert_told(&told, &[expected]);
        // It has ended: nothing happens, so nothing is told.
        let (told, _) = server.told(first.post("/account/sessions/end", &form)).await;
        assert!(told.is_empty(), "{told:?}");
        let csrf = hidden(&first.get("/logout").await, "csrf");
        let (told, _) = server.told(first.post("/logout", &[("csrf", &csrf), ("decision", "sign_out")])).await;
        let mut expected = ended;
        expected["reason"] = json!("sign_out");
        assert_told(&told, &[expected]);
    }

    async fn a_session_whose_place_is_taken_ends(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui) = (server.external_client().await, ExternalUi(&server));
        let mut browser = server.browser();
        let (told, _) = server.told(async {
            for subject in ["ada", "bob"] {
                let challenge = ui.start(&mut browser, &client, &[("prompt", "login")]).await;
                ui.log_in(&mut browser, &challenge, json!({"subject": subject, "remember": true})).await;
            }
        })
        .await;
        let answered = json!({
            "event": "external_page.answered", "actor": "admin_api", "page": "login", "accepted": true,
            "client": client.id,
        });
        assert_told(&told, &[
            answered.clone(),
            json!({"event": "sign_in.succeeded", "actor": "user", "user": "ada"}),
            answered,
            json!({"event": "sign_in.succeeded", "actor": "user", "user": "bob"}),
            json!({"event": "session.ended", "user": "ada", "reason": "replaced"}),
        ]);
    }

    async fn a_change_of_the_password_is_told_and_attempts_at_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let csrf = hidden(&browser.get("/account").await, "csrf");
        let form = |current: &'static str| {
            [("csrf", csrf.as_str()), ("current_password", current), ("new_password", NEW), ("repeat_password", NEW)]
        };
        let (told, _) = server.told(browser.post("/account/password", &form("wrong"))).await;
        assert_told(&told, &[json!({"event": "password.change_failed", "actor": "user", "user": user.id})]);
        let (told, _) = server.told(browser.post("/account/password", &form(PASSWORD))).await;
        assert_told(&told, &[
            json!({"event": "password.changed", "actor": "user", "user": user.id}),
            json!({"event": "sign_in.succeeded", "user": user.id}),
        ]);
        let csrf = hidden(&browser.get("/account").await, "csrf");
        let wrong = [("csrf", csrf.as_str()), ("current_password", "x"), ("new_password", NEW), ("repeat_password", NEW)];
        let (told, ()) = server.told(async {
            for _ in 0..11 {
                browser.post("/account/password", &wrong).await;
            }
        })
        .await;
        assert_told(&told[10..], &[json!({"event": "password.change_throttled", "actor": "user", "user": user.id})]);
        assert!(!json!(server.audit_log().await).to_string().contains("battery"));
    }

    async fn wrong_user_codes_are_told_when_there_were_too_many(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let csrf = hidden(&browser.get("/device").await, "csrf");
        let (told, ()) = server.told(async {
            for _ in 0..11 {
                browser.post("/device", &[("csrf", &csrf), ("user_code", "BBBB-BBBB")]).await;
            }
        })
        .await;
        assert_told(&told, &[json!({"event": "user_code.throttled", "actor": "user", "user": user.id})]);
    }
}
