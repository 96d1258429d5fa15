//! A user as the database has them: the columns, and what is made of a row.

use sqlx::FromRow;

use crate::model::{SignInGeneration, Timestamp, User, UserId};
use crate::storage::StorageError;

/// The columns of a user `u` beside `user_id`, named so that they can stand in a join.
macro_rules! user_columns {
    () => {
        "u.username, u.email, u.email_verified, u.phone_number, u.phone_number_verified, u.profile, u.groups, \
         u.disabled, u.created_at AS user_created_at, u.updated_at AS user_updated_at"
    };
}
pub(in crate::storage) use user_columns;

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
pub(in crate::storage) use credentials_columns;

#[derive(FromRow)]
pub(in crate::storage) struct UserRow {
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
    pub(in crate::storage) fn into_user(self) -> Result<User, StorageError> {
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
pub(in crate::storage) struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
    sign_in_generation: i64,
}

impl CredentialsRow {
    pub(in crate::storage) fn into_credentials(self) -> Result<Credentials, StorageError> {
        Ok(Credentials {
            user: self.user.into_user()?,
            password_hash: self.password_hash,
            sign_in: SignInGeneration::new(self.sign_in_generation),
        })
    }
}

/// A user and the hash their password is checked against.
#[derive(Debug)]
pub struct Credentials {
    pub user: User,
    pub password_hash: Option<String>,
    /// What a sign-in with this password counts for.
    pub sign_in: SignInGeneration,
}
