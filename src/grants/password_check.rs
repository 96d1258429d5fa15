//! Whether a password is right: the same check, the same limits and the same time for the sign-in page and the password
//! grant.

use crate::app::App;
use crate::audit::{Actor, Event, SignInProblem};
use crate::crypto::password::{LONGEST_BYTES, PasswordError};
use crate::model::{Secret, SignInGeneration, User};
use crate::observe::Login;
use crate::storage::{Credentials, StorageError};
use crate::throttle::{Attempt, Subject};

/// Bytes of a user name that are looked at; no account has a longer one.
const LONGEST_USERNAME: usize = 1024;

/// Somebody whose password was right.
#[derive(Debug)]
pub struct Recognised {
    pub user: User,
    /// What the proof counts for: it was right when it was read, and hashing takes a while.
    pub proof: SignInGeneration,
}

/// Why nobody was recognised.
#[derive(Debug)]
pub enum Unrecognised {
    /// No such user, a disabled one, or another password: nobody is told which.
    Wrong,
    /// Too many wrong ones lately, for this account or from this address.
    TooMany,
    /// Too many checks wait already.
    Busy,
    Storage(StorageError),
    Password(PasswordError),
}

impl From<StorageError> for Unrecognised {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl Unrecognised {
    fn counted(&self) -> Login {
        match self {
            Self::Wrong => Login::Wrong,
            Self::TooMany => Login::Throttled,
            Self::Busy => Login::Busy,
            Self::Storage(_) | Self::Password(_) => Login::Failed,
        }
    }
}

/// Who a user name and a password belong to. Whatever is wrong, it takes as long and says the same.
pub async fn recognise(
    app: &App,
    username: &str,
    password: &str,
    address: &str,
) -> Result<Recognised, Unrecognised> {
    let result = check(app, username, password, address).await;
    app.events.logins.one(result.as_ref().map_or_else(Unrecognised::counted, |_| Login::Success));
    result
}

async fn check(app: &App, username: &str, password: &str, address: &str) -> Result<Recognised, Unrecognised> {
    if username.len() > LONGEST_USERNAME || password.len() > LONGEST_BYTES {
        return Err(Unrecognised::Wrong);
    }
    let attempt = Attempt { subject: Subject::Account(username), address, now: app.now() };
    if !app.throttle.allows(&attempt) {
        app.note(&Actor::Unknown, Event::SignInThrottled);
        return Err(Unrecognised::TooMany);
    }
    let found = app.storage.credentials(username).await?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let user = found.as_ref().map(|found| found.user.id.clone());
    let right = match app.passwords.verify(Secret::new(password), hash).await {
        Ok(right) => right,
        Err(PasswordError::Busy) => return Err(Unrecognised::Busy),
        Err(error) => return Err(Unrecognised::Password(error)),
    };
    let reason = match found {
        Some(Credentials { user, sign_in: proof, .. }) if right && !user.disabled => {
            return Ok(Recognised { user, proof });
        }
        Some(_) if right => SignInProblem::UserDisabled,
        Some(_) => SignInProblem::WrongPassword,
        None => SignInProblem::UnknownUser,
    };
    app.throttle.failed(&attempt);
    let user = user.as_ref();
    app.note(&Actor::Unknown, Event::SignInFailed { user, reason });
    Err(Unrecognised::Wrong)
}

/// A proof that was right, and of which nothing was made, as everything of its user was ended meanwhile.
pub fn outlived(app: &App, user: &User) -> Unrecognised {
    tracing::info!(user = %user.id, "the user's sign-ins were ended while this one was under way");
    let reason = SignInProblem::EndedMeanwhile;
    app.note(&Actor::Unknown, Event::SignInFailed { user: Some(&user.id), reason });
    Unrecognised::Wrong
}
