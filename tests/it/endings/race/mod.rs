//! Every ending raced with every creation (docs/endings.md): both begin within moments of each other, and when both are
//! over nothing is left of what ended. `scripts/race-endings` does the same with many more pairs.

mod cells;
mod prepare;
mod scene;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
pub use cells::{Creation, Ending, Meeting};
use chancery::crypto::random;
use chancery::model::Noted;
use scene::{Made, Scene};

use crate::support::{Kind, Registration, all};

/// Creations of one user that are raced with one ending, each a pair.
const AT_ONCE: usize = 4;
/// As many where there are many pairs to do and none of them checks a password or a user code: an account has few tries at
/// once.
const MANY_AT_ONCE: usize = 16;
/// As many where there is one round at a time: fewer than the grants with refresh tokens that a user may have.
const MOST_AT_ONCE: usize = 40;
/// As many rounds at the same time, each of another user and another client.
const ROUNDS: usize = 6;
/// Pairs of a cell in which nothing is judged, however many were asked for.
const UNJUDGED: usize = 64;
/// What is made begins within so many microseconds.
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

    fn pairs(&self, cell: Cell) -> usize {
        if cell.meeting().is_judged() { self.pairs } else { self.pairs.min(UNJUDGED) }
    }

    /// Without a process of its own the clock is moved for each round.
    fn rounds(&self, cell: Cell) -> usize {
        // There is one key that signs, for all of them.
        if self.own_process && cell.ending != Ending::KeyWithdrawn { ROUNDS } else { 1 }
    }

    fn at_once(&self, cell: Cell) -> usize {
        match (self.own_process && !cell.is_tried(), self.rounds(cell)) {
            (true, 1) => MOST_AT_ONCE,
            (true, _) => MANY_AT_ONCE,
            (false, _) => AT_ONCE,
        }
    }
}

/// An ending and a creation.
#[derive(Debug, Clone, Copy)]
struct Cell {
    ending: Ending,
    creation: Creation,
}

impl Cell {
    fn all() -> impl Iterator<Item = Self> {
        let of = |ending: &Ending| {
            let ending = *ending;
            Creation::ALL.iter().map(move |creation| Self { ending, creation: *creation })
        };
        Ending::ALL.iter().flat_map(of)
    }

    fn name(self) -> String {
        format!("{} x {}", self.ending.name(), self.creation.name())
    }

    fn meeting(self) -> Meeting {
        Meeting::of(self.creation, self.ending)
    }

    fn hashes(self) -> bool {
        matches!(self.creation, Creation::Session | Creation::Renewal | Creation::Password)
    }

    /// Whether an account has few tries at once.
    fn is_tried(self) -> bool {
        self.hashes() || self.creation == Creation::Device
    }

    /// How much longer it takes until the write where a password is hashed.
    fn slowness(self) -> u64 {
        if self.hashes() { 10 } else { 1 }
    }
}

/// How long the ending waits at most, in microseconds. What is made takes as long as the machine is busy, and an ending
/// that always comes first, or last, shows nothing: each round moves it to where it comes in between.
struct Delay(AtomicU64);

impl Delay {
    /// Making takes longer than ending.
    fn at_first(cell: Cell) -> Self {
        Self(AtomicU64::new(APART * cell.slowness() * 3))
    }

    fn learn(&self, raced: &Tally) {
        let most = self.0.load(Ordering::Relaxed);
        let next = if raced.made * 2 < raced.pairs { most * 5 / 4 } else { most * 4 / 5 };
        self.0.store(next.clamp(APART / 8, APART * 250), Ordering::Relaxed);
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

impl Tally {
    fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.made += other.made;
        self.survivors += other.survivors;
        self.mistakes += other.mistakes;
    }
}

/// One account has few places before the threads that hash: who finds none there is told so, and makes nothing.
fn is_mistake(cell: Cell, made: &Made) -> bool {
    let status = made.answer.status;
    status.is_server_error() && !(cell.hashes() && status == StatusCode::SERVICE_UNAVAILABLE)
}

/// So many pairs of a cell, several rounds of them at the same time.
async fn race(scene: &Arc<Scene>, cell: Cell, plan: &Plan) -> Tally {
    let (pairs, at_once) = (plan.pairs(cell), plan.at_once(cell));
    let (begun, delay) = (Arc::new(AtomicUsize::new(0)), Arc::new(Delay::at_first(cell)));
    let rounds = (0..plan.rounds(cell)).map(|_| {
        let (scene, begun, delay) = (Arc::clone(scene), Arc::clone(&begun), Arc::clone(&delay));
        tokio::spawn(async move {
            let mut tally = Tally::default();
            while begun.fetch_add(at_once, Ordering::Relaxed) < pairs {
                let raced = race_once(&scene, cell, at_once, &delay).await;
                delay.learn(&raced);
                begun.fetch_sub(at_once - raced.pairs, Ordering::Relaxed);
                tally.add(&raced);
            }
            tally
        })
    });
    let mut tally = Tally::default();
    for round in rounds.collect::<Vec<_>>() {
        tally.add(&round.await.unwrap());
    }
    tally.survivors += usize::try_from(scene.untold().await).unwrap();
    tally
}

/// One user with everything that is made of theirs beside one ending. No pairs where the ending was not taken.
async fn race_once(scene: &Scene, cell: Cell, at_once: usize, delay: &Delay) -> Tally {
    let (Cell { ending, creation }, meeting) = (cell, cell.meeting());
    let mut round = scene.round(creation, ending).await;
    let mut items = prepare::items(scene, creation, &mut round, at_once + 1).await;
    let probe = items.pop();
    let client = round.client.clone();
    let making = items.into_iter().map(async |item| {
        a_moment(APART * cell.slowness()).await;
        scene.make(item).await
    });
    let ended = async {
        a_moment(delay.0.load(Ordering::Relaxed)).await;
        scene.end(ending, &mut round).await
    };
    let (made, ended) = tokio::join!(all(making.collect()), ended);
    if !ended {
        assert_eq!(creation, Creation::Renewal, "{}", ending.name());
        return Tally::default();
    }
    let mut alive = match meeting {
        Meeting::Dies => survivors(scene, creation, &client, &made).await,
        Meeting::OtherKey => {
            // The other process may go on with a key that was withdrawn, until it hears of it.
            let kid = scene.signing_kid().await;
            let old = |made: &Made| signed_by(made).is_some_and(|signed| signed != kid);
            let made: Vec<_> = made.iter().filter(|made| old(made)).collect();
            survivors(scene, creation, &client, made).await
        }
        Meeting::NoMore => {
            let late = scene.make_here(probe.expect("one more")).await;
            survivors(scene, creation, &client, [&late]).await
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
        storage.set_disabled(Noted::nothing(), &round.user.id, false, now).await.unwrap();
        // What rests while its user is disabled is good again afterwards.
        if !matches!(creation, Creation::Refresh | Creation::Assertion) {
            alive += survivors(scene, creation, &client, &made).await;
        }
    }
    Tally {
        pairs: made.len(),
        made: made.iter().filter(|made| is_made(creation, made)).count(),
        survivors: alive,
        mistakes: made.iter().filter(|made| is_mistake(cell, made)).count(),
    }
}

async fn survivors<'m>(
    scene: &Scene,
    creation: Creation,
    client: &Registration,
    made: impl IntoIterator<Item = &'m Made>,
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

/// So many microseconds at most.
async fn a_moment(most: u64) {
    let drawn = u64::from(u16::from_le_bytes(random::bytes::<2>()));
    tokio::time::sleep(Duration::from_micros(drawn * most / u64::from(u16::MAX))).await;
}

async fn race_all(kind: Kind) {
    let plan = Plan::read();
    let cells: Vec<_> = Cell::all().filter(|cell| cell.name().contains(&plan.only)).collect();
    assert!(!cells.is_empty(), "no cell is called {}", plan.only);
    let (mut lost, mut all, begun) = (Vec::new(), Tally::default(), Instant::now());
    // What thousands of pairs have left behind makes the next ones slower: each ending has a database of its own then.
    let of_one_scene = |one: &Cell, other: &Cell| !plan.own_process || one.ending == other.ending;
    for cells in cells.chunk_by(of_one_scene) {
        let scene = Arc::new(Scene::start(kind, plan.own_process).await);
        for cell in cells {
            let started = Instant::now();
            let tally = race(&scene, *cell, &plan).await;
            let (name, per_second) = (cell.name(), rate(&tally, started));
            let Tally { pairs, made, survivors, mistakes } = tally;
            let judged = if cell.meeting().is_judged() { "" } else { ", nothing is judged" };
            println!(
                "{kind:?}: {name}: {pairs} pairs, {made} made, {survivors} survivors, {mistakes} mistakes\
                 {judged}; {per_second} pairs a second"
            );
            if survivors + mistakes > 0 {
                lost.push(format!("{name}: {survivors} survivors and {mistakes} mistakes in {pairs} pairs"));
            }
            all.add(&tally);
        }
    }
    let per_second = rate(&all, begun);
    println!("{kind:?}: {} cells, {} pairs, {per_second} pairs a second", cells.len(), all.pairs);
    assert!(lost.is_empty(), "{lost:#?}");
}

fn rate(tally: &Tally, since: Instant) -> u128 {
    tally.pairs as u128 * 1000 / since.elapsed().as_millis().max(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_any_ending_on_sqlite() {
    race_all(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_any_ending_on_postgres() {
    race_all(Kind::Postgres).await;
}
