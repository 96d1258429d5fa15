//! Passwords that people choose: Argon2id (RFC 9106) on a few dedicated threads.
//!
//! Each thread owns its memory and uses it again, and the queue before them is bounded: two hundred logins at once
//! cost the memory of the threads and no more, token requests never wait behind a hash, and what does not fit in the
//! queue is refused at once instead of piling up. Nobody has more of its places than their share (`places.rs`).

mod costs;
mod places;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{Argon2, Block, Params, PasswordHash};
use precis_core::profile::Rules as _;
use precis_profiles::OpaqueString;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::oneshot;

use super::{digest, random};
use crate::model::{Secret, text};
use crate::observe::{self, WAITS, span};
use costs::Costs;
use places::Places;
pub(crate) use places::{Entry, Place};

/// Characters a new password has at least (NIST SP 800-63B 5.1.1.2).
pub(crate) const SHORTEST_CHARACTERS: usize = 8;
/// Bytes it has at most: longer ones only cost time to hash.
pub(crate) const LONGEST_BYTES: usize = 1024;
/// Places for operators, beside those that are shared.
const OPERATORS: usize = 64;

/// Why a new password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnacceptablePassword {
    #[error("use at least {SHORTEST_CHARACTERS} characters")]
    TooShort,
    #[error("use at most {LONGEST_BYTES} bytes")]
    TooLong,
    #[error("use letters, digits, signs and spaces: it holds something that cannot be seen (RFC 8265 4.2)")]
    Unseen,
}

/// The one form of a password that keyboards write in several: with the spaces of ASCII, composed (RFC 8265 4.2.2).
fn prepared(password: &Secret) -> Secret {
    let profile = OpaqueString::default();
    let spaced = profile.additional_mapping_rule(password.expose());
    match spaced.and_then(|spaced| profile.normalization_rule(spaced)) {
        Ok(prepared) => Secret::new(prepared),
        Err(_) => password.clone(),
    }
}

/// The one rule for passwords that people choose: length. What else is demanded makes them worse. What cannot be seen could
/// not be typed again.
pub(crate) fn check_new(password: &Secret) -> Result<(), UnacceptablePassword> {
    let prepared = prepared(password);
    let text = prepared.expose();
    if text::check_characters(text).is_err() {
        return Err(UnacceptablePassword::Unseen);
    }
    if text.chars().count() < SHORTEST_CHARACTERS {
        return Err(UnacceptablePassword::TooShort);
    }
    if text.len() > LONGEST_BYTES { Err(UnacceptablePassword::TooLong) } else { Ok(()) }
}

/// The cost of one hash, and how many may run and wait at once.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    pub threads: usize,
    pub queue: usize,
}

/// Hashes and verifies passwords off the async threads.
#[derive(Clone)]
pub struct PasswordHasher {
    jobs: mpsc::SyncSender<Job>,
    line: Arc<Line>,
    places: Places,
    costs: Costs,
}

/// The line before the threads.
pub struct Line {
    waiting: AtomicI64,
    refused: AtomicU64,
    /// Seconds from asking until a thread began.
    pub waits: Histogram,
    /// Seconds that a hash took.
    pub hashes: Histogram,
}

impl Default for Line {
    fn default() -> Self {
        let histogram = || Histogram::new(WAITS);
        Self { waiting: 0.into(), refused: 0.into(), waits: histogram(), hashes: histogram() }
    }
}

impl Line {
    pub fn waiting(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Why no answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many are waiting already, of all or of this asker: try again in a moment.
    #[error("too many sign-ins at once")]
    Busy,
    #[error("the stored password hash or the hashing cost is not usable")]
    Unusable,
}

struct Job {
    work: Work,
    asked: Instant,
    answer: oneshot::Sender<Result<Done, PasswordError>>,
    /// Whoever asked may go, and come again: the place is theirs until the thread is done.
    place: Place,
}

/// What a password is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    Hash(&'a str),
    /// There is none for this name: time is spent as if there were, and the answer is no.
    Nothing(&'a str),
}

enum Work {
    Hash(Secret),
    /// The same password as behind this hash, which keeps its salt.
    Renew(Secret, String),
    /// Whether one of the forms is right.
    Verify(Vec<Secret>, String),
    Spend(Vec<Secret>, Params),
}

enum Done {
    Hashed(String),
    Verified(bool),
}

impl PasswordHasher {
    /// Starts the threads. They end when the last clone is dropped.
    ///
    /// # Errors
    /// [`PasswordError::Unusable`] when Argon2 refuses the cost or a thread cannot be started.
    pub fn start(cost: Cost) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None)
            .map_err(|_| PasswordError::Unusable)?;
        let threads = cost.threads.max(1);
        // Those in hand have places too. No place is ever refused by the channel; operators have some more.
        let places = Places::new(cost.queue.max(1) + threads);
        let (jobs, queue) = mpsc::sync_channel(cost.queue.max(1) + threads + OPERATORS);
        let costs = Costs::new(params);
        let (queue, line) = (Arc::new(Mutex::new(queue)), Arc::<Line>::default());
        for number in 0..threads {
            let (queue, line, params) = (Arc::clone(&queue), Arc::clone(&line), costs.current.clone());
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || Worker::new(params).run(&queue, &line))
                .map_err(|_| PasswordError::Unusable)?;
        }
        Ok(Self { jobs, line, places, costs })
    }

    /// A place in the line for somebody who is not known yet, at this network, with what they typed.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when all are taken, or theirs.
    pub fn enter(&self, network: &str, typed: &str) -> Result<Entry, PasswordError> {
        self.places.enter(network, typed).ok_or_else(|| self.busy())
    }

    /// The place of somebody who is known now: who they are as far as can be told, and the account.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when those of the account are taken.
    pub fn place(&self, entry: Entry, one: &str, account: &str) -> Result<Place, PasswordError> {
        entry.known(one, account).ok_or_else(|| self.busy())
    }

    fn busy(&self) -> PasswordError {
        self.line.refused.fetch_add(1, Ordering::Relaxed);
        PasswordError::Busy
    }

    /// A place for an operator, and for what is bounded otherwise.
    pub fn operators_place(&self) -> Place {
        Place::uncounted()
    }

    /// A PHC string for a new password that an operator gives.
    pub async fn hash(&self, password: Secret) -> Result<String, PasswordError> {
        self.hash_at(&self.operators_place(), password).await
    }

    /// A PHC string for a new password.
    pub async fn hash_at(&self, place: &Place, password: Secret) -> Result<String, PasswordError> {
        hashed(self.submit(place, Work::Hash(prepared(&password))).await?)
    }

    /// A PHC string for the password behind this one, at the cost of today.
    pub async fn renew(&self, place: &Place, password: Secret, old: &str) -> Result<String, PasswordError> {
        hashed(self.submit(place, Work::Renew(prepared(&password), old.to_owned())).await?)
    }

    /// Whether `password` is the right one.
    pub async fn verify(
        &self,
        place: &Place,
        password: Secret,
        against: Against<'_>,
    ) -> Result<bool, PasswordError> {
        let mut forms = vec![prepared(&password)];
        // Hashes from before passwords were prepared are of what was typed.
        if forms[0] != password {
            forms.push(password);
        }
        let work = match against {
            Against::Hash(hash) => Work::Verify(forms, hash.to_owned()),
            Against::Nothing(name) => Work::Spend(forms, self.costs.instead(name)),
        };
        match self.submit(place, work).await? {
            Done::Verified(right) => Ok(right),
            Done::Hashed(_) => Err(PasswordError::Unusable),
        }
    }

    /// Whether a hash would be made otherwise today.
    pub fn is_outdated(&self, hash: &str) -> bool {
        self.costs.is_outdated(hash)
    }

    /// Takes note of what the stored hashes cost, of which these are some: as much is spent where there is none.
    pub fn learn_costs<'h>(&self, hashes: impl Iterator<Item = &'h str>) {
        self.costs.learn(hashes);
    }

    async fn submit(&self, place: &Place, work: Work) -> Result<Done, PasswordError> {
        let (answer, reply) = oneshot::channel();
        let _span = span::work("hash password", "Argon2id");
        let asked = Instant::now();
        self.line.waiting.fetch_add(1, Ordering::Relaxed);
        if self.jobs.try_send(Job { work, asked, answer, place: place.clone() }).is_err() {
            self.line.waiting.fetch_sub(1, Ordering::Relaxed);
            self.line.refused.fetch_add(1, Ordering::Relaxed);
            return Err(PasswordError::Busy);
        }
        let done = reply.await;
        observe::hashed(asked.elapsed());
        done.map_err(|_| PasswordError::Unusable)?
    }

    /// The line before the threads.
    pub fn line(&self) -> &Line {
        &self.line
    }
}

fn hashed(done: Done) -> Result<String, PasswordError> {
    match done {
        Done::Hashed(hash) => Ok(hash),
        Done::Verified(_) => Err(PasswordError::Unusable),
    }
}

/// The salt of a hash. It changes with the password, and stays when the hash is renewed.
pub(crate) fn salt_of(hash: &str) -> Option<String> {
    PasswordHash::new(hash).ok()?.salt.map(|salt| salt.to_string())
}

/// One thread's state: the cost of new hashes, and the memory it hashes in.
struct Worker {
    params: Params,
    memory: Vec<Block>,
}

impl Worker {
    fn new(params: Params) -> Self {
        Self { params, memory: Vec::new() }
    }

    fn run(mut self, queue: &Mutex<mpsc::Receiver<Job>>, line: &Line) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = next else { return };
            line.waiting.fetch_sub(1, Ordering::Relaxed);
            // The asker may have gone: don't spend 20 ms on nobody.
            if !job.answer.is_closed() {
                let began = Instant::now();
                line.waits.observe(began.duration_since(job.asked).as_secs_f64());
                let done = self.perform(job.work);
                line.hashes.observe(began.elapsed().as_secs_f64());
                // First: whoever has the answer may come again at once.
                drop(job.place);
                let _ = job.answer.send(done);
            }
        }
    }

    fn perform(&mut self, work: Work) -> Result<Done, PasswordError> {
        match work {
            Work::Hash(password) => self.hash(&password).map(Done::Hashed),
            Work::Renew(password, old) => self.renew(&password, &old).map(Done::Hashed),
            Work::Verify(forms, hash) => self.verify_one_of(&forms, &hash).map(Done::Verified),
            Work::Spend(forms, params) => {
                forms.iter().try_for_each(|password| self.spend(password, &params))?;
                Ok(Done::Verified(false))
            }
        }
    }

    fn verify_one_of(&mut self, forms: &[Secret], hash: &str) -> Result<bool, PasswordError> {
        for password in forms {
            if self.verify(password, hash)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn hash(&mut self, password: &Secret) -> Result<String, PasswordError> {
        let salt = Salt::new(&random::bytes::<16>()).map_err(|_| PasswordError::Unusable)?;
        self.hash_with(password, salt)
    }

    fn renew(&mut self, password: &Secret, old: &str) -> Result<String, PasswordError> {
        let old = PasswordHash::new(old).map_err(|_| PasswordError::Unusable)?;
        self.hash_with(password, old.salt.ok_or(PasswordError::Unusable)?)
    }

    fn spend(&mut self, password: &Secret, params: &Params) -> Result<(), PasswordError> {
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        self.fill(params, password, &random::bytes::<16>(), &mut output)
    }

    fn hash_with(&mut self, password: &Secret, salt: Salt) -> Result<String, PasswordError> {
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        let params = self.params.clone();
        self.fill(&params, password, &salt, &mut output)?;
        let phc = PasswordHash {
            algorithm: argon2::ARGON2ID_IDENT,
            version: Some(argon2::Version::default().into()),
            params: ParamsString::try_from(&params).map_err(|_| PasswordError::Unusable)?,
            salt: Some(salt),
            hash: Some(Output::new(&output).map_err(|_| PasswordError::Unusable)?),
        };
        Ok(phc.to_string())
    }

    fn verify(&mut self, password: &Secret, hash: &str) -> Result<bool, PasswordError> {
        let phc = PasswordHash::new(hash).map_err(|_| PasswordError::Unusable)?;
        let params = Params::try_from(&phc).map_err(|_| PasswordError::Unusable)?;
        let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else { return Err(PasswordError::Unusable) };
        if phc.algorithm != argon2::ARGON2ID_IDENT {
            return Err(PasswordError::Unusable);
        }
        let mut output = vec![0; expected.len()];
        self.fill(&params, password, &salt, &mut output)?;
        Ok(digest::equal(&output, expected.as_bytes()))
    }

    fn fill(
        &mut self,
        params: &Params,
        password: &Secret,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), PasswordError> {
        if self.memory.len() < params.block_count() {
            self.memory.resize(params.block_count(), Block::default());
        }
        Argon2::from(params)
            .hash_password_into_with_memory(password.expose().as_bytes(), salt, output, &mut self.memory)
            .map_err(|_| PasswordError::Unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::{Against, Cost, Done, PasswordError, PasswordHasher, Work, salt_of};
    use crate::model::Secret;

    fn hasher(queue: usize) -> PasswordHasher {
        let cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1, threads: 1, queue };
        PasswordHasher::start(cost).unwrap()
    }

    async fn verify(
        hasher: &PasswordHasher,
        text: &str,
        against: Against<'_>,
    ) -> Result<bool, PasswordError> {
        hasher.verify(&hasher.operators_place(), Secret::new(text), against).await
    }

    #[test]
    fn a_new_password_has_a_shortest_and_a_longest_length() {
        use super::{LONGEST_BYTES, UnacceptablePassword, check_new};
        assert_eq!(check_new(&Secret::new("1234567")), Err(UnacceptablePassword::TooShort));
        assert_eq!(check_new(&Secret::new("ääääääää")), Ok(()));
        assert_eq!(check_new(&Secret::new("x".repeat(LONGEST_BYTES))), Ok(()));
        assert_eq!(
            check_new(&Secret::new("x".repeat(LONGEST_BYTES + 1))),
            Err(UnacceptablePassword::TooLong)
        );
    }

    #[tokio::test]
    async fn the_right_password_is_told_from_a_wrong_one_and_from_none() {
        let hasher = hasher(8);
        let hash = hasher.hash(Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(verify(&hasher, "correct horse", Against::Hash(&hash)).await, Ok(true));
        assert_eq!(verify(&hasher, "wrong horse", Against::Hash(&hash)).await, Ok(false));
        assert_eq!(verify(&hasher, "correct horse", Against::Nothing("eve")).await, Ok(false));
    }

    #[tokio::test]
    async fn a_renewed_hash_has_the_cost_of_today_and_the_salt_from_before() {
        let old = hasher(1).hash(Secret::new("x")).await.unwrap();
        let cost = Cost { memory_kib: 128, iterations: 1, parallelism: 1, threads: 1, queue: 1 };
        let today = PasswordHasher::start(cost).unwrap();
        assert!(today.is_outdated(&old));
        let new = today.renew(&today.operators_place(), Secret::new("x"), &old).await.unwrap();
        assert!(new.starts_with("$argon2id$v=19$m=128,t=1,p=1$") && !today.is_outdated(&new), "{new}");
        assert_eq!(salt_of(&new), salt_of(&old));
        assert!(salt_of(&new).is_some_and(|salt| !salt.is_empty()));
        assert_eq!(verify(&today, "x", Against::Hash(&new)).await, Ok(true));
    }

    #[test]
    fn a_new_password_holds_nothing_that_cannot_be_typed_again() {
        use super::{UnacceptablePassword, check_new};
        for fine in [
            "löffel und gäbel 9",
            "lo\u{308}ffel und gabel",
            "пароль と 🦄 ❤\u{fe0f}",
            "ＡＢＣ\u{3000}ａｂｃ９",
        ] {
            assert_eq!(check_new(&Secret::new(fine)), Ok(()), "{fine}");
        }
        for unseen in
            ["correct\u{200b}horse", "correct\u{7}horse", "correct\u{202e}horse", "correct\u{e000}horse"]
        {
            assert_eq!(check_new(&Secret::new(unseen)), Err(UnacceptablePassword::Unseen));
        }
        // Seven, however they are written.
        let seven = Secret::new("a\u{308}".repeat(7));
        assert_eq!(check_new(&seven), Err(UnacceptablePassword::TooShort));
    }

    #[tokio::test]
    async fn a_password_is_the_same_in_every_form_that_keyboards_write() {
        let hasher = hasher(8);
        let hash = hasher.hash(Secret::new("lo\u{308}ffel und ga\u{308}bel")).await.unwrap();
        for same in ["löffel und gäbel", "lo\u{308}ffel und gäbel", "löffel\u{a0}und\u{3000}gäbel"] {
            assert_eq!(verify(&hasher, same, Against::Hash(&hash)).await, Ok(true), "{same}");
        }
        for other in ["loffel und gabel", "Löffel und gäbel", "löffel  und gäbel", "löffelundgäbel"] {
            assert_eq!(verify(&hasher, other, Against::Hash(&hash)).await, Ok(false), "{other}");
        }
    }

    #[tokio::test]
    async fn a_hash_of_what_was_typed_before_passwords_were_prepared_still_verifies() {
        let (hasher, typed) = (hasher(8), "lo\u{308}ffel\u{a0}und gabel");
        let Ok(Done::Hashed(hash)) =
            hasher.submit(&hasher.operators_place(), Work::Hash(Secret::new(typed))).await
        else {
            panic!()
        };
        assert_eq!(verify(&hasher, typed, Against::Hash(&hash)).await, Ok(true));
        assert_eq!(verify(&hasher, "löffel und gabel", Against::Hash(&hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn a_hash_made_at_another_cost_still_verifies() {
        let small = hasher(1).hash(Secret::new("x")).await.unwrap();
        let large = PasswordHasher::start(Cost {
            memory_kib: 256,
            iterations: 2,
            parallelism: 1,
            threads: 1,
            queue: 1,
        });
        assert_eq!(verify(&large.unwrap(), "x", Against::Hash(&small)).await, Ok(true));
    }

    #[tokio::test]
    async fn a_hash_of_another_kind_is_unusable_and_not_a_wrong_password() {
        let answer = verify(&hasher(1), "x", Against::Hash("$2b$10$abc")).await;
        assert_eq!(answer, Err(PasswordError::Unusable));
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_are_refused_at_once() {
        let cost = Cost { memory_kib: 19_456, iterations: 2, parallelism: 1, threads: 1, queue: 2 };
        let hasher = PasswordHasher::start(cost).unwrap();
        let waiting: Vec<_> = (0..12)
            .map(|number| {
                let hasher = hasher.clone();
                tokio::spawn(async move {
                    let who = number.to_string();
                    let place = hasher.place(hasher.enter(&who, &who)?, &who, &who)?;
                    hasher.hash_at(&place, Secret::new("x")).await
                })
            })
            .collect();
        let mut refused = 0;
        for one in waiting {
            refused += usize::from(matches!(one.await.unwrap(), Err(PasswordError::Busy)));
        }
        assert!(refused >= 8, "{refused} of 12 refused");
    }
}
