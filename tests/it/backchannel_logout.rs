//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): who is told, what, and what when they don't listen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::grants::logout_delivery::Dispatcher;
use chancery::model::{ClientId, DeliveryState, LogoutDelivery, Noted, SessionId, UserId};
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, Kind, PASSWORD, Process, Receiver, Registration, START, TestServer, all, claims_of,
    hidden, names, on_both, output, program, query_of, text,
};

const LOCAL: [(&str, &str); 2] = [("OUTBOUND__ALLOW_PRIVATE", "true"), ("OUTBOUND__TIMEOUT_SECONDS", "1")];
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A server, a user, and a client that wants to be told.
struct Place {
    server: TestServer,
    receiver: Receiver,
    client: Registration,
}

impl Place {
    async fn new(kind: Kind) -> Self {
        Self::with(kind, &[]).await
    }

    async fn with(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let server = TestServer::start_with(kind, &[&LOCAL[..], settings].concat()).await;
        server.user("ada").await;
        let receiver = Receiver::start().await;
        let client = server.client(json!({"backchannel_logout_uri": receiver.url})).await;
        Self { server, receiver, client }
    }

    /// Delivers all that is due.
    async fn deliver(&self) -> usize {
        deliver(&self.server).await
    }

    async fn deliveries(&self) -> Vec<LogoutDelivery> {
        self.server.app.storage.logout_deliveries(100).await.unwrap()
    }

    /// Somebody signs in for the client, and out again.
    async fn sign_in_and_out(&self) -> Value {
        let mut browser = self.server.browser();
        let tokens = browser.tokens(&self.client, "ada", &[]).await;
        sign_out(&mut browser).await;
        tokens
    }
}

async fn deliver(server: &TestServer) -> usize {
    let mut dispatcher = Dispatcher::default();
    let set_out = dispatcher.round(&server.app).await.unwrap();
    dispatcher.rest().await;
    set_out
}

async fn sign_out(browser: &mut Browser<'_>) -> Answer {
    let csrf = hidden(&browser.get("/logout").await, "csrf");
    browser.post("/logout", &[("csrf", &csrf), ("decision", "sign_out")]).await
}

fn sid(tokens: &Value) -> String {
    text(&claims_of(&text(tokens, "id_token")), "sid")
}

on_both! {
    /// oidcc-backchannel-rp-initiated-logout
    async fn the_logout_token_says_whose_session_has_ended_and_nothing_else(kind: Kind) {
        let place = Place::new(kind).await;
        let bye = "https://app.example/bye";
        place.server.change_client(&place.client, json!({"post_logout_redirect_uris": [bye]})).await;
        let mut browser = place.server.browser();
        let tokens = browser.tokens(&place.client, "ada", &[]).await;
        let id_token = text(&tokens, "id_token");
        place.server.advance(7);
        let form = [("id_token_hint", &*id_token), ("post_logout_redirect_uri", bye)];
        let answer = browser.get(&format!("/logout?{}", crate::support::encode(&form))).await;
        assert_eq!(answer.location(), bye);
        assert_eq!(place.deliver().await, 1);
        let [(head, body)] = &place.receiver.received()[..] else { panic!("not one") };
        assert!(head.starts_with("post /logout?x=1 http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
        assert!(body.starts_with("logout_token=") && !body.contains('&'), "{body}");
        let (header, claims) = place.server.verified(&place.receiver.logout_tokens()[0]).await;
        assert_eq!(header["typ"], "logout+jwt");
        assert_eq!(names(&claims), ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]);
        let id_claims = claims_of(&id_token);
        for member in ["iss", "sub", "aud", "sid"] {
            assert_eq!(claims[member], id_claims[member], "{member}");
        }
        assert_eq!(claims["iat"], START.plus(7).unix());
        assert_eq!(claims["exp"], START.plus(127).unix());
        assert_eq!(claims["events"], json!({EVENT: {}}));
        assert_eq!(place.deliveries().await[0].state, DeliveryState::Delivered { at: START.plus(7) });
        assert_eq!(place.deliver().await, 0, "told once");
    }

    async fn a_logout_token_is_no_hint_and_no_bearer_token(kind: Kind) {
        let place = Place::new(kind).await;
        place.sign_in_and_out().await;
        place.deliver().await;
        let token = &place.receiver.logout_tokens()[0];
        let mut browser = place.server.browser();
        browser.enter("ada").await;
        let page = browser.get(&format!("/logout?id_token_hint={token}")).await;
        assert!(page.body.contains("name=\"decision\""), "{page:?}");
        assert_eq!(place.server.get_with_token("/userinfo", token).await.status, 401);
        assert_eq!(place.server.introspect(&place.client, token).await.json(), json!({"active": false}));
    }

    async fn a_logout_token_is_signed_as_the_clients_id_tokens_are(kind: Kind) {
        let place = Place::new(kind).await;
        place.server.change_client(&place.client, json!({"id_token_signed_response_alg": "EdDSA"})).await;
        place.sign_in_and_out().await;
        place.deliver().await;
        let (header, _) = place.server.verified(&place.receiver.logout_tokens()[0]).await;
        assert_eq!(header["alg"], "EdDSA");
    }

    async fn every_client_of_the_session_that_asked_for_it_is_told_and_no_other(kind: Kind) {
        let place = Place::new(kind).await;
        let (second, other) = (Receiver::start().await, Receiver::start().await);
        let client = |uri: &str| place.server.client(json!({"backchannel_logout_uri": uri}));
        let (second_client, other_client) = (client(&second.url).await, client(&other.url).await);
        let silent = place.server.client(json!({})).await;
        let mut browser = place.server.browser();
        let first = browser.tokens(&place.client, "ada", &[]).await;
        // More than one grant is one word all the same, and so is access for offline use, or taken back.
        browser.tokens(&place.client, "ada", &[("scope", "openid")]).await;
        let tokens = browser.tokens(&second_client, "ada", &[]).await;
        place.server.revoke(&second_client, &text(&tokens, "refresh_token")).await;
        browser.tokens(&silent, "ada", &[]).await;
        // Another browser of the same user.
        place.server.tokens(&other_client, "ada").await;
        sign_out(&mut browser).await;
        assert_eq!(place.deliver().await, 2);
        for receiver in [&place.receiver, &second] {
            let [token] = &receiver.logout_tokens()[..] else { panic!("not one") };
            assert_eq!(claims_of(token)["sid"], sid(&first));
        }
        assert!(other.received().is_empty());
    }

    async fn a_client_is_told_however_the_session_ends(kind: Kind) {
        let place = Place::with(kind, &[("SESSIONS__EXPIRY_SIGNS_OUT", "true")]).await;
        let server = &place.server;
        for way in ["sign-out", "other device", "password", "one account", "all accounts",
            "set-password", "disable", "operator", "delete", "expiry"]
        {
            let user = server.user(way).await;
            let mut browser = server.browser();
            let online = browser.tokens(&place.client, way, &[("scope", "openid")]).await;
            let offline = browser.tokens(&place.client, way, &[]).await;
            let before = place.receiver.logout_tokens().len();
            end(server, way, &user.id, &mut browser).await;
            assert_eq!(place.deliver().await, 1, "{way}");
            let told = claims_of(&place.receiver.logout_tokens()[before]);
            assert_eq!((&told["sid"], &told["sub"]), (&json!(sid(&online)), &json!(user.id)), "{way}");
            // Access for offline use stays, unless its user is gone.
            let active = async |tokens: &Value, name| {
                server.introspect(&place.client, &text(tokens, name)).await.json()["active"].clone()
            };
            assert_eq!(active(&online, "access_token").await, false, "{way}");
            let stays = !["disable", "delete"].contains(&way);
            assert_eq!(active(&offline, "refresh_token").await, stays, "{way}");
            assert_eq!(place.deliver().await, 0, "{way}");
        }
    }

    async fn a_sign_in_that_merely_expires_tells_nobody(kind: Kind) {
        let place = Place::new(kind).await;
        place.server.tokens(&place.client, "ada").await;
        place.server.advance(15 * 86_400);
        place.server.app.storage.purge(place.server.app.now()).await.unwrap();
        assert_eq!(place.deliveries().await, []);
    }

    async fn a_sign_in_for_one_request_only_ends_no_access_when_it_expires(kind: Kind) {
        let place = Place::with(kind, &[("SESSIONS__EXPIRY_SIGNS_OUT", "true")]).await;
        place.server.tokens(&place.client, "ada").await;
        place.server.sql("UPDATE sessions SET request_id = 'some'").await;
        place.server.advance(15 * 86_400);
        assert_eq!(place.server.app.storage.end_expired_sessions(place.server.app.now()).await.unwrap(), 0);
    }

    async fn a_client_is_told_long_after_its_access_has_ended(kind: Kind) {
        let place = Place::new(kind).await;
        let silent = place.server.client(json!({})).await;
        let mut browser = place.server.browser();
        for _ in 0..3 {
            browser.tokens(&place.client, "ada", &[("scope", "openid")]).await;
            browser.tokens(&silent, "ada", &[("scope", "openid")]).await;
            place.server.advance(5);
        }
        for _ in 0..3 {
            place.server.advance(2 * 86_400);
            browser.get("/account").await;
            place.server.app.storage.purge(place.server.app.now()).await.unwrap();
        }
        // The last of each session and client that is told is enough to know it by.
        assert_eq!(place.server.number("SELECT COUNT(*) FROM grants").await, 1);
        sign_out(&mut browser).await;
        assert_eq!(place.deliver().await, 1);
        // What was passed while it was needed is looked at again within the hour.
        place.server.advance(3600);
        place.server.app.storage.purge(place.server.app.now()).await.unwrap();
        assert_eq!(place.server.number("SELECT COUNT(*) FROM grants").await, 0);
    }

    async fn a_code_that_was_not_redeemed_ends_with_the_session(kind: Kind) {
        let place = Place::new(kind).await;
        let mut browser = place.server.browser();
        let answer = browser.authorize_as(&place.server.authorization(&place.client, &[]), "ada").await;
        sign_out(&mut browser).await;
        let code = query_of(answer.location(), "code").unwrap();
        place.server.redeem(&place.client, &code).await.assert_error(400, "invalid_grant");
    }

    async fn a_failed_attempt_is_made_again_after_growing_pauses_and_then_given_up(kind: Kind) {
        let place = Place::new(kind).await;
        place.receiver.answer("503 Service Unavailable");
        place.sign_in_and_out().await;
        assert_eq!(place.deliver().await, 1);
        let mut attempts = 1;
        for pause in [15, 60, 300, 900, 3600, 10_800, 21_600] {
            let [delivery] = &place.deliveries().await[..] else { panic!("not one") };
            assert_eq!(delivery.state, DeliveryState::Waiting { due_at: place.server.app.now().plus(pause) });
            assert_eq!(delivery.problem.as_deref(), Some("it answered 503 Service Unavailable"));
            place.server.advance(pause - 1);
            assert_eq!(place.deliver().await, 0);
            place.server.advance(1);
            assert_eq!(place.deliver().await, 1);
            attempts += 1;
        }
        assert_eq!((attempts, place.receiver.received().len()), (8, 8));
        let [delivery] = &place.deliveries().await[..] else { panic!("not one") };
        assert_eq!((delivery.attempts, delivery.state.as_str()), (8, "given_up"));
        let mut seen: Vec<_> =
            place.receiver.logout_tokens().iter().map(|token| text(&claims_of(token), "jti")).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 8, "each attempt has a jti of its own");
        // What is over is kept a day, and no longer.
        for (seconds, kept) in [(86_399, 1), (1, 0)] {
            place.server.advance(seconds);
            place.server.app.storage.purge(place.server.app.now()).await.unwrap();
            assert_eq!(place.deliveries().await.len(), kept);
        }
    }

    async fn an_attempt_succeeds_with_200_or_204_and_is_final_with_400(kind: Kind) {
        let place = Place::new(kind).await;
        for (status, state) in [
            ("200 OK", "delivered"),
            ("204 No Content", "delivered"),
            ("400 Bad Request", "given_up"),
            ("401 Unauthorized", "waiting"),
            ("302 Found", "waiting"),
            ("201 Created", "waiting"),
            ("504 Gateway Timeout", "waiting"),
        ] {
            place.receiver.answer(status);
            let sid = sid(&place.sign_in_and_out().await);
            place.deliver().await;
            let deliveries = place.deliveries().await;
            let delivery = deliveries.iter().find(|delivery| delivery.session_id.as_str() == sid).unwrap();
            assert_eq!(delivery.state.as_str(), state, "{status}");
        }
    }

    async fn forty_at_once_deliver_once(kind: Kind) {
        let place = Place::new(kind).await;
        place.sign_in_and_out().await;
        let replicas = [place.server.replica().await, place.server.replica().await];
        let servers = [&place.server, &replicas[0], &replicas[1]];
        let work = (0..40).map(|number| deliver(servers[number % 3])).collect();
        let set_out: usize = all(work).await.into_iter().sum();
        assert_eq!((set_out, place.receiver.received().len()), (1, 1));
    }

    async fn of_forty_claims_one_wins(kind: Kind) {
        let place = Place::new(kind).await;
        place.sign_in_and_out().await;
        let storage = &place.server.app.storage;
        let delivery = Arc::new(place.deliveries().await.remove(0));
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let (storage, delivery) = (storage.clone(), Arc::clone(&delivery));
                tokio::spawn(async move { storage.claim_logout(&delivery, START, START.plus(9)).await.unwrap() })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += usize::from(task.await.unwrap());
        }
        assert_eq!(won, 1);
    }

    async fn a_delivery_of_a_process_that_died_is_taken_over(kind: Kind) {
        let place = Place::new(kind).await;
        place.receiver.delay(Duration::from_secs(60));
        place.sign_in_and_out().await;
        let mut dispatcher = Dispatcher::default();
        assert_eq!(dispatcher.round(&place.server.app).await.unwrap(), 1);
        // The process ends in the middle of it.
        drop(dispatcher);
        place.receiver.delay(Duration::ZERO);
        let replica = place.server.replica().await;
        assert_eq!(deliver(&replica).await, 0);
        place.server.advance(60);
        assert_eq!(deliver(&replica).await, 1);
        assert_eq!(place.deliveries().await[0].state.as_str(), "delivered");
    }

    async fn a_client_that_stalls_delays_neither_users_nor_other_clients(kind: Kind) {
        let place = Place::with(kind, &[("OUTBOUND__TIMEOUT_SECONDS", "3")]).await;
        let stalling = Receiver::start().await;
        stalling.delay(Duration::from_secs(600));
        let uri = stalling.url.replace("127.0.0.1", "localhost");
        let stalled = place.server.client(json!({"backchannel_logout_uri": uri})).await;
        let mut dispatcher = Dispatcher::default();
        let begin = Instant::now();
        for _ in 0..12 {
            let mut browser = place.server.browser();
            browser.tokens(&stalled, "ada", &[]).await;
            sign_out(&mut browser).await;
            dispatcher.round(&place.server.app).await.unwrap();
        }
        place.sign_in_and_out().await;
        dispatcher.round(&place.server.app).await.unwrap();
        while place.receiver.received().is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(20), "the other client waits");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let attempts = place.server.number("SELECT CAST(SUM(attempts) AS BIGINT) FROM logout_deliveries").await;
        assert!(attempts <= 10, "{attempts}: those that would have to wait are left for later");
        dispatcher.rest().await;
        let waiting = place.server.number("SELECT COUNT(*) FROM logout_deliveries WHERE state = 'waiting'");
        assert_eq!(waiting.await, 12);
    }

    async fn an_internal_address_is_not_reached(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let receiver = Receiver::start().await;
        let port = receiver.url.split([':', '/']).nth(4).unwrap().to_owned();
        for uri in [receiver.url.clone(), format!("https://localhost:{port}/"), format!("https://127.0.0.1:{port}/")] {
            let client = server.client(json!({"backchannel_logout_uri": uri})).await;
            let mut browser = server.browser();
            browser.tokens(&client, "ada", &[]).await;
            sign_out(&mut browser).await;
        }
        assert_eq!(deliver(&server).await, 3);
        assert!(receiver.received().is_empty());
        let waiting = server.number("SELECT COUNT(*) FROM logout_deliveries WHERE state = 'waiting'").await;
        assert_eq!(waiting, 3);
    }

    async fn a_client_that_is_deleted_or_has_no_uri_any_more_is_not_told(kind: Kind) {
        let place = Place::new(kind).await;
        place.sign_in_and_out().await;
        place.server.change_client(&place.client, json!({"backchannel_logout_uri": null})).await;
        place.deliver().await;
        assert_eq!(place.deliveries().await[0].state.as_str(), "given_up");
        place.server.app.storage.delete_client(Noted::nothing(), &ClientId::new(&place.client.id)).await.unwrap();
        assert_eq!(place.deliveries().await, []);
        assert!(place.receiver.received().is_empty());
    }

    async fn a_sign_out_is_delivered_by_the_running_server_and_shown_to_the_operator(kind: Kind) {
        let place = Place::new(kind).await;
        let real = chancery::clock::Clock::System.now().since(START);
        place.server.advance(real);
        place.server.tokens(&place.client, "ada").await;
        let process = Process::start(&place.server.environment).await;
        let run = async |line: &[&str]| {
            let output = output(program(&place.server.environment, line)).await;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        run(&["user", "sign-out", "ada"]).await;
        let begin = Instant::now();
        while place.deliveries().await[0].state.as_str() != "delivered" {
            assert!(begin.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(place.receiver.received().len(), 1);
        drop(process);
        let listed: Value =
            serde_json::from_str(&run(&["logout-deliveries", "list", "--json"]).await).unwrap();
        assert_eq!(listed[0]["client_id"], place.client.id);
        assert_eq!((&listed[0]["state"], &listed[0]["attempts"]), (&json!("delivered"), &json!(1)));
        let table = run(&["logout-deliveries", "list"]).await;
        assert!(table.contains("delivered") && table.contains(&place.client.id), "{table}");
    }
}

/// Ends the session of the browser in one of the ways there are.
async fn end(server: &TestServer, way: &str, user: &UserId, browser: &mut Browser<'_>) {
    let storage = &server.app.storage;
    match way {
        "sign-out" => drop(sign_out(browser).await),
        "other device" => {
            let sessions = storage.sessions_of(user, server.app.now()).await.unwrap();
            let [session] = &sessions[..] else { panic!("not one") };
            let mut other = server.browser();
            other.enter(way).await;
            let csrf = hidden(&other.get("/account").await, "csrf");
            let form = [("csrf", &*csrf), ("session", session.id.as_str())];
            assert_eq!(other.post("/account/sessions/end", &form).await.status, 303);
        }
        "password" => {
            let csrf = hidden(&browser.get("/account").await, "csrf");
            let new = "an entirely new password";
            let form = [
                ("csrf", &*csrf),
                ("current_password", PASSWORD),
                ("new_password", new),
                ("repeat_password", new),
            ];
            assert_eq!(browser.post("/account/password", &form).await.status, 303);
        }
        "one account" => {
            let page = browser.get("/select_account").await;
            let session = hidden(&page, "session");
            let form = [("csrf", &*hidden(&page, "csrf")), ("session", &session), ("decision", "sign_out")];
            assert_eq!(browser.post("/select_account", &form).await.status, 303);
        }
        "all accounts" => {
            let page = browser.get("/select_account").await;
            let form = [("csrf", &*hidden(&page, "csrf")), ("decision", "sign_out_all")];
            assert_eq!(browser.post("/select_account", &form).await.status, 303);
        }
        "set-password" => {
            assert!(storage.set_password(Noted::nothing(), user, "hash", server.app.now()).await.unwrap())
        }
        "disable" => {
            assert!(storage.set_disabled(Noted::nothing(), user, true, server.app.now()).await.unwrap())
        }
        "operator" => storage.end_sessions(Noted::nothing(), user, server.app.now()).await.unwrap(),
        "delete" => assert!(storage.delete_user(Noted::nothing(), user, server.app.now()).await.unwrap()),
        "expiry" => {
            let id = SessionId::new(only_session(server, user).await);
            let (mut session, _, salt) = storage.sessions(&[id]).await.unwrap().pop().unwrap();
            session.expires_at = server.app.now();
            let proof = storage.standing(user).await.unwrap().unwrap().sign_in;
            assert!(storage.renew_session(Noted::nothing(), &session, &salt, proof).await.unwrap());
            assert_eq!(storage.end_expired_sessions(server.app.now()).await.unwrap(), 1);
        }
        _ => panic!("{way}"),
    }
}

async fn only_session(server: &TestServer, user: &UserId) -> String {
    let sessions = server.app.storage.sessions_of(user, server.app.now()).await.unwrap();
    assert_eq!(sessions.len(), 1);
    sessions[0].id.as_str().to_owned()
}
