//! Users: created, changed, disabled, signed out and deleted.

mod claims;
mod problems;
mod refusal;

use super::{Administration, NotDone, Outcome};
use crate::audit::{Ended, Event};
use crate::crypto::password::check_new;
use crate::crypto::random;
use crate::model::{Profile, Secret, User, UserId, user_name};
use crate::storage::Ending;
pub(crate) use claims::Claim;
pub(crate) use refusal::{UserProblem, UserRefusal};

type Result<T> = Outcome<T, UserRefusal>;

/// A user who is to be created.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub username: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub phone_number: Option<String>,
    pub phone_number_verified: bool,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    /// Other claims of the profile.
    pub claims: Vec<Claim>,
    pub groups: Vec<String>,
}

impl Administration<'_> {
    /// By user name or email address, as people sign in; users of an external login page by their subject.
    pub(crate) async fn user(&self, name: &str) -> Result<User> {
        if let Some(found) = self.storage.credentials(name).await? {
            return Ok(found.user);
        }
        self.storage.user(&UserId::new(name)).await?.ok_or_else(|| unknown(name))
    }

    pub(crate) async fn create_user(&self, new: NewUser, password: &Secret) -> Result<User> {
        let claims = new.claims.clone();
        let mut user = self.new_user(new);
        let mut problems = problems::problems(&user);
        problems.extend(set(&mut user.profile, &claims));
        problems.extend(unacceptable(password));
        refuse(problems)?;
        let hash = self.services.passwords()?.hash(password.clone()).await?;
        let noted = self.noted(Event::UserCreated { user: &user.id })?;
        match self.storage.insert_user(noted, &user, Some(&hash)).await? {
            Ok(()) => Ok(user),
            Err(_) => Err(NotDone::Refused(UserRefusal::Taken(user.username))),
        }
    }

    fn new_user(&self, new: NewUser) -> User {
        let NewUser { name, given_name, family_name, .. } = new;
        let now = self.now();
        User {
            id: UserId::new(random::id()),
            // In the one form that it has; one that has none is refused.
            username: user_name::prepared(&new.username).unwrap_or(new.username),
            email: new.email,
            email_verified: new.email_verified,
            phone_number: new.phone_number,
            phone_number_verified: new.phone_number_verified,
            profile: Profile { name, given_name, family_name, ..Profile::default() },
            groups: new.groups,
            disabled: false,
            created_at: now,
            updated_at: now,
        }
    }

    /// Sets a user's password, and ends what was begun with the one before.
    pub(crate) async fn set_user_password(&self, user: &User, password: &Secret, ended: Ended) -> Result<()> {
        refuse(unacceptable(password).into_iter().collect())?;
        let hash = self.services.passwords()?.hash(password.clone()).await?;
        let noted = self.noted(Event::UserPasswordSet { user: &user.id, ended })?;
        let storage = self.storage.clone().ending(ended.into());
        found(storage.set_password(noted, &user.id, &hash, self.now()).await?, user)
    }

    /// Ends every session of a user. What is for offline use stays, or goes as the setting says, without `Everything`.
    pub(crate) async fn sign_user_out(&self, user: &User, ended: Ended) -> Result<()> {
        let noted = self.noted(Event::UserSignedOut { user: &user.id, ended })?;
        let storage = match ended {
            Ended::Sessions => self.storage,
            Ended::Everything => &self.storage.clone().ending(Ending::Everything),
        };
        Ok(storage.end_sessions(noted, &user.id, self.now()).await?)
    }

    pub(crate) async fn set_user_claims(&self, mut user: User, claims: &[Claim]) -> Result<User> {
        refuse(set(&mut user.profile, claims))?;
        user.updated_at = self.now();
        let noted = self.noted(Event::UserUpdated { user: &user.id })?;
        found(self.storage.set_profile(noted, &user.id, &user.profile, user.updated_at).await?, &user)?;
        Ok(user)
    }

    /// Refuses a user from now on.
    pub(crate) async fn disable_user(&self, user: User, ended: Ended) -> Result<User> {
        let now = self.now();
        let noted = self.noted(Event::UserDisabled { user: &user.id, ended })?;
        let storage = self.storage.clone().ending(ended.into());
        found(storage.set_disabled(noted, &user.id, true, now).await?, &user)?;
        Ok(User { disabled: true, updated_at: now, ..user })
    }

    /// Lets a disabled user in again.
    pub(crate) async fn enable_user(&self, user: User) -> Result<User> {
        let now = self.now();
        let noted = self.noted(Event::UserEnabled { user: &user.id })?;
        found(self.storage.set_disabled(noted, &user.id, false, now).await?, &user)?;
        Ok(User { disabled: false, updated_at: now, ..user })
    }

    /// Deletes a user and everything that is theirs.
    pub(crate) async fn delete_user(&self, user: &User) -> Result<()> {
        let noted = self.noted(Event::UserDeleted { user: &user.id })?;
        found(self.storage.delete_user(noted, &user.id, self.now()).await?, user)
    }
}

impl From<Ended> for Ending {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Sessions => Self::Online,
            Ended::Everything => Self::Everything,
        }
    }
}

/// Sets the claims that are fit, and returns what is wrong with the others.
fn set(profile: &mut Profile, claims: &[Claim]) -> Vec<UserProblem> {
    claims.iter().filter_map(|claim| claims::set(profile, claim).err()).collect()
}

fn unacceptable(password: &Secret) -> Option<UserProblem> {
    let problem = check_new(password).err()?.to_string();
    Some(UserProblem::Member { member: "password", problem })
}

fn refuse(problems: Vec<UserProblem>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(NotDone::Refused(UserRefusal::Invalid(problems))) }
}

fn unknown(name: &str) -> NotDone<UserRefusal> {
    NotDone::Refused(UserRefusal::Unknown(name.to_owned()))
}

/// Whether they were still there.
fn found(found: bool, user: &User) -> Result<()> {
    if found { Ok(()) } else { Err(unknown(&user.username)) }
}
