//! Whether a password is right: the same check, the same limits and the same time for the sign-in page and the password
//! grant.

use super::password_renewal;
use crate::app::App;
use crate::audit::{Actor, Event, SignInProblem};
use crate::crypto::known_browser::KnownBrowser;
use crate::crypto::password::{self, Against, LONGEST_BYTES, PasswordError, Place};
use crate::model::{NetworkAddress, Secret, SignInGeneration, User, UserId};
use crate::observe::Login;
use crate::storage::{Credentials, StorageError, Tried};
use crate::tries::{self, Try, Wait};

/// Bytes of a user name that are looked at; no account has a longer one.
const LONGEST_USERNAME: usize = 1024;

/// What somebody typed, and where.
pub(crate) struct Typed<'a> {
    pub username: &'a str,
    pub password: &'a str,
    pub address: NetworkAddress,
    /// What the browser brought that says who has signed in there before.
    pub browser: Option<&'a KnownBrowser>,
}

/// Somebody whose password was right.
#[derive(Debug)]
pub(crate) struct Recognised {
    pub user: User,
    /// What the proof counts for: it was right when it was read, and hashing takes a while.
    pub proof: SignInGeneration,
    /// Changes with the password: a browser is known for as long as it is the same.
    pub known_since: String,
}

/// Why nobody was recognised.
#[derive(Debug)]
pub(crate) enum Unrecognised {
    /// No such user, a disabled one, or another password: nobody is told which.
    Wrong,
    /// Too many wrong ones lately, for this account or from this address.
    TooMany(Wait),
    /// Too many checks wait already, of all, of this account or of this address.
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
            Self::TooMany(_) => Login::Throttled,
            Self::Busy => Login::Busy,
            Self::Storage(_) | Self::Password(_) => Login::Failed,
        }
    }
}

impl From<PasswordError> for Unrecognised {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            PasswordError::Unusable => Self::Password(error),
        }
    }
}

/// Who a user name and a password belong to. Whatever is wrong, it takes as long and says the same.
pub(crate) async fn recognise(app: &App, typed: &Typed<'_>) -> Result<Recognised, Unrecognised> {
    let result = check(app, typed).await;
    app.events.logins.one(result.as_ref().map_or_else(Unrecognised::counted, |_| Login::Success));
    result
}

async fn check(app: &App, typed: &Typed<'_>) -> Result<Recognised, Unrecognised> {
    if typed.username.len() > LONGEST_USERNAME || typed.password.len() > LONGEST_BYTES {
        return Err(Unrecognised::Wrong);
    }
    let network = tries::network(&app.master_key, typed.address);
    let browser = typed.browser.map_or("", KnownBrowser::id);
    let nobody = tries::nobody(&app.master_key, typed.username);
    // Before the read: of those that read together one may count afterwards.
    let entry = app.passwords.enter(&network, &format!("{nobody} {browser}"))?;
    let found = app.storage.credentials_and_tries(typed.username, (&network, browser), app.now()).await?;
    let (attempt, tried) = attempt(app, typed, &network, found.as_ref(), &nobody);
    let found = found.map(|found| found.credentials);
    let account = found.as_ref().map_or(nobody.as_str(), |found| found.user.id.as_str());
    let place = app.passwords.place(entry, attempt.one(), account)?;
    let attempt = reserve(app, attempt, tried, &place, found.as_ref().map(|found| &found.user.id)).await?;
    let hash = found.as_ref().and_then(|found| found.password_hash.as_deref());
    let against = hash.map_or(Against::Nothing(&nobody), Against::Hash);
    let right = app.passwords.verify(&place, Secret::new(typed.password), against).await?;
    let reason = match &found {
        Some(found) if right && !found.user.disabled => None,
        Some(_) if right => Some(SignInProblem::UserDisabled),
        Some(_) => Some(SignInProblem::WrongPassword),
        None => Some(SignInProblem::UnknownUser),
    };
    match (reason, found) {
        (None, Some(Credentials { user, password_hash: Some(hash), sign_in: proof })) => {
            attempt.was_theirs().await?;
            let known_since = known_since(&hash, proof).unwrap_or_default();
            password_renewal::begin(app, &user.id, typed.password, hash);
            Ok(Recognised { user, proof, known_since })
        }
        (reason, found) => {
            attempt.was_wrong().await?;
            let (user, reason) =
                (found.map(|found| found.user.id), reason.unwrap_or(SignInProblem::UnknownUser));
            app.note(&Actor::Unknown, Event::SignInFailed { user: user.as_ref(), reason });
            Err(Unrecognised::Wrong)
        }
    }
}

/// What this try counts under, and whether anything was wrong lately that makes it count before it is checked. Of a name
/// that nobody has that is not known.
fn attempt<'a>(
    app: &'a App,
    typed: &Typed<'_>,
    network: &str,
    found: Option<&Tried>,
    nobody: &str,
) -> (Try<'a>, bool) {
    let Some(Tried { credentials, by_strangers, here }) = found else {
        return (Try::password(app, nobody, network), true);
    };
    let Credentials { user, password_hash, sign_in } = credentials;
    let since = password_hash.as_deref().and_then(|hash| known_since(hash, *sign_in));
    let knows = |browser: &&KnownBrowser| {
        since.as_ref().is_some_and(|since| browser.knows(&app.master_key, &user.id, since))
    };
    match typed.browser.filter(knows) {
        Some(browser) => (Try::password_in(app, browser, &user.id), *here),
        None => (Try::password(app, user.id.as_str(), network), *by_strangers),
    }
}

/// Since when browsers are known to a user: it changes with their password, and when all their sign-ins are ended.
pub(crate) fn known_since(hash: &str, sign_in: SignInGeneration) -> Option<String> {
    Some(format!("{}.{}", password::salt_of(hash)?, sign_in.number()))
}

/// Counts a try before it is checked, where anything was wrong lately or another one of the account is being checked here.
/// Else it counts afterwards if it is wrong: a sign-in at which nothing is wrong writes nothing for it.
async fn reserve<'a>(
    app: &App,
    mut attempt: Try<'a>,
    tried: bool,
    place: &Place,
    user: Option<&UserId>,
) -> Result<Try<'a>, Unrecognised> {
    if !place.was_alone() {
        attempt = attempt.beside_another();
    } else if !tried {
        return Ok(attempt);
    }
    match attempt.count().await? {
        Ok(()) => Ok(attempt),
        Err(wait) => {
            app.note(&Actor::Unknown, Event::SignInThrottled { user });
            Err(Unrecognised::TooMany(wait))
        }
    }
}

/// A proof that was right, and of which nothing was made, as everything of its user was ended meanwhile.
pub(crate) fn outlived(app: &App, user: &User) -> Unrecognised {
    tracing::info!(user = %user.id, "the user's sign-ins were ended while this one was under way");
    let reason = SignInProblem::EndedMeanwhile;
    app.note(&Actor::Unknown, Event::SignInFailed { user: Some(&user.id), reason });
    Unrecognised::Wrong
}
