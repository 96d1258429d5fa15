//! Nothing secret is logged, at the most talkative level, whatever goes right or wrong.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use chancery::config::LogFormat;
use chancery::telemetry::Line;
use serde_json::json;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{
    Browser, CHALLENGE, PASSWORD, Registration, TestServer, VERIFIER, hidden, on_both, query_of, text,
};

/// Where a test's log goes.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Captured {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Captured {
    /// Logs of this thread from now on, as at `log.level = "trace"`.
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        // While there is one subscriber only, tracing asks that of the thread which comes by an event first, a thread of
        // another test, which has none, whether anybody ever wants it. A second one lets it ask them all.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
        LazyLock::force(&SECOND);
        let captured = Self::default();
        let levels: Targets = "debug,chancery=trace".parse().unwrap();
        let lines =
            layer().with_writer(captured.clone()).with_ansi(false).event_format(Line(LogFormat::Text));
        let subscriber = tracing_subscriber::registry().with(levels).with(lines);
        (captured, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

const WRONG_PASSWORD: &str = "a password for another site";

/// What must not be in the log, by name.
type Secrets = Vec<(&'static str, String)>;

/// Signs in with a wrong password first, then consents; returns the code.
async fn sign_in(browser: &mut Browser<'_>, request: &str, secrets: &mut Secrets) -> String {
    let first = browser.get(request).await;
    let page = browser.follow(first).await;
    secrets.push(("csrf tag before sign-in", hidden(&page, "csrf")));
    let page = browser.sign_in(&page, "ada", WRONG_PASSWORD).await;
    let page = browser.sign_in(&page, PASSWORD, "typed into the wrong field").await;
    let answer = browser.sign_in(&page, "ada", PASSWORD).await;
    let page = browser.follow(answer).await;
    secrets.push(("csrf tag", hidden(&page, "csrf")));
    let forged = [("request", hidden(&page, "request")), ("csrf", "forged".to_owned())];
    browser.post("/consent", &forged.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let answer = browser.decide(&page, "allow").await;
    secrets.extend(browser.cookies.values().map(|value| ("cookie", value.clone())));
    query_of(answer.location(), "code").unwrap()
}

/// Every endpoint for clients, right and wrong.
async fn use_tokens(server: &TestServer, client: &Registration, code: &str, secrets: &mut Secrets) {
    server.redeem(&Registration { id: client.id.clone(), secret: "a-guessed-secret".into() }, code).await;
    let tokens = server.redeem(client, code).await.json();
    let names = ["access_token", "refresh_token", "id_token"];
    secrets.extend(names.map(|name| (name, text(&tokens, name))));
    let (access_token, refresh_token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let successor = server.refresh(client, &refresh_token).await.json();
    secrets.extend(names.map(|name| (name, text(&successor, name))));
    server.get_with_token("/userinfo", &access_token).await;
    server.get_with_token("/userinfo", &text(&tokens, "id_token")).await;
    server.get(&format!("/userinfo?access_token={access_token}")).await;
    server.post("/userinfo", &[], &[("access_token", &refresh_token)]).await;
    server.introspect(client, &access_token).await;
    server.introspect(client, &refresh_token).await;
    server.revoke(client, &access_token).await;
    server.get(&format!("/no-such-page?code={code}")).await;
    server.get(&format!("/logout?id_token_hint={}", text(&tokens, "id_token"))).await;
    server.post_as(client, &format!("/token?client_secret={}", client.secret), &[]).await;
    server.post_as(client, "/token", &[("grant_type", &client.secret)]).await;
    server.advance(31);
    server.refresh(client, &refresh_token).await.assert_error(400, "invalid_grant");
    server.redeem_with(client, code, &[("code_verifier", "x")]).await;
    server.redeem(client, code).await;
}

on_both! {
    async fn what_did_not_change_is_neither_logged_nor_audited(kind: Kind) {
        let (log, _guard) = Captured::start();
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        server.user("ada").await;
        let tokens = server.tokens(&client, "ada").await;
        let mut browser = server.browser();
        let page = browser.get("/login").await;
        let own = hidden(&page, "csrf");
        browser.post("/login", &[("csrf", &own), ("username", "ada"), ("password", PASSWORD)]).await;
        let forged = "x\n2026-11-30T00:00:00.000000Z ERROR chancery::keys: FORGED \u{1b}[31m";
        let csrf = hidden(&browser.get("/account").await, "csrf");
        let (told, ()) = server.told(async {
            browser.post("/account/apps/revoke", &[("csrf", &csrf), ("client_id", forged)]).await;
            browser.post("/account/sessions/end", &[("csrf", &csrf), ("session", forged)]).await;
        }).await;
        assert_eq!(told, Vec::<serde_json::Value>::new());
        let text = log.text();
        assert!(!text.contains("access taken back") && !text.contains("session ended from"), "{text}");
        assert!(!text.contains("\u{1b}") && !text.lines().any(|line| line.starts_with("2026-11-30T00")), "{text}");
        // A second revocation changes nothing either.
        for _ in 0..2 {
            server.revoke(&client, tokens["refresh_token"].as_str().unwrap()).await;
        }
        assert_eq!(log.text().matches("grant revoked by its client").count(), 1);
        browser.post("/account/apps/revoke", &[("csrf", &csrf), ("client_id", &client.id)]).await;
        assert_eq!(log.text().matches("access taken back").count(), 1);
    }

    async fn no_secret_is_logged(kind: Kind) {
        let (log, _guard) = Captured::start();
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let mut secrets: Secrets = vec![
            ("password", PASSWORD.to_owned()),
            ("wrong password", WRONG_PASSWORD.to_owned()),
            ("another wrong password", "typed into the wrong field".to_owned()),
            ("client secret", client.secret.clone()),
            ("wrong client secret", "a-guessed-secret".to_owned()),
            ("verifier", VERIFIER.to_owned()),
            ("challenge", CHALLENGE.to_owned()),
            ("state", "af0ifjsldkj".to_owned()),
            ("nonce", "n-0S6_WzA2Mj".to_owned()),
            ("mail address", user.email.clone().unwrap()),
            ("hash of a password", "$argon2".to_owned()),
        ];
        let mut browser = server.browser();
        let code = sign_in(&mut browser, &server.authorization(&client, &[]), &mut secrets).await;
        secrets.push(("code", code.clone()));
        use_tokens(&server, &client, &code, &mut secrets).await;
        let log = log.text();
        for expected in ["signed in", "sign-in refused", "grant approved", "request refused", "replayed", "used twice"] {
            assert!(log.contains(expected), "{expected:?} is not in the log, so this test sees nothing:\n{log}");
        }
        for (name, secret) in secrets {
            assert!(!secret.is_empty(), "{name}");
            assert!(!log.contains(&secret), "{name} is in the log:\n{log}");
        }
    }

    async fn an_event_of_a_request_says_which_request_it_was(kind: Kind) {
        let (log, _guard) = Captured::start();
        let server = TestServer::start(kind).await;
        let answer = server.post("/token", &[], &[("grant_type", "x")]).await;
        let (log, id) = (log.text(), answer.header("x-request-id"));
        let line = log.lines().find(|line| line.contains("request refused")).unwrap();
        assert!(line.contains(id) && line.contains("path=\"/token\"") && line.contains("invalid_client"), "{line}");
    }
}

#[test]
fn secrets_are_not_printed_by_debug() {
    let environment = [
        ("CHANCERY_SECRETS__MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="),
        ("CHANCERY_DATABASE__URL", "postgres://somebody:opensesame@127.0.0.1/x"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = chancery::config::Settings::load(None, environment).unwrap();
    let printed = format!("{settings:?}");
    assert!(!printed.contains("opensesame") && !printed.contains("AAAAAAAAAAE="), "{printed}");
}
