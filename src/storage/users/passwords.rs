//! The hashes of passwords: a new one, with what ends then, and another one of the same password.

use sqlx::FromRow;

use crate::model::{Noted, SessionId, SignInGeneration, Timestamp, UserId};
use crate::storage::authority::{end_sign_ins, hold};
use crate::storage::db::{Transaction, values};
use crate::storage::sessions::end_sessions;
use crate::storage::{Storage, StorageError};

/// A user changes their own password: on the session in which they do it, and the password that they have just given.
#[derive(Debug, Clone, Copy)]
pub struct PasswordChange<'a> {
    pub user: &'a UserId,
    pub session: &'a SessionId,
    /// As of when the old password was read.
    pub sign_in: SignInGeneration,
    pub hash: &'a str,
}

#[derive(FromRow)]
struct HashRow {
    hash: String,
}

impl Storage {
    /// Sets a new password and ends every session of the user, and every sign-in that is under way.
    pub async fn set_password(
        &self,
        noted: Noted,
        id: &UserId,
        hash: &str,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let mut tx = self.db.noting(noted).begin().await?;
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
        noted: Noted,
        change: PasswordChange<'_>,
        now: Timestamp,
    ) -> Result<Option<SignInGeneration>, StorageError> {
        const STANDS: &str = "SELECT u.sign_in_generation FROM users u JOIN sessions s ON s.user_id = u.id \
             WHERE u.id = $1 AND NOT u.disabled AND u.sign_in_generation = $2 AND s.id = $3 AND s.expires_at > $4";
        let PasswordChange { user, session, sign_in, hash } = change;
        let mut tx = self.db.noting(noted).begin().await?;
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
