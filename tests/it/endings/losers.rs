//! Who comes too late is told so in order: their request is in hand, and has read everything, when the ending commits.

use axum::http::StatusCode;
use chancery::model::{Noted, User};
use serde_json::{Value, json};

use super::held::Held;
use crate::device;
use crate::support::authorization::{is_consent, is_sign_in};
use crate::support::{
    Answer, ExternalUi, PASSWORD, TestServer, hidden, login_challenge, on_both, query_of, redirect_to,
};

const SIGNED_OUT: [&str; 3] = [
    "UPDATE users SET sign_in_generation = sign_in_generation + 1",
    "DELETE FROM sessions",
    "UPDATE grants SET state = 'revoked'",
];
const TAKEN_BACK: [&str; 3] = [
    "UPDATE users SET consent_generation = consent_generation + 1",
    "UPDATE grants SET state = 'revoked'",
    "DELETE FROM consents",
];

/// The answer to a request that is about to write when this ending of another process commits.
async fn too_late(
    server: &TestServer,
    user: &User,
    ending: &[&str],
    request: impl Future<Output = Answer>,
) -> Answer {
    let mut held = Held::ending(server, user).await;
    let ending = async {
        held.is_waited_for().await;
        for sql in ending {
            held.run(sql).await;
        }
        held.commit().await;
    };
    tokio::join!(request, ending).0
}

async fn sign_in_form(browser: &mut crate::support::Browser<'_>) -> [(&'static str, String); 3] {
    let page = browser.get("/login").await;
    [("csrf", hidden(&page, "csrf")), ("username", "ada".to_owned()), ("password", PASSWORD.to_owned())]
}

on_both! {
    async fn a_sign_in_that_comes_too_late_is_told_what_a_wrong_password_is_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (user, mut browser) = (server.user("ada").await, server.browser());
        let form = sign_in_form(&mut browser).await;
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = too_late(&server, &user, &SIGNED_OUT, browser.post("/login", &form)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        let wrong = [form[0], form[1], ("password", "not the password")];
        assert_eq!(browser.post("/login", &wrong).await.status, answer.status);
        assert_eq!(browser.signed_in_as().await, None);
        assert_eq!(browser.post("/login", &form).await.status, StatusCode::SEE_OTHER);
    }

    async fn a_renewed_sign_in_that_comes_too_late_leaves_nobody_signed_in(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (user, mut browser) = (server.user("ada").await, server.browser());
        browser.enter("ada").await;
        let page = browser.get("/login?account=other").await;
        let form = [("csrf", &*hidden(&page, "csrf")), ("username", "ada"), ("password", PASSWORD)];
        let answer = too_late(&server, &user, &SIGNED_OUT, browser.post("/login", &form)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        assert_eq!(browser.signed_in_as().await, None);
    }

    async fn a_silent_request_in_a_session_that_ends_needs_a_sign_in(kind: Kind) {
        for (prompt, ending) in [("none", &SIGNED_OUT), ("", &SIGNED_OUT)] {
            let server = TestServer::start(kind).await;
            let (user, client, mut browser) = (server.user("ada").await, server.client(json!({})).await, server.browser());
            browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
            let path = server.authorization(&client, &[("prompt", prompt)]);
            let answer = too_late(&server, &user, ending, browser.get(&path)).await;
            match prompt {
                "none" => answer.assert_redirect_error("login_required"),
                _ => assert!(is_sign_in(&browser.follow(answer).await)),
            }
            assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state <> 'revoked'").await, 0);
        }
    }

    async fn a_silent_request_whose_consent_is_taken_back_needs_a_new_one(kind: Kind) {
        for prompt in ["none", ""] {
            let server = TestServer::start(kind).await;
            let (user, client, mut browser) = (server.user("ada").await, server.client(json!({})).await, server.browser());
            browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
            let path = server.authorization(&client, &[("prompt", prompt)]);
            let answer = too_late(&server, &user, &TAKEN_BACK, browser.get(&path)).await;
            match prompt {
                "none" => answer.assert_redirect_error("consent_required"),
                _ => assert!(is_consent(&browser.follow(answer).await)),
            }
            assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state <> 'revoked'").await, 0);
        }
    }

    async fn a_silent_request_whose_consent_grows_meanwhile_is_answered(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (user, client, mut browser) = (server.user("ada").await, server.client(json!({})).await, server.browser());
        let path = server.authorization(&client, &[("scope", "openid")]);
        browser.authorize_as(&path, "ada").await;
        let grown = ["UPDATE consents SET scope = 'openid email'"];
        let answer = too_late(&server, &user, &grown, browser.get(&path)).await;
        assert!(query_of(answer.location(), "code").is_some(), "{answer:?}");
    }

    async fn a_silent_request_of_a_client_that_is_deleted_is_no_mistake_of_ours(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (user, client, mut browser) = (server.user("ada").await, server.client(json!({})).await, server.browser());
        browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        let path = server.authorization(&client, &[("prompt", "none")]);
        let answer = too_late(&server, &user, &["DELETE FROM clients"], browser.get(&path)).await;
        assert!(answer.status != StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
        assert_eq!(query_of(answer.location(), "code"), None);
    }

    async fn a_yes_in_a_session_that_ends_leads_to_the_sign_in_page(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (user, client, mut browser) = (server.user("ada").await, server.client(json!({})).await, server.browser());
        browser.enter("ada").await;
        let answer = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(answer).await;
        let answer = too_late(&server, &user, &SIGNED_OUT, browser.decide(&page, "allow")).await;
        assert!(is_sign_in(&browser.follow(answer).await));
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM consents").await, 0);
    }

    async fn a_yes_beside_what_is_taken_back_meanwhile_is_asked_for_again(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (user, client, mut browser) = (server.user("ada").await, server.client(json!({})).await, server.browser());
        browser.authorize_as(&server.authorization(&client, &[("scope", "openid email")]), "ada").await;
        let answer = browser.get(&server.authorization(&client, &[("scope", "openid phone")])).await;
        let page = browser.follow(answer).await;
        let answer = too_late(&server, &user, &TAKEN_BACK, browser.decide(&page, "allow")).await;
        let page = browser.follow(answer).await;
        assert!(is_consent(&page), "{page:?}");
        let answer = browser.decide(&page, "allow").await;
        assert!(query_of(answer.location(), "code").is_some(), "{answer:?}");
        assert_eq!(server.number("SELECT COUNT(*) FROM consents WHERE scope LIKE '%email%'").await, 0);
    }

    async fn a_device_in_a_session_that_ends_is_not_approved_and_can_be_decided_about_again(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let client = device::device_client(&server, json!({})).await;
        let (started, mut browser) = (device::start(&server, &client).await, server.browser());
        let code = started["user_code"].as_str().unwrap().to_owned();
        let page = device::type_code(&mut browser, "ada", &code).await;
        let answer = too_late(&server, &user, &SIGNED_OUT, device::decide(&mut browser, &page, "allow")).await;
        assert!(is_sign_in(&browser.follow(answer).await));
        device::poll(&server, &client, &started).await.assert_error(400, "authorization_pending");
        assert_eq!(device::answer(&mut browser, "ada", &started, "allow").await.status, 200);
        server.advance(60);
        assert_eq!(device::poll(&server, &client, &started).await.status, 200);
    }

    async fn a_password_grant_that_comes_too_late_is_an_invalid_grant(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__PASSWORD", "true")]).await;
        let user = server.user("ada").await;
        let client = server.client(json!({"first_party": true, "grant_types": ["password"]})).await;
        let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), ("scope", "read")];
        let answer = too_late(&server, &user, &SIGNED_OUT, server.post_as(&client, "/token", &form)).await;
        answer.assert_error(400, "invalid_grant");
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
    }

    async fn a_login_that_an_external_page_accepted_before_everything_ended_is_asked_for_again(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (user, client, mut browser) = (server.user("ada").await, server.external_client().await, server.browser());
        let ui = ExternalUi(&server);
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let accepted = ui.put("login/accept", &challenge, json!({"subject": user.id})).await;
        server.app.storage.end_sessions(Noted::nothing(), &user.id, server.app.now()).await.unwrap();
        let answer = browser.get(&redirect_to(&accepted)).await;
        let again = login_challenge(&answer);
        assert_ne!(again, challenge);
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 0);
        // The same answer again does not count for more than the first.
        ui.log_in(&mut browser, &again, json!({"subject": user.id})).await;
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 1);
    }

    async fn somebody_who_is_deleted_after_an_external_page_accepted_them_is_not_made_again(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (user, client, mut browser) = (server.user("ada").await, server.external_client().await, server.browser());
        let ui = ExternalUi(&server);
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let accepted = ui.put("login/accept", &challenge, json!({"subject": user.id})).await;
        assert!(server.app.storage.delete_user(Noted::nothing(), &user.id, server.app.now()).await.unwrap());
        let answer = browser.get(&redirect_to(&accepted)).await;
        assert_ne!(login_challenge(&answer), challenge);
        assert_eq!(server.number("SELECT COUNT(*) FROM users").await, 0);
    }

    async fn an_answer_that_is_sent_again_counts_as_of_the_first_time(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (user, client, mut browser) = (server.user("ada").await, server.external_client().await, server.browser());
        let ui = ExternalUi(&server);
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let body: Value = json!({"subject": user.id});
        ui.put("login/accept", &challenge, body.clone()).await;
        server.app.storage.end_sessions(Noted::nothing(), &user.id, server.app.now()).await.unwrap();
        let accepted = ui.put("login/accept", &challenge, body).await;
        let answer = browser.get(&redirect_to(&accepted)).await;
        assert_ne!(login_challenge(&answer), challenge);
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 0);
    }

    async fn a_consent_that_an_external_page_accepted_before_an_ending_is_asked_for_again(kind: Kind) {
        for taken_back in [true, false] {
            let server = TestServer::with_external_ui(kind, &[]).await;
            let (user, client) = (server.user("ada").await, server.external_client().await);
            let (ui, mut browser) = (ExternalUi(&server), server.browser());
            let challenge = ui.start(&mut browser, &client, &[]).await;
            let consent = ui.log_in(&mut browser, &challenge, json!({"subject": user.id})).await;
            let accepted = ui.put("consent/accept", &consent, json!({"grant_scope": ["openid"]})).await;
            let answer = match taken_back {
                true => {
                    let id = chancery::model::ClientId::new(&client.id);
                    server.app.storage.withdraw(Noted::nothing(), &user.id, &id).await.unwrap();
                    browser.get(&redirect_to(&accepted)).await
                }
                false => too_late(&server, &user, &SIGNED_OUT, browser.get(&redirect_to(&accepted))).await,
            };
            let again = login_challenge(&answer);
            assert_ne!(again, challenge);
            assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
            let stored = ui.get("login", &again).await.json();
            assert!(stored["requested_scope"].as_array().unwrap().contains(&json!("profile")), "{stored}");
        }
    }

    async fn a_password_change_in_a_session_that_ends_changes_nothing(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (user, mut browser) = (server.user("ada").await, server.browser());
        browser.enter("ada").await;
        let page = browser.get("/account").await;
        let new = "another long password";
        let form = [
            ("csrf", &*hidden(&page, "csrf")),
            ("current_password", PASSWORD),
            ("new_password", new),
            ("repeat_password", new),
        ];
        let answer = too_late(&server, &user, &["DELETE FROM sessions"], browser.post("/account/password", &form)).await;
        answer.assert_page_error(403);
        browser.cookies.clear();
        assert_eq!(browser.enter("ada").await.status, StatusCode::SEE_OTHER, "the old one is right");
    }

    async fn an_ending_waits_for_what_is_being_made_and_ends_it(kind: Kind) {
        for end_all in [true, false] {
            let server = TestServer::start(kind).await;
            let (user, client, mut browser) = (server.user("ada").await, server.client(json!({})).await, server.browser());
            browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
            let (storage, now) = (server.app.storage.clone(), server.app.now());
            let session = storage.sessions_of(&user.id, now).await.unwrap().remove(0).id;
            let mut held = Held::making(&server, &user).await;
            held.run("CREATE TEMP TABLE late AS SELECT * FROM grants").await;
            held.run("UPDATE late SET id = 'late'").await;
            held.run("INSERT INTO grants SELECT * FROM late").await;
            let ending = tokio::spawn(async move {
                match end_all {
                    true => storage.end_sessions(Noted::nothing(), &user.id, now).await.unwrap(),
                    false => assert!(storage.end_session(Noted::nothing(), &session, &user.id, now).await.unwrap()),
                }
            });
            held.is_waited_for().await;
            held.commit().await;
            ending.await.unwrap();
            assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 2);
            assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'revoked'").await, 2);
        }
    }

    async fn a_client_hears_of_the_end_of_a_session_in_which_its_grant_was_being_made(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let client = server.client(json!({})).await;
        let hears = json!({"backchannel_logout_uri": "https://app.example/logout"});
        let told = server.client(hears).await;
        let mut browser = server.browser();
        browser.authorize_as(&server.authorization(&client, &[]), "ada").await;
        let mut held = Held::making(&server, &user).await;
        held.run("CREATE TEMP TABLE late AS SELECT * FROM grants").await;
        held.run(&format!("UPDATE late SET id = 'late', client_id = '{}'", told.id)).await;
        held.run("INSERT INTO grants SELECT * FROM late").await;
        let (storage, now) = (server.app.storage.clone(), server.app.now());
        let session = storage.sessions_of(&user.id, now).await.unwrap().remove(0).id;
        let ending = tokio::spawn(async move { storage.end_session(Noted::nothing(), &session, &user.id, now).await.unwrap() });
        held.is_waited_for().await;
        held.commit().await;
        assert!(ending.await.unwrap());
        assert_eq!(server.number("SELECT COUNT(*) FROM logout_deliveries").await, 1);
    }
}
