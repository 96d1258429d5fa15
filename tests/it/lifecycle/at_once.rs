//! Many at one grant at once: nobody can say which of them comes first, but what was acknowledged holds afterwards, in
//! whatever order they came.

use std::collections::BTreeSet;

use chancery::crypto::random;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Answer, Browser, Registration, TestServer, all, hidden, query_of, text};

/// What is done at once to a grant that has a code in its past, a refresh token that was replaced, and a valid one.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    RedeemFresh,
    RedeemUsed,
    RefreshOld,
    RefreshNew,
    RevokeOld,
    RevokeNew,
    RevokeAccess,
    TakeBack,
    Purge,
    /// By another client, which must get nothing and spoil nothing.
    Foreign,
}

pub fn drawn() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::RedeemFresh),
        1 => Just(Action::RedeemUsed),
        3 => Just(Action::RefreshOld),
        6 => Just(Action::RefreshNew),
        1 => Just(Action::RevokeOld),
        1 => Just(Action::RevokeNew),
        2 => Just(Action::RevokeAccess),
        1 => Just(Action::TakeBack),
        1 => Just(Action::Purge),
        2 => Just(Action::Foreign),
    ]
}

/// Two grants of one user to one client: one with tokens, one with a code that waits.
struct Scene<'s> {
    server: &'s TestServer,
    client: Registration,
    other: Registration,
    /// Signed in, and the form token of its account page.
    browser: Browser<'s>,
    csrf: String,
    fresh_code: String,
    used_code: String,
    access_token: String,
    old: String,
    new: String,
}

impl<'s> Scene<'s> {
    async fn new(server: &'s TestServer) -> Self {
        let username = format!("ada-{}", random::id());
        server.user(&username).await;
        let (client, other) = (server.client(json!({})).await, server.client(json!({})).await);
        let mut browser = server.browser();
        let path = server.authorization(&client, &[]);
        let code = |answer: &Answer| query_of(answer.location(), "code").expect("a code");
        let used_code = code(&browser.authorize_as(&path, &username).await);
        let first = server.redeem(&client, &used_code).await.json();
        let old = text(&first, "refresh_token");
        let new = server.refresh(&client, &old).await.text("refresh_token");
        let fresh_code = code(&browser.authorize_as(&path, &username).await);
        let csrf = hidden(&browser.get("/account").await, "csrf");
        let access_token = text(&first, "access_token");
        Self { server, client, other, browser, csrf, fresh_code, used_code, access_token, old, new }
    }

    async fn act(&self, action: Action) -> Answer {
        let Self { server, client, .. } = self;
        match action {
            Action::RedeemFresh => server.redeem(client, &self.fresh_code).await,
            Action::RedeemUsed => server.redeem(client, &self.used_code).await,
            Action::RefreshOld => server.refresh(client, &self.old).await,
            Action::RefreshNew => server.refresh(client, &self.new).await,
            Action::RevokeOld => server.revoke(client, &self.old).await,
            Action::RevokeNew => server.revoke(client, &self.new).await,
            Action::RevokeAccess => server.revoke(client, &self.access_token).await,
            Action::TakeBack => self.take_back().await,
            Action::Purge => {
                server.app.storage.purge(server.app.now()).await.unwrap();
                server.get("/healthz").await
            }
            Action::Foreign => server.refresh(&self.other, &self.new).await,
        }
    }

    async fn take_back(&self) -> Answer {
        let mut browser = self.server.browser();
        browser.cookies = self.browser.cookies.clone();
        let form = [("csrf", self.csrf.as_str()), ("client_id", &self.client.id)];
        browser.post("/account/apps/revoke", &form).await
    }

    async fn is_active(&self, token: &str) -> bool {
        self.server.is_active(&self.client, token).await
    }
}

/// Does one thing, and for what takes an access token back looks whether it still counts, while the others go on.
async fn act(scene: &Scene<'_>, action: Action) -> (Action, Answer, bool) {
    let answer = scene.act(action).await;
    let ends = matches!(
        action,
        Action::RedeemUsed | Action::RevokeOld | Action::RevokeNew | Action::RevokeAccess | Action::TakeBack
    );
    let lives_on = ends && scene.is_active(&scene.access_token).await;
    (action, answer, lives_on)
}

type Done = [(Action, Answer, bool)];

fn count(done: &Done, which: impl Fn(Action, &Answer) -> bool) -> usize {
    done.iter().filter(|(action, answer, _)| which(*action, answer)).count()
}

fn must(holds: bool, promise: &str, done: &Done) -> Result<(), String> {
    let short =
        |(action, answer, lives_on): &(Action, Answer, bool)| (*action, answer.status.as_u16(), *lives_on);
    if holds { Ok(()) } else { Err(format!("{promise}: {:?}", done.iter().map(short).collect::<Vec<_>>())) }
}

pub async fn keeps_promises(server: &TestServer, actions: Vec<Action>) -> Result<(), String> {
    let scene = Scene::new(server).await;
    let done = all(actions.into_iter().map(|action| act(&scene, action)).collect()).await;
    answers_are_of_the_standard(&done)?;
    must(
        done.iter().all(|(_, _, lives_on)| !lives_on),
        "a token was good after its end was acknowledged",
        &done,
    )?;
    let redeemed = |action, answer: &Answer| matches!(action, Action::RedeemFresh) && answer.status == 200;
    must(count(&done, redeemed) <= 1, "a code is honoured once at most", &done)?;
    first_grant_is_consistent(&scene, &done).await?;
    second_grant_is_consistent(&scene, &done).await
}

fn answers_are_of_the_standard(done: &Done) -> Result<(), String> {
    let is_known = |(action, answer, _): &(Action, Answer, bool)| match action {
        Action::RedeemFresh | Action::RefreshOld | Action::RefreshNew => {
            answer.status == 200 || answer.status == 400 && answer.json()["error"] == "invalid_grant"
        }
        Action::RedeemUsed | Action::Foreign => {
            answer.status == 400 && answer.json()["error"] == "invalid_grant"
        }
        Action::RevokeOld | Action::RevokeNew | Action::RevokeAccess | Action::Purge => answer.status == 200,
        Action::TakeBack => answer.status == 303,
    };
    must(done.iter().all(is_known), "an answer that nobody expects", done)
}

/// The grant that had tokens: it is over if anybody was told so, else one family of refresh tokens lives.
async fn first_grant_is_consistent(scene: &Scene<'_>, done: &Done) -> Result<(), String> {
    let refreshes = |action| matches!(action, Action::RefreshOld | Action::RefreshNew);
    let was_ended = count(done, |action, answer| match action {
        Action::RedeemUsed | Action::RevokeOld | Action::RevokeNew | Action::TakeBack => true,
        _ => refreshes(action) && answer.status == 400,
    }) > 0;
    let issued: Vec<_> =
        done.iter().filter(|(action, answer, _)| refreshes(*action) && answer.status == 200).collect();
    let mut family: BTreeSet<String> = [scene.old.clone(), scene.new.clone()].into();
    family.extend(issued.iter().map(|(_, answer, _)| answer.text("refresh_token")));
    must(family.len() <= 3, "one token has one successor", done)?;
    let mut live = 0;
    for token in &family {
        live += usize::from(scene.is_active(token).await);
    }
    must(live == usize::from(!was_ended), "one live family, or none where the grant is over", done)?;
    for (_, answer, _) in issued {
        let is_active = scene.is_active(&answer.text("access_token")).await;
        must(is_active != was_ended, "access tokens live as long as their grant", done)?;
    }
    let alone = count(done, |action, _| matches!(action, Action::RevokeAccess)) > 0;
    let is_active = scene.is_active(&scene.access_token).await;
    must(
        is_active != (was_ended || alone),
        "the first access token lives as long as nobody took it back",
        done,
    )
}

/// The grant whose code waited.
async fn second_grant_is_consistent(scene: &Scene<'_>, done: &Done) -> Result<(), String> {
    let tried = count(done, |action, _| matches!(action, Action::RedeemFresh));
    let taken_back = count(done, |action, _| matches!(action, Action::TakeBack)) > 0;
    let won =
        done.iter().find(|(action, answer, _)| matches!(action, Action::RedeemFresh) && answer.status == 200);
    must(won.is_some() || tried == 0 || taken_back, "somebody gets the tokens of a good code", done)?;
    let Some((_, answer, _)) = won else { return Ok(()) };
    let should = tried == 1 && !taken_back;
    for name in ["access_token", "refresh_token"] {
        let is_active = scene.is_active(&answer.text(name)).await;
        must(is_active == should, "a second use of a code, and taking back, end what came of it", done)?;
    }
    Ok(())
}
