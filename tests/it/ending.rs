//! What ends beside the sessions when a person or the operator ends them, and how all access ends.

use chancery::model::{ClientId, Noted};
use chancery::storage::Ending;
use serde_json::{Value, json};

use crate::jwt_bearer;
use crate::support::{
    Browser, Kind, PASSWORD, Registration, TestServer, assert_told, hidden, on_both, run, text,
};

const NEW: &str = "another battery staple";

/// A server with a user, a client, and its tokens for offline use.
async fn start(kind: Kind, settings: &[(&str, &str)]) -> (TestServer, Registration, Value) {
    let server = TestServer::start_with(kind, settings).await;
    server.user("ada").await;
    let client = server.client(json!({"client_id": "app"})).await;
    let tokens = server.tokens(&client, "ada").await;
    (server, client, tokens)
}

async fn refreshes(server: &TestServer, client: &Registration, tokens: &Value) -> bool {
    server.refresh(client, &text(tokens, "refresh_token")).await.status == 200
}

async fn change_password(browser: &mut Browser<'_>, more: &[(&str, &str)]) {
    let csrf = hidden(&browser.get("/account").await, "csrf");
    let form = [
        ("csrf", csrf.as_str()),
        ("current_password", PASSWORD),
        ("new_password", NEW),
        ("repeat_password", NEW),
    ];
    let answer = browser.post("/account/password", &[&form[..], more].concat()).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

on_both! {
    async fn a_reset_by_the_operator_ends_everything(kind: Kind) {
        for command in [
            "user set-password ada --generate-password",
            "user set-password ada --generate-password --everything",
            "user disable ada",
            "user sign-out ada --everything",
        ] {
            let (server, client, tokens) = start(kind, &[]).await;
            run(&server, &command.split(' ').collect::<Vec<_>>()).await;
            run(&server, &["user", "enable", "ada"]).await;
            for name in ["access_token", "refresh_token"] {
                assert!(!server.is_active(&client, &text(&tokens, name)).await, "{command}");
            }
            assert!(!refreshes(&server, &client, &tokens).await, "{command}");
            assert_eq!(server.number("SELECT COUNT(*) FROM consents").await, 0, "{command}");
            assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 0, "{command}");
        }
    }

    async fn a_token_of_the_jwt_bearer_grant_ends_with_everything_of_its_user_and_costs_no_statement_more(kind: Kind) {
        for command in [
            "user set-password ada --generate-password",
            "user disable ada",
            "user sign-out ada --everything",
        ] {
            let place = jwt_bearer::Place::new(kind).await;
            let (server, client) = (&place.server, &place.client);
            for format in ["jwt", "opaque"] {
                server.change_client(client, json!({"token_format": format})).await;
                let token = place.token().await;
                let (statements, active) = server.statements(server.is_active(client, &token)).await;
                assert_eq!((statements, active), (1, true), "{command}");
                // A sign-out, and what keeps offline access, leave it.
                run(server, &["user", "sign-out", "ada"]).await;
                run(server, &["user", "disable", "ada", "--keep-offline-access"]).await;
                run(server, &["user", "enable", "ada"]).await;
                assert!(server.is_active(client, &token).await, "{command}");
                assert_eq!(server.number("SELECT COUNT(*) FROM users WHERE tokens_not_before > 0").await, 0);
                run(server, &command.split(' ').collect::<Vec<_>>()).await;
                run(server, &["user", "enable", "ada"]).await;
                assert_eq!(server.number("SELECT COUNT(*) FROM users WHERE tokens_not_before > 0").await, 1, "{command}");
                // The command goes by the clock of the machine, the tokens by the test's.
                server.app.storage.clone().ending(Ending::Everything).end_sessions(Noted::nothing(), &place.user.id, server.app.now()).await.unwrap();
                assert!(!server.is_active(client, &token).await, "{command}");
                server.advance(1);
                assert!(server.is_active(client, &place.token().await).await, "the issuer can vouch anew");
                server.sql("UPDATE users SET tokens_not_before = NULL").await;
            }
        }
    }

    async fn a_reset_leaves_offline_access_where_it_is_told_to(kind: Kind) {
        for command in [
            "user set-password ada --generate-password --keep-offline-access",
            "user disable ada --keep-offline-access",
            "user sign-out ada",
        ] {
            let (server, client, tokens) = start(kind, &[]).await;
            run(&server, &command.split(' ').collect::<Vec<_>>()).await;
            run(&server, &["user", "enable", "ada"]).await;
            assert!(refreshes(&server, &client, &tokens).await, "{command}");
            assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 0, "{command}");
        }
    }

    async fn all_access_of_a_client_ends_by_one_command_and_it_stays_registered(kind: Kind) {
        let (server, client, tokens) = start(kind, &[]).await;
        let other = server.client(json!({"client_id": "other"})).await;
        let others = server.tokens(&other, "ada").await;
        let (lone, code) = (server.client_token(&client, "read").await, server.code(&client, "ada", &[]).await);
        server.advance(1);
        let (told, done) = server.told(run(&server, &["client", "revoke", "app"])).await;
        assert_eq!((&done["client_id"], &done["revoked_grants"]), (&json!("app"), &json!(2)));
        assert_told(&told, &[json!({"event": "client.access_ended", "actor": "operator", "client": "app"})]);
        let written = server.app.storage.client(&ClientId::new("app")).await.unwrap().unwrap().client;
        assert!(written.origin.tokens_not_before.is_some());
        // The command goes by the clock of the machine, the tokens by the test's.
        server.change_client(&client, json!({"tokens_not_before": server.app.now()})).await;
        for token in [&lone, &text(&tokens, "access_token"), &text(&tokens, "refresh_token")] {
            assert!(!server.is_active(&client, token).await);
        }
        server.redeem(&client, &code).await.assert_error(400, "invalid_grant");
        assert!(!refreshes(&server, &client, &tokens).await);
        assert_eq!(server.number("SELECT COUNT(*) FROM consents WHERE client_id = 'app'").await, 0);
        assert!(refreshes(&server, &other, &others).await, "another client's is left alone");
        // It may ask again, and what it gets then is good.
        server.advance(1);
        let again = server.tokens(&client, "ada").await;
        assert!(server.is_active(&client, &text(&again, "access_token")).await);
        assert!(server.is_active(&client, &server.client_token(&client, "read").await).await);
    }

    async fn a_new_password_with_the_box_ticked_ends_everything(kind: Kind) {
        let (server, client, tokens) = start(kind, &[]).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = browser.get("/account").await;
        assert!(page.body.contains("name=\"everywhere\" value=\"yes\" checked"), "on by default: {page:?}");
        let (told, ()) = server.told(change_password(&mut browser, &[("everywhere", "yes")])).await;
        assert_told(&told, &[
            json!({"event": "password.changed", "actor": "user", "ended": "everything"}),
            json!({"event": "sign_in.succeeded"}),
        ]);
        assert!(!refreshes(&server, &client, &tokens).await);
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
        assert_eq!(browser.signed_in_as().await.as_deref(), Some("ada"), "who changed it goes on");
        let silent = server.authorization(&client, &[("prompt", "none")]);
        browser.get(&silent).await.assert_redirect_error("consent_required");
    }

    async fn a_new_password_without_it_leaves_offline_access_only_as_the_setting_says(kind: Kind) {
        for (stays, setting) in [(true, "true"), (false, "false")] {
            let (server, client, tokens) = start(kind, &[("SESSIONS__OFFLINE_ACCESS_STAYS", setting)]).await;
            let mut browser = server.browser();
            browser.enter("ada").await;
            change_password(&mut browser, &[]).await;
            assert_eq!(refreshes(&server, &client, &tokens).await, stays, "{setting}");
            assert!(server.number("SELECT COUNT(*) FROM consents").await > 0);
        }
    }

    async fn a_sign_out_ends_offline_access_of_that_session_only_as_the_setting_says(kind: Kind) {
        for (stays, setting) in [(true, "true"), (false, "false")] {
            let (server, client, elsewhere) = start(kind, &[("SESSIONS__OFFLINE_ACCESS_STAYS", setting)]).await;
            let mut browser = server.browser();
            let tokens = browser.tokens(&client, "ada", &[]).await;
            let csrf = hidden(&browser.get("/account").await, "csrf");
            browser.post("/logout", &[("csrf", &csrf), ("decision", "sign_out")]).await;
            assert_eq!(refreshes(&server, &client, &tokens).await, stays, "{setting}");
            assert!(refreshes(&server, &client, &elsewhere).await, "another session's is left alone");
        }
    }
}
