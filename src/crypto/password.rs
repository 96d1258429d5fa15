//! Passwords that people choose: Argon2id (RFC 9106) on a few dedicated threads.
//!
//! Each thread owns its memory and uses it again, and the queue before them is bounded: two hundred logins at once
//! cost the memory of the threads and no more, token requests never wait behind a hash, and what does not fit in the
//! queue is refused at once instead of piling up. Nobody has more of its places than their share (`places.rs`).

mod choice;
mod costs;
mod line;
mod places;
mod worker;

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Instant;

use argon2::{Params, PasswordHash};
use tokio::sync::oneshot;

use crate::model::Secret;
use crate::observe::{self, span};
use choice::prepared;
pub(crate) use choice::{LONGEST_BYTES, SHORTEST_CHARACTERS, UnacceptablePassword, check_new};
use costs::Costs;
pub(crate) use line::Line;
use places::Places;
pub(crate) use places::{Entry, Place};
pub(crate) use worker::PasswordError;
use worker::{Done, Job, Work, Worker};

/// Places for operators, beside those that are shared.
const OPERATORS: usize = 64;

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

/// What a password is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    Hash(&'a str),
    /// There is none for this name: time is spent as if there were, and the answer is no.
    Nothing(&'a str),
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
        self.line.refuse();
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
        self.line.join();
        if self.jobs.try_send(Job { work, asked, answer, place: place.clone() }).is_err() {
            self.line.leave();
            self.line.refuse();
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
