//! `kill -9` while clients are told of logouts: what was acknowledged to the browser reaches them, after a restart if need
//! be, until they acknowledge it; and nobody is told of a session that lives.

use std::collections::HashSet;
use std::time::Duration;

use chancery::model::{DeliveryState, LogoutDelivery};
use serde_json::json;

use super::database::soon;
use super::{ONLINE, a_while, kills};
use crate::support::{
    Browser, Deployment, Kind, Process, Receiver, Registration, all, claims_of, on_both, text,
};

const SETTINGS: [(&str, &str); 2] = [("OUTBOUND__ALLOW_PRIVATE", "true"), ("OUTBOUND__TIMEOUT_SECONDS", "1")];
/// Most of an attempt is waiting for this answer.
const ANSWER: Duration = Duration::from_millis(300);

/// Somebody who is signed in at the client.
struct Visitor<'s> {
    browser: Browser<'s>,
    id_token: String,
    access_token: String,
}

impl Visitor<'_> {
    fn sid(&self) -> String {
        text(&claims_of(&self.id_token), "sid")
    }

    /// Signs out. Whether it was acknowledged.
    async fn leave(&mut self, process: &Process) -> bool {
        a_while(500).await;
        let path = format!("/logout?id_token_hint={}", self.id_token);
        let answer = self.browser.try_get_from(process, &path).await;
        answer.inspect(|answer| assert!(answer.status == 200 || answer.status == 303, "{answer:?}")).is_some()
    }
}

/// A client that is told of logouts.
struct World {
    deployment: Deployment,
    receiver: Receiver,
    client: Registration,
}

impl World {
    async fn new(kind: Kind) -> Self {
        let (deployment, receiver) =
            (Deployment::prepare_with(kind, &SETTINGS).await, Receiver::start().await);
        receiver.delay(ANSWER);
        let client = deployment.pages.client(json!({"backchannel_logout_uri": receiver.url})).await;
        Self { deployment, receiver, client }
    }

    async fn visitor(&self) -> Visitor<'_> {
        let mut browser = self.deployment.pages.browser();
        let tokens = browser.tokens(&self.client, "ada", &ONLINE).await;
        Visitor { browser, id_token: text(&tokens, "id_token"), access_token: text(&tokens, "access_token") }
    }

    async fn start(&self) -> Process {
        Process::start(&self.deployment.pages.environment).await
    }

    /// The sessions that the client was told of so far.
    fn told(&self) -> HashSet<String> {
        self.receiver.logout_tokens().iter().map(|token| text(&claims_of(token), "sid")).collect()
    }

    async fn deliveries(&self) -> Vec<LogoutDelivery> {
        self.deployment.pages.app.storage.logout_deliveries(10_000).await.unwrap()
    }

    /// The pause before the next attempt is over.
    async fn let_pauses_pass(&self) {
        let pages = &self.deployment.pages;
        pages.sql("UPDATE logout_deliveries SET due_at = due_at - 100000 WHERE state = 'waiting'").await;
    }
}

/// Kills it at the moment that is worst, or at any.
async fn kill(process: &Process, receiver: &Receiver, in_an_attempt: bool) {
    let before = receiver.received().len();
    match in_an_attempt {
        // It was told, and cannot have answered yet.
        true => soon("an attempt begins", async || receiver.received().len() > before).await,
        false => a_while(1800).await,
    }
    process.kill();
}

/// Holds a new process to what was acknowledged.
async fn check(world: &World, process: &Process, left: &[(bool, Visitor<'_>)]) {
    soon("all are told", async || {
        let deliveries = world.deliveries().await;
        deliveries.iter().all(|delivery| matches!(delivery.state, DeliveryState::Delivered { .. }))
    })
    .await;
    let told = world.told();
    for (acknowledged, visitor) in left {
        let active = process.is_active(&world.client, &visitor.access_token).await;
        let told = told.contains(&visitor.sid());
        assert!(told || !acknowledged, "a logout was lost");
        assert_eq!(active, !told, "done by half");
    }
}

on_both! {
    async fn a_notice_of_a_logout_that_is_killed_on_its_way_is_sent_again_until_it_is_acknowledged(kind: Kind) {
        let world = World::new(kind).await;
        let (mut staying, mut attempts) = (Vec::new(), 0);
        for round in 0..kills() {
            staying.push(world.visitor().await);
            let mut leaving = Vec::new();
            for _ in 0..3 {
                leaving.push(world.visitor().await);
            }
            let process = world.start().await;
            let mut work: Vec<std::pin::Pin<Box<dyn Future<Output = bool> + '_>>> = Vec::new();
            work.extend(leaving.iter_mut().map(|one| Box::pin(one.leave(&process)) as _));
            work.push(Box::pin(async {
                kill(&process, &world.receiver, round % 2 == 0).await;
                true
            }));
            let acknowledged = all(work).await;
            world.let_pauses_pass().await;
            let process = world.start().await;
            let left: Vec<_> = acknowledged.into_iter().zip(leaving).collect();
            check(&world, &process, &left).await;
            for one in &staying {
                assert!(!world.told().contains(&one.sid()), "told of a session that lives");
                assert!(process.is_active(&world.client, &one.access_token).await);
            }
            attempts = world.deliveries().await.iter().map(|delivery| delivery.attempts).fold(attempts, u32::max);
        }
        assert!(attempts > 1, "no attempt was killed");
        // What was acknowledged is not sent again, however long it is there.
        world.deployment.pages.sql("UPDATE logout_deliveries SET due_at = due_at - 3600").await;
        let before = world.receiver.received().len();
        let _process = world.start().await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(world.receiver.received().len(), before);
    }
}
