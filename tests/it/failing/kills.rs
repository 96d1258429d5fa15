//! `kill -9` at any instant, under load: the database starts again, and keeps every promise that was acknowledged. What
//! was not acknowledged has happened once or not at all.
//!
//! `CHANCERY_TEST_KILLS` is the number of kills of each test. The consent page has `consent_kills`, the notices of
//! logouts have `logout_kills`.

use std::process::Stdio;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use chancery::crypto::master_key::MasterKey;
use serde_json::{Value, json};

use super::{ONLINE, a_while, kills};
use crate::support::{
    Answer, Browser, Database, Deployment, OPEN, Process, REDIRECT_URI, Receiver, Registration, VERIFIER,
    all, claims_of, on_both, path_of, program, query_of, text,
};

const SETTINGS: [(&str, &str); 8] = [
    OPEN,
    ("REGISTRATION__MAX_PER_ADDRESS", "100000"),
    ("REGISTRATION__MAX_IN_ALL", "100000"),
    ("REGISTRATION__MAX_CLIENTS", "100000"),
    ("TOKENS__AUTHORIZATION_CODE_SECONDS", "600"),
    ("TOKENS__REFRESH_GRACE_SECONDS", "300"),
    ("OUTBOUND__ALLOW_PRIVATE", "true"),
    ("OUTBOUND__TIMEOUT_SECONDS", "1"),
];

/// What an operation came to, as far as its client knows.
#[derive(Debug, Clone, PartialEq)]
enum Known<T> {
    NotAsked,
    /// There was no answer.
    Unknown,
    Done(T),
}

/// A code, and the access token it was redeemed for.
struct Code {
    code: String,
    redeemed: Known<String>,
}

/// A sign-in that ends.
struct Leaving<'s> {
    browser: Browser<'s>,
    tokens: Value,
    out: Known<()>,
}

impl Leaving<'_> {
    fn sid(&self) -> String {
        text(&claims_of(&text(&self.tokens, "id_token")), "sid")
    }
}

/// A chain of refreshes: what it is at, and the access tokens whose revocation was acknowledged.
struct Chain {
    last: String,
    revoked: Vec<String>,
}

/// Everything that clients remember of their answers.
struct History<'s> {
    deployment: &'s Deployment,
    leaves: Registration,
    chains: Vec<Chain>,
    codes: Vec<Code>,
    leaving: Vec<Leaving<'s>>,
    /// Whose approvals are asked for.
    approver: Browser<'s>,
    approved: Vec<String>,
    registered: Vec<Value>,
}

async fn redeem(process: &Process, client: &Registration, code: &str) -> Option<Answer> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    process.try_post(client, "/token", &form).await
}

impl<'s> History<'s> {
    async fn begin(deployment: &'s Deployment, receiver: &Receiver) -> Self {
        let pages = &deployment.pages;
        let leaves = pages.client(json!({"backchannel_logout_uri": receiver.url})).await;
        let mut chains = Vec::new();
        for _ in 0..3 {
            let last = text(&deployment.tokens().await, "refresh_token");
            chains.push(Chain { last, revoked: Vec::new() });
        }
        let mut approver = pages.browser();
        approver.authorize_as(&pages.authorization(&deployment.client, &ONLINE), "ada").await;
        let (codes, leaving, approved, registered) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { deployment, leaves, chains, codes, leaving, approver, approved, registered }
    }

    /// What the next round uses up.
    async fn stock(&mut self) {
        let pages = &self.deployment.pages;
        for _ in 0..6 {
            let path = pages.authorization(&self.deployment.client, &ONLINE);
            let code = query_of(self.approver.get(&path).await.location(), "code").unwrap();
            self.codes.push(Code { code, redeemed: Known::NotAsked });
        }
        for _ in 0..2 {
            let mut browser = pages.browser();
            let tokens = browser.tokens(&self.leaves, "ada", &ONLINE).await;
            self.leaving.push(Leaving { browser, tokens, out: Known::NotAsked });
        }
    }

    /// Every client does what it can until the process is gone.
    async fn until_killed(&mut self, process: &Arc<Process>) {
        let client = &*self.deployment.client;
        let approval = self.deployment.pages.authorization(client, &ONLINE);
        let mut work: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + '_>>> = vec![
            Box::pin(async {
                a_while(250).await;
                process.kill();
            }),
            Box::pin(redeem_all(process, client, &mut self.codes)),
            Box::pin(approve(process, &approval, &mut self.approver, &mut self.approved)),
            Box::pin(leave_all(process, &mut self.leaving)),
            Box::pin(register(process, &mut self.registered)),
        ];
        work.extend(self.chains.iter_mut().map(|chain| Box::pin(refresh(process, client, chain)) as _));
        all(work).await;
    }

    /// Holds a new process to every promise.
    async fn check(&mut self, process: &Process) {
        let client = &*self.deployment.client;
        for chain in &mut self.chains {
            for token in &chain.revoked {
                assert!(!process.is_active(client, token).await, "a revoked token came back");
            }
            // Where the next refresh was done but not answered, this one is within the grace.
            let answer = process.refresh(client, &chain.last).await;
            assert_eq!(answer.status, 200, "an acknowledged refresh was lost: {answer:?}");
            chain.last = answer.text("refresh_token");
        }
        for code in &mut self.codes {
            match &code.redeemed {
                Known::Done(token) => {
                    assert!(process.is_active(client, token).await, "a redemption was lost")
                }
                Known::Unknown => {
                    // Done and not answered: a code is not honoured twice, so whoever asks again is refused.
                    let answer = redeem(process, client, &code.code).await.unwrap();
                    if answer.status == 200 {
                        code.redeemed = Known::Done(answer.text("access_token"));
                    } else {
                        answer.assert_error(400, "invalid_grant");
                    }
                }
                Known::NotAsked => {}
            }
        }
        self.codes.retain(|code| code.redeemed != Known::Unknown);
        for code in self.approved.drain(..) {
            assert_eq!(redeem(process, client, &code).await.unwrap().status, 200, "an approval was lost");
        }
        for registered in &self.registered {
            let authorization = format!("Bearer {}", text(registered, "registration_access_token"));
            let path = path_of(&text(registered, "registration_client_uri"));
            let answer = process.get(&path, &[("authorization", &authorization)]).await;
            assert_eq!(answer.status, 200, "a registration was lost: {answer:?}");
        }
        self.check_sign_outs(process).await;
    }

    async fn check_sign_outs(&self, process: &Process) {
        let told = self.deployment.pages.app.storage.logout_deliveries(10_000).await.unwrap();
        for leaving in &self.leaving {
            let active = process.is_active(&self.leaves, &text(&leaving.tokens, "access_token")).await;
            let sid = leaving.sid();
            let is_told = told.iter().any(|delivery| delivery.session_id.as_str() == sid);
            match leaving.out {
                Known::NotAsked => assert!(active && !is_told),
                Known::Done(()) => assert!(!active && is_told, "a sign-out was lost"),
                Known::Unknown => assert_eq!(active, !is_told, "a sign-out was done by half"),
            }
        }
    }

    /// No code is honoured twice, whenever it comes.
    async fn check_codes_again(&self, process: &Process) {
        for code in &self.codes {
            let Known::Done(token) = &code.redeemed else { continue };
            let again = redeem(process, &self.deployment.client, &code.code).await.unwrap();
            again.assert_error(400, "invalid_grant");
            assert!(!process.is_active(&self.deployment.client, token).await);
        }
    }

    fn acknowledged(&self) -> [usize; 4] {
        let revoked = self.chains.iter().map(|chain| chain.revoked.len()).sum();
        let redeemed = self.codes.iter().filter(|code| matches!(code.redeemed, Known::Done(_))).count();
        let out = self.leaving.iter().filter(|leaving| leaving.out == Known::Done(())).count();
        [revoked, redeemed, out, self.registered.len()]
    }
}

async fn redeem_all(process: &Process, client: &Registration, codes: &mut [Code]) {
    for code in codes.iter_mut().filter(|code| code.redeemed == Known::NotAsked) {
        a_while(60).await;
        code.redeemed = match redeem(process, client, &code.code).await {
            Some(answer) => Known::Done(answer.text("access_token")),
            None => Known::Unknown,
        };
        if code.redeemed == Known::Unknown {
            return;
        }
    }
}

async fn approve(process: &Process, path: &str, browser: &mut Browser<'_>, approved: &mut Vec<String>) {
    while let Some(answer) = browser.try_get_from(process, path).await {
        approved.push(query_of(answer.location(), "code").unwrap_or_else(|| panic!("{answer:?}")));
    }
}

async fn leave_all(process: &Process, leaving: &mut [Leaving<'_>]) {
    for one in leaving.iter_mut().filter(|one| one.out == Known::NotAsked) {
        a_while(120).await;
        let path = format!("/logout?id_token_hint={}", text(&one.tokens, "id_token"));
        one.out = match one.browser.try_get_from(process, &path).await {
            Some(answer) => {
                assert!(answer.status == 200 || answer.status == 303, "{answer:?}");
                Known::Done(())
            }
            None => Known::Unknown,
        };
    }
}

async fn register(process: &Process, registered: &mut Vec<Value>) {
    let body = json!({"client_name": "Acme", "redirect_uris": [REDIRECT_URI]}).to_string();
    loop {
        let request = Request::post("/register").header(header::CONTENT_TYPE, "application/json");
        let Some(answer) = process.try_send(request.body(Body::from(body.clone())).unwrap()).await else {
            return;
        };
        assert_eq!(answer.status, 201, "{answer:?}");
        registered.push(answer.json());
    }
}

/// Refreshes, and revokes each access token it gets, until there is no answer.
async fn refresh(process: &Process, client: &Registration, chain: &mut Chain) {
    while let Some(answer) = process.try_refresh(client, &chain.last).await {
        assert_eq!(answer.status, 200, "{answer:?}");
        chain.last = answer.text("refresh_token");
        let access_token = answer.text("access_token");
        let Some(answer) = process.try_post(client, "/revoke", &[("token", &access_token)]).await else {
            return;
        };
        assert_eq!(answer.status, 200);
        chain.revoked.push(access_token);
    }
}

on_both! {
    async fn what_was_acknowledged_outlives_kills_at_any_instant(kind: Kind) {
        let (deployment, receiver) = (Deployment::prepare_with(kind, &SETTINGS).await, Receiver::start().await);
        let mut history = History::begin(&deployment, &receiver).await;
        let start = async || Arc::new(Process::start(&deployment.pages.environment).await);
        for _ in 0..kills() {
            history.stock().await;
            let process = start().await;
            history.check(&process).await;
            history.until_killed(&process).await;
        }
        let process = start().await;
        history.check(&process).await;
        history.check_codes_again(&process).await;
        let acknowledged = history.acknowledged();
        assert!(acknowledged.iter().filter(|count| **count > 0).count() >= 3, "too idle to show a thing: {acknowledged:?}");
    }

    async fn a_rotation_of_keys_that_is_killed_leaves_keys_that_sign(kind: Kind) {
        let deployment = Deployment::prepare(kind).await;
        let (environment, client) = (&deployment.pages.environment, &deployment.client);
        let form = [("grant_type", "client_credentials")];
        let before = deployment.pages.post_as(client, "/token", &form).await.text("access_token");
        for _ in 0..kills() * 2 {
            let mut rotation = program(environment, &["keys", "rotate", "--now"]);
            let mut rotation = rotation.stdout(Stdio::null()).spawn().unwrap();
            a_while(400).await;
            rotation.kill().unwrap();
            rotation.wait().unwrap();
        }
        let process = Process::start(environment).await;
        assert!(process.is_active(client, &before).await);
        let after = process.post(client, "/token", &form).await.text("access_token");
        assert!(process.is_active(client, &after).await);
        let kid = jsonwebtoken::decode_header(&after).unwrap().kid.unwrap();
        assert!(process.get("/jwks", &[]).await.body.contains(&kid));
    }

    async fn a_first_start_that_is_killed_is_made_good_by_the_next(kind: Kind) {
        let (database, key) = (Database::empty(kind).await, MasterKey::generate());
        let environment = [("DATABASE__URL", database.url.as_str()), ("SECRETS__MASTER_KEY", key.expose())];
        let environment = environment.map(|(name, value)| (format!("CHANCERY_{name}"), value.to_owned()));
        for _ in 0..kills() * 2 {
            let mut first = program(&environment, &["serve"]);
            first.env("CHANCERY_SERVER__LISTEN", "127.0.0.1:0").stderr(Stdio::null());
            let mut first = first.spawn().unwrap();
            a_while(500).await;
            first.kill().unwrap();
            first.wait().unwrap();
        }
        let process = Process::start(&environment).await;
        assert_eq!(process.get("/readyz", &[]).await.status, 200);
        // One of each algorithm, and the one to encrypt to.
        assert_eq!(process.get("/jwks", &[]).await.json()["keys"].as_array().unwrap().len(), 4);
    }
}
