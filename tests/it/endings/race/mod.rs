//! Every ending raced with every creation (docs/endings.md): both begin within moments of each other, and when both are
//! over nothing is left of what ended. `scripts/race-endings` does the same with many more pairs.

mod cells;
mod prepare;
mod scene;

use std::time::Duration;

use axum::http::StatusCode;
pub use cells::{Creation, Ending, Meeting};
use chancery::crypto::random;
use scene::{Made, Scene};

use crate::support::{Kind, all};

/// Creations of one user that are raced with one ending, each a pair.
const AT_ONCE: usize = 4;
/// The two begin within so many microseconds of each other.
const APART: u64 = 4000;

/// What was asked for in the environment.
struct Plan {
    /// Of each cell.
    pairs: usize,
    /// Cells whose names hold this.
    only: String,
    own_process: bool,
}

impl Plan {
    fn read() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        Self {
            pairs: variable("CHANCERY_RACED_PAIRS").parse().unwrap_or(AT_ONCE),
            only: variable("CHANCERY_RACED_CELL"),
            own_process: variable("CHANCERY_RACED_PROCESSES") == "2",
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    pairs: usize,
    /// Creations that came first, or beside.
    made: usize,
    survivors: usize,
    /// Answers that call it a mistake of ours.
    mistakes: usize,
}

/// One account has few places before the threads that hash: who finds none there is told so, and makes nothing.
fn is_mistake(creation: Creation, made: &Made) -> bool {
    let hashes = matches!(creation, Creation::Session | Creation::Renewal | Creation::Password);
    let status = made.answer.status;
    status.is_server_error() && !(hashes && status == StatusCode::SERVICE_UNAVAILABLE)
}

async fn race(scene: &Scene, creation: Creation, ending: Ending, pairs: usize) -> Tally {
    let (meeting, mut tally) = (Meeting::of(creation, ending), Tally::default());
    while tally.pairs < pairs {
        let mut round = scene.round(creation, ending).await;
        let mut items = prepare::items(scene, creation, &mut round, AT_ONCE + 1).await;
        let probe = items.pop();
        let kid = match meeting {
            Meeting::OtherKey => scene.signing_kid().await,
            _ => String::new(),
        };
        let client = round.client.clone();
        let making = items.into_iter().map(async |item| {
            a_moment(hashes(creation)).await;
            scene.make(item).await
        });
        let ended = async {
            // Making takes longer than ending.
            a_moment(hashes(creation) * 3).await;
            scene.end(ending, &mut round).await
        };
        let (made, ended) = tokio::join!(all(making.collect()), ended);
        if !ended {
            assert_eq!(creation, Creation::Renewal, "{}", ending.name());
            continue;
        }
        tally.pairs += made.len();
        tally.mistakes += made.iter().filter(|made| is_mistake(creation, made)).count();
        tally.made += made.iter().filter(|made| is_made(creation, made)).count();
        tally.survivors += match meeting {
            Meeting::Dies => survivors(scene, creation, &client, &made).await,
            Meeting::OtherKey => {
                let named = |made: &&Made| signed_by(made).is_some_and(|signed| signed == kid);
                let old: Vec<_> = made.iter().filter(named).collect();
                let mut alive = 0;
                for made in old {
                    alive += usize::from(scene.lives(creation, &client, made).await);
                }
                alive
            }
            Meeting::NoMore => {
                let late = [scene.make_here(probe.expect("one more")).await];
                survivors(scene, creation, &client, &late).await
            }
            Meeting::Less => {
                let mut alive = 0;
                for made in &made {
                    alive += usize::from(scene.lives_as_before(creation, &client, made).await);
                }
                alive
            }
            Meeting::Anew | Meeting::Apart => 0,
        };
        if ending == Ending::Disabled && meeting == Meeting::Dies {
            let (storage, now) = (&scene.here.app.storage, scene.here.app.now());
            storage.set_disabled(&round.user.id, false, now).await.unwrap();
            // What rests while its user is disabled is good again afterwards.
            if !matches!(creation, Creation::Refresh | Creation::Assertion) {
                tally.survivors += survivors(scene, creation, &client, &made).await;
            }
        }
    }
    tally.survivors += usize::try_from(scene.untold().await).unwrap();
    tally
}

async fn survivors(
    scene: &Scene,
    creation: Creation,
    client: &crate::support::Registration,
    made: &[Made],
) -> usize {
    let mut alive = 0;
    for made in made {
        alive += usize::from(scene.lives(creation, client, made).await);
    }
    alive
}

fn is_made(creation: Creation, made: &Made) -> bool {
    let location = made.answer.location();
    match creation {
        Creation::Session | Creation::Renewal => made.answer.status == 303,
        Creation::ExternalLogin => location.contains("consent_challenge"),
        Creation::Form | Creation::Silent | Creation::ExternalConsent => location.contains("code="),
        Creation::Device
        | Creation::Code
        | Creation::Refresh
        | Creation::Exchange
        | Creation::Assertion
        | Creation::Password => made.answer.status == 200,
    }
}

/// The key that an access token names.
fn signed_by(made: &Made) -> Option<String> {
    if made.answer.status != 200 {
        return None;
    }
    jsonwebtoken::decode_header(made.answer.text("access_token")).ok()?.kid
}

/// Hashing makes it longer until the write.
fn hashes(creation: Creation) -> u64 {
    match creation {
        Creation::Session | Creation::Renewal | Creation::Password => 10,
        _ => 1,
    }
}

async fn a_moment(times: u64) {
    let drawn = u64::from(u16::from_le_bytes(random::bytes::<2>()));
    tokio::time::sleep(Duration::from_micros(drawn * APART * times / u64::from(u16::MAX))).await;
}

async fn race_all(kind: Kind) {
    let plan = Plan::read();
    let scene = Scene::start(kind, plan.own_process).await;
    let (mut lost, mut cells) = (Vec::new(), 0);
    for ending in Ending::ALL.iter().copied() {
        for creation in Creation::ALL.iter().copied() {
            let name = format!("{} x {}", ending.name(), creation.name());
            if !name.contains(&plan.only) {
                continue;
            }
            let tally = race(&scene, creation, ending, plan.pairs).await;
            let Tally { pairs, made, survivors, mistakes } = tally;
            println!(
                "{kind:?}: {name}: {pairs} pairs, {made} made, {survivors} survivors, {mistakes} mistakes"
            );
            cells += 1;
            if survivors + mistakes > 0 {
                lost.push(format!("{name}: {survivors} survivors and {mistakes} mistakes in {pairs} pairs"));
            }
        }
    }
    assert!(cells > 0, "no cell is called {}", plan.only);
    assert!(lost.is_empty(), "{lost:#?}");
}

#[tokio::test]
async fn nothing_outlives_any_ending_on_sqlite() {
    race_all(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_any_ending_on_postgres() {
    race_all(Kind::Postgres).await;
}
