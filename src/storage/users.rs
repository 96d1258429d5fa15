//! People, and the hashes of their passwords.

use sqlx::FromRow;

use super::db::values;
use super::logout_deliveries::tell_of_all;
use super::sessions::end_sessions;
use super::{Storage, StorageError};
use crate::model::{Profile, Timestamp, User, UserId};

/// The columns of a user `u` beside `user_id`, named so that they can stand in a join.
macro_rules! user_columns {
    () => {
        "u.username, u.email, u.email_verified, u.phone_number, u.phone_number_verified, u.profile, u.groups, \
         u.disabled, u.created_at AS user_created_at, u.updated_at AS user_updated_at"
    };
}
pub(super) use user_columns;

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
struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
}

/// A user and the hash their password is checked against.
#[derive(Debug)]
pub struct Credentials {
    pub user: User,
    pub password_hash: Option<String>,
}

/// The user name or the mail address belongs to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user name or mail address is taken")]
pub struct UserConflict;

/// What people type to sign in is compared in lower case.
fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

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
        const FIND: &str = concat!(
            "SELECT u.id AS user_id, ",
            user_columns!(),
            ", u.password_hash FROM users u WHERE u.username_key = $1 OR u.email_key = $1 \
             ORDER BY u.username_key = $1 DESC LIMIT 1"
        );
        let row: Option<CredentialsRow> = self.db.fetch_optional(FIND, values![&key(login)]).await?;
        row.map(|row| Ok(Credentials { user: row.user.into_user()?, password_hash: row.password_hash }))
            .transpose()
    }

    /// The user of this name, as people type it.
    pub async fn user_by_username(&self, username: &str) -> Result<Option<User>, StorageError> {
        const FIND: &str =
            concat!("SELECT u.id AS user_id, ", user_columns!(), " FROM users u WHERE u.username_key = $1");
        let row: Option<UserRow> = self.db.fetch_optional(FIND, values![&key(username)]).await?;
        row.map(UserRow::into_user).transpose()
    }

    /// The user of this mail address, verified or not.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StorageError> {
        const FIND: &str =
            concat!("SELECT u.id AS user_id, ", user_columns!(), " FROM users u WHERE u.email_key = $1");
        let row: Option<UserRow> = self.db.fetch_optional(FIND, values![&key(email)]).await?;
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
        let (username_key, email_key) = (key(&user.username), user.email.as_deref().map(key));
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

    /// Sets a new password and ends every session of the user.
    pub async fn set_password(&self, id: &UserId, hash: &str, now: Timestamp) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1";
        let mut tx = self.db.begin().await?;
        let found = tx.execute(UPDATE, values![id.as_str(), hash, now.unix()]).await? == 1;
        end_sessions(&mut tx, self.ending, id, now).await?;
        tx.commit().await?;
        Ok(found)
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
        let found = tx.execute(UPDATE, values![id.as_str(), disabled, now.unix()]).await? == 1;
        if disabled {
            end_sessions(&mut tx, self.ending, id, now).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Ends every session of a user, wherever they are signed in.
    pub async fn end_sessions(&self, id: &UserId, now: Timestamp) -> Result<(), StorageError> {
        let mut tx = self.db.begin().await?;
        end_sessions(&mut tx, self.ending, id, now).await?;
        tx.commit().await
    }

    /// Deletes a user with their sessions, grants and consents. The clients are going to be told.
    pub async fn delete_user(&self, id: &UserId, now: Timestamp) -> Result<bool, StorageError> {
        let mut tx = self.db.begin().await?;
        tell_of_all(&mut tx, id, now).await?;
        let found = tx.execute("DELETE FROM users WHERE id = $1", values![id.as_str()]).await? == 1;
        tx.commit().await?;
        Ok(found)
    }
}
