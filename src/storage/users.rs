//! People: how they are found, made, changed and deleted.

mod passwords;
mod rows;

use super::authority::{end_sign_ins, ending_grants, hold};
use super::db::{Locking, values};
use super::logout_deliveries::tell_of_all;
use super::sessions::end_sessions;
use super::{Storage, StorageError};
use crate::model::user_name::{email_key, plain_key, username_key};
use crate::model::{ConsentGeneration, Noted, Profile, SignInGeneration, Timestamp, User, UserId};
pub use passwords::PasswordChange;
pub use rows::Credentials;
pub(super) use rows::{CredentialsRow, UserRow, credentials_columns, user_columns};

/// Users who are looked for at once.
const BATCH: i64 = 200;

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

/// Whether somebody may sign in, and what a sign-in or a yes of theirs counts for at this moment.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub disabled: bool,
    pub sign_in: SignInGeneration,
    pub consent: ConsentGeneration,
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

    /// The users after this id who have a session or access of an application: a batch. Empty after the last.
    pub async fn users_with_access(&self, after: &UserId) -> Result<Vec<UserId>, StorageError> {
        const LIST: &str = "SELECT u.id FROM users u WHERE u.id > $1 \
             AND (EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id) \
             OR EXISTS (SELECT 1 FROM grants g WHERE g.user_id = u.id AND g.state <> 'revoked')) ORDER BY u.id LIMIT $2";
        let rows: Vec<(String,)> = self.db.fetch_all(LIST, values![after.as_str(), BATCH]).await?;
        Ok(rows.into_iter().map(|(id,)| UserId::new(id)).collect())
    }

    pub async fn insert_user(
        &self,
        noted: Noted,
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
        match self.db.noting(noted).execute(INSERT, bound).await {
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

    /// Replaces the claims of a user's profile.
    pub async fn set_profile(
        &self,
        noted: Noted,
        id: &UserId,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE users SET profile = $2, updated_at = $3 WHERE id = $1";
        let impossible =
            |error: serde_json::Error| StorageError::impossible("users", id.as_str(), error.to_string());
        let profile = serde_json::to_string(profile).map_err(impossible)?;
        Ok(self.db.noting(noted).execute(UPDATE, values![id.as_str(), &profile, now.unix()]).await? == 1)
    }

    /// Disables or enables a user. Disabling also ends every session; the user's tokens are inactive meanwhile.
    pub async fn set_disabled(
        &self,
        noted: Noted,
        id: &UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE users SET disabled = $2, updated_at = $3 WHERE id = $1";
        let mut tx = self.db.noting(noted).begin().await?;
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
    pub async fn end_sessions(&self, noted: Noted, id: &UserId, now: Timestamp) -> Result<(), StorageError> {
        let mut tx = self.db.noting(noted).begin().await?;
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
    pub async fn delete_user(&self, noted: Noted, id: &UserId, now: Timestamp) -> Result<bool, StorageError> {
        const GRANTS: Locking = ending_grants!("DELETE FROM grants WHERE user_id = $1");
        let mut tx = self.db.noting(noted).begin().await?;
        hold(&mut tx, id).await?;
        tell_of_all(&mut tx, id, now).await?;
        tx.execute_locking(GRANTS, values![id.as_str()]).await?;
        let found = tx.execute("DELETE FROM users WHERE id = $1", values![id.as_str()]).await? == 1;
        tx.commit().await?;
        Ok(found)
    }
}
