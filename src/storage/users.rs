//! People, and the hashes of their passwords.

use sqlx::FromRow;

use super::authority::{end_sign_ins, ending_grants, hold};
use super::db::{Locking, Transaction, values};
use super::logout_deliveries::tell_of_all;
use super::sessions::end_sessions;
use super::{Storage, StorageError};
use crate::model::user_name::{email_key, plain_key, username_key};
use crate::model::{ConsentGeneration, Profile, SessionId, SignInGeneration, Timestamp, User, UserId};

/// The columns of a user `u` beside `user_id`, named so that they can stand in a join.
macro_rules! user_columns {
    () => {
        "u.username, u.email, u.email_verified, u.phone_number, u.phone_number_verified, u.profile, u.groups, \
         u.disabled, u.created_at AS user_created_at, u.updated_at AS user_updated_at"
    };
}
pub(super) use user_columns;

/// A user `u` with what they sign in with.
macro_rules! credentials_columns {
    () => {
        concat!(
            "u.id AS user_id, ",
            $crate::storage::users::user_columns!(),
            ", u.password_hash, u.sign_in_generation"
        )
    };
}
pub(super) use credentials_columns;

/// Which user `u` is meant by what was typed: its [`login_keys`] are in these places. Names from before they were prepared
/// come first.
macro_rules! whom_login_names {
    ($name:literal, $mail:literal, $plain:literal) => {
        concat!(
            "WHERE u.username_key IN (",
            $name,
            ", ",
            $plain,
            ") OR u.email_key IN (",
            $mail,
            ", ",
            $plain,
            ") \
             ORDER BY CASE WHEN u.username_key = ",
            $plain,
            " THEN 0 WHEN u.username_key = ",
            $name,
            " THEN 1 \
             WHEN u.email_key = ",
            $plain,
            " THEN 2 ELSE 3 END LIMIT 1"
        )
    };
}
pub(super) use whom_login_names;

/// The user by what they are called in one column: as it is typed ($1), or from before it was prepared, which comes first ($2).
macro_rules! find_by {
    ($key:literal) => {
        concat!(
            "SELECT u.id AS user_id, ",
            user_columns!(),
            " FROM users u WHERE ",
            $key,
            " IN ($1, $2) ORDER BY ",
            $key,
            " = $2 DESC LIMIT 1"
        )
    };
}

/// What a user may be found by of what somebody typed to sign in.
pub(super) fn login_keys(login: &str) -> [String; 3] {
    [username_key(login), email_key(login), plain_key(login)]
}

#[derive(FromRow)]
pub(super) struct UserRow {
    user_id: String,
    username: String,
    email: Option<String>,
    email_verified: bool,
    phone_number: Option<String>,
    phone_number_verified: bool,
    profile: String,
    groups: String,
    disabled: bool,
    user_created_at: i64,
    user_updated_at: i64,
}

impl UserRow {
    pub(super) fn into_user(self) -> Result<User, StorageError> {
        let impossible =
            |error: serde_json::Error| StorageError::impossible("users", &self.user_id, error.to_string());
        Ok(User {
            profile: serde_json::from_str(&self.profile).map_err(impossible)?,
            groups: serde_json::from_str(&self.groups).map_err(impossible)?,
            id: UserId::new(self.user_id),
            username: self.username,
            email: self.email,
            email_verified: self.email_verified,
            phone_number: self.phone_number,
            phone_number_verified: self.phone_number_verified,
            disabled: self.disabled,
            created_at: Timestamp::from_unix(self.user_created_at),
            updated_at: Timestamp::from_unix(self.user_updated_at),
        })
    }
}

#[derive(FromRow)]
pub(super) struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
    sign_in_generation: i64,
}

impl CredentialsRow {
    pub(super) fn into_credentials(self) -> Result<Credentials, StorageError> {
        Ok(Credentials {
            user: self.user.into_user()?,
            password_hash: self.password_hash,
            sign_in: SignInGeneration::new(self.sign_in_generation),
        })
    }
}

#[derive(FromRow)]
struct HashRow {
    hash: String,
}

/// A user and the hash their password is checked against.
#[derive(Debug)]
pub struct Credentials {
    pub user: User,
    pub password_hash: Option<String>,
    /// What a sign-in with this password counts for.
    pub sign_in: SignInGeneration,
}

/// Whether somebody may sign in, and what a sign-in or a yes of theirs counts for at this moment.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub disabled: bool,
    pub sign_in: SignInGeneration,
    pub consent: ConsentGeneration,
}

/// A user changes their own password: on the session in which they do it, and the password that they have just given.
#[derive(Debug, Clone, Copy)]
pub struct PasswordChange<'a> {
    pub user: &'a UserId,
    pub session: &'a SessionId,
    /// As of when the old password was read.
    pub sign_in: SignInGeneration,
    pub hash: &'a str,
}

/// The user name or the mail address belongs to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user name or mail address is taken")]
pub struct UserConflict;

struct JsonColumns {
    profile: String,
    groups: String,
}

fn json(user: &User) -> Result<JsonColumns, StorageError> {
    let impossible =
        |error: serde_json::Error| StorageError::impossible("users", user.id.as_str(), error.to_string());
    Ok(JsonColumns {
        profile: serde_json::to_string(&user.profile).map_err(impossible)?,
        groups: serde_json::to_string(&user.groups).map_err(impossible)?,
    })
}

impl Storage {
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, StorageError> {
        const FIND: &str =
            concat!("SELECT u.id AS user_id, ", user_columns!(), " FROM users u WHERE u.id = $1");
        let row: Option<UserRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(UserRow::into_user).transpose()
    }

    /// The user who signs in as `login`: a user name, or the mail address of a user.
    pub async fn credentials(&self, login: &str) -> Result<Option<Credentials>, StorageError> {
        const FIND: &str =
            concat!("SELECT ", credentials_columns!(), " FROM users u ", whom_login_names!("$1", "$2", "$3"));
        let bound = login_keys(login);
        let row: Option<CredentialsRow> =
            self.db.fetch_optional(FIND, values![&bound[0], &bound[1], &bound[2]]).await?;
        row.map(CredentialsRow::into_credentials).transpose()
    }

    /// The user of this name, as people type it.
    pub async fn user_by_username(&self, username: &str) -> Result<Option<User>, StorageError> {
        self.user_called(find_by!("u.username_key"), &username_key(username), &plain_key(username)).await
    }

    /// The user of this mail address, verified or not.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StorageError> {
        self.user_called(find_by!("u.email_key"), &email_key(email), &plain_key(email)).await
    }

    async fn user_called(
        &self,
        find: &'static str,
        key: &str,
        plain: &str,
    ) -> Result<Option<User>, StorageError> {
        let row: Option<UserRow> = self.db.fetch_optional(find, values![key, plain]).await?;
        row.map(UserRow::into_user).transpose()
    }

    /// All users by name.
    pub async fn users(&self) -> Result<Vec<User>, StorageError> {
        const LIST: &str =
            concat!("SELECT u.id AS user_id, ", user_columns!(), " FROM users u ORDER BY u.username_key");
        let rows: Vec<UserRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(UserRow::into_user).collect()
    }

    pub async fn insert_user(
        &self,
        user: &User,
        password_hash: Option<&str>,
    ) -> Result<Result<(), UserConflict>, StorageError> {
        const INSERT: &str = "INSERT INTO users (id, username, username_key, email, email_key, email_verified, \
             phone_number, phone_number_verified, profile, groups, password_hash, disabled, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let json = json(user)?;
        let (username_key, email_key) = (username_key(&user.username), user.email.as_deref().map(email_key));
        let bound = values![
            user.id.as_str(),
            &user.username,
            &username_key,
            user.email.as_deref(),
            email_key.as_deref(),
            user.email_verified,
            user.phone_number.as_deref(),
            user.phone_number_verified,
            &json.profile,
            &json.groups,
            password_hash,
            user.disabled,
            user.created_at.unix(),
            user.updated_at.unix(),
        ];
        match self.db.execute(INSERT, bound).await {
            Ok(_) => Ok(Ok(())),
            Err(error) if error.is_conflict() => Ok(Err(UserConflict)),
            Err(error) => Err(error),
        }
    }

    /// The user whom an external login page calls by this subject: the one of this id, or a new one without a password.
    pub async fn external_user(&self, subject: &UserId, now: Timestamp) -> Result<User, StorageError> {
        // The keys that people type are in lower case, so nobody can sign in as this one, and no name is taken from others.
        const INSERT: &str = "INSERT INTO users (id, username, username_key, email_verified, phone_number_verified, \
             profile, groups, disabled, created_at, updated_at) \
             VALUES ($1, $1, $2, $3, $3, '{}', '[]', $3, $4, $4) ON CONFLICT (id) DO NOTHING";
        if let Some(user) = self.user(subject).await? {
            return Ok(user);
        }
        let username_key = format!("EXTERNAL:{subject}");
        self.db.execute(INSERT, values![subject.as_str(), &username_key, false, now.unix()]).await?;
        let made = self.user(subject).await?;
        made.ok_or_else(|| {
            StorageError::impossible("users", subject.as_str(), "deleted while they signed in")
        })
    }

    /// Sets a new password and ends every session of the user, and every sign-in that is under way.
    pub async fn set_password(&self, id: &UserId, hash: &str, now: Timestamp) -> Result<bool, StorageError> {
        let mut tx = self.db.begin().await?;
        let found = end_sign_ins(&mut tx, id).await?;
        write_password(&mut tx, id, hash, now).await?;
        end_sessions(&mut tx, self.ending, id, now).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// The same by the user. What a sign-in with the new password counts for; none where their session has ended, or all
    /// of them did after the old password was read, and nothing was done.
    pub async fn change_password(
        &self,
        change: PasswordChange<'_>,
        now: Timestamp,
    ) -> Result<Option<SignInGeneration>, StorageError> {
        const STANDS: &str = "SELECT u.sign_in_generation FROM users u JOIN sessions s ON s.user_id = u.id \
             WHERE u.id = $1 AND NOT u.disabled AND u.sign_in_generation = $2 AND s.id = $3 AND s.expires_at > $4";
        let PasswordChange { user, session, sign_in, hash } = change;
        let mut tx = self.db.begin().await?;
        // With the user's row in hand, what is read does not end before the commit.
        hold(&mut tx, user).await?;
        let bound = values![user.as_str(), sign_in.number(), session.as_str(), now.unix()];
        let stands: Option<(i64,)> = tx.fetch_optional(STANDS, bound).await?;
        let next = match stands {
            Some((generation,)) => {
                end_sign_ins(&mut tx, user).await?;
                write_password(&mut tx, user, hash, now).await?;
                end_sessions(&mut tx, self.ending, user, now).await?;
                Some(SignInGeneration::new(generation + 1))
            }
            None => None,
        };
        tx.commit().await?;
        Ok(next)
    }

    /// Replaces a hash by another one of the same password, if it is still the one. Nothing ends with it.
    pub async fn replace_hash(&self, id: &UserId, old: &str, new: &str) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
        Ok(self.db.execute(UPDATE, values![id.as_str(), old, new]).await? == 1)
    }

    /// Some of the stored hashes, of the same users each time unless there are new ones. Ids are random, so they are as
    /// the others are. People without a password are looked at too: there may be no others, and many of them.
    pub async fn sample_of_hashes(&self) -> Result<Vec<String>, StorageError> {
        const SAMPLE: &str = "SELECT s.password_hash AS hash FROM \
             (SELECT password_hash FROM users ORDER BY id LIMIT 1000) s WHERE s.password_hash IS NOT NULL";
        let rows: Vec<HashRow> = self.db.fetch_all(SAMPLE, values![]).await?;
        Ok(rows.into_iter().map(|row| row.hash).collect())
    }

    /// Replaces the claims of a user's profile.
    pub async fn set_profile(
        &self,
        id: &UserId,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE users SET profile = $2, updated_at = $3 WHERE id = $1";
        let impossible =
            |error: serde_json::Error| StorageError::impossible("users", id.as_str(), error.to_string());
        let profile = serde_json::to_string(profile).map_err(impossible)?;
        Ok(self.db.execute(UPDATE, values![id.as_str(), &profile, now.unix()]).await? == 1)
    }

    /// Disables or enables a user. Disabling also ends every session; the user's tokens are inactive meanwhile.
    pub async fn set_disabled(
        &self,
        id: &UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE users SET disabled = $2, updated_at = $3 WHERE id = $1";
        let mut tx = self.db.begin().await?;
        if disabled {
            end_sign_ins(&mut tx, id).await?;
        }
        let found = tx.execute(UPDATE, values![id.as_str(), disabled, now.unix()]).await? == 1;
        if disabled {
            end_sessions(&mut tx, self.ending, id, now).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Ends every session of a user, wherever they are signed in, and every sign-in that is under way.
    pub async fn end_sessions(&self, id: &UserId, now: Timestamp) -> Result<(), StorageError> {
        let mut tx = self.db.begin().await?;
        end_sign_ins(&mut tx, id).await?;
        end_sessions(&mut tx, self.ending, id, now).await?;
        tx.commit().await
    }

    /// What counts of a user for whom somebody else vouches now.
    pub async fn standing(&self, id: &UserId) -> Result<Option<Standing>, StorageError> {
        const FIND: &str = "SELECT disabled, sign_in_generation, consent_generation FROM users WHERE id = $1";
        let row: Option<(bool, i64, i64)> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        Ok(row.map(|(disabled, sign_in, consent)| Standing {
            disabled,
            sign_in: SignInGeneration::new(sign_in),
            consent: ConsentGeneration::new(consent),
        }))
    }

    /// Deletes a user with their sessions, grants and consents. The clients are going to be told.
    pub async fn delete_user(&self, id: &UserId, now: Timestamp) -> Result<bool, StorageError> {
        const GRANTS: Locking = ending_grants!("DELETE FROM grants WHERE user_id = $1");
        let mut tx = self.db.begin().await?;
        hold(&mut tx, id).await?;
        tell_of_all(&mut tx, id, now).await?;
        tx.execute_locking(GRANTS, values![id.as_str()]).await?;
        let found = tx.execute("DELETE FROM users WHERE id = $1", values![id.as_str()]).await? == 1;
        tx.commit().await?;
        Ok(found)
    }
}

async fn write_password(
    tx: &mut Transaction,
    id: &UserId,
    hash: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    const UPDATE: &str = "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1";
    tx.execute(UPDATE, values![id.as_str(), hash, now.unix()]).await.map(|_| ())
}
