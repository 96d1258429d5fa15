//! One thread that hashes: what it is asked for, one after another, with memory of its own.

use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{Argon2, Block, Params, PasswordHash};
use tokio::sync::oneshot;

use super::line::Line;
use super::places::Place;
use crate::crypto::{digest, random};
use crate::model::Secret;

/// Why no answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many are waiting already, of all or of this asker: try again in a moment.
    #[error("too many sign-ins at once")]
    Busy,
    #[error("the stored password hash or the hashing cost is not usable")]
    Unusable,
}

pub(super) struct Job {
    pub work: Work,
    pub asked: Instant,
    pub answer: oneshot::Sender<Result<Done, PasswordError>>,
    /// Whoever asked may go, and come again: the place is theirs until the thread is done.
    pub place: Place,
}

pub(super) enum Work {
    Hash(Secret),
    /// The same password as behind this hash, which keeps its salt.
    Renew(Secret, String),
    /// Whether one of the forms is right.
    Verify(Vec<Secret>, String),
    Spend(Vec<Secret>, Params),
}

pub(super) enum Done {
    Hashed(String),
    Verified(bool),
}

/// One thread's state: the cost of new hashes, and the memory it hashes in.
pub(super) struct Worker {
    params: Params,
    memory: Vec<Block>,
}

impl Worker {
    pub(super) fn new(params: Params) -> Self {
        Self { params, memory: Vec::new() }
    }

    pub(super) fn run(mut self, queue: &Mutex<mpsc::Receiver<Job>>, line: &Line) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = next else { return };
            line.leave();
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
