//! The keys that people sign in by, made anew once for users from before their names had one form (RFC 8265).

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::UserId;
use crate::model::user_name::{email_key, username_key};

const NAME: &str = "user keys in one form";
const BATCH: usize = 500;

#[derive(FromRow)]
struct KeysRow {
    id: String,
    username: String,
    username_key: String,
    email: Option<String>,
    email_key: Option<String>,
}

impl Storage {
    /// Makes the keys anew where that was never done. Who would get the key of somebody else keeps the old one, and is returned:
    /// both are found by what they always typed. Several processes may do this at once.
    pub async fn renew_user_keys(&self) -> Result<Vec<UserId>, StorageError> {
        const DONE: &str = "SELECT name FROM conversions WHERE name = $1";
        const NOTE: &str = "INSERT INTO conversions (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
        // In ASCII both rules make the same.
        const FIND: &str = "SELECT id, username, username_key, email, email_key FROM users WHERE id > $1 \
             AND (octet_length(username_key) <> length(username_key) OR octet_length(email_key) <> length(email_key)) \
             ORDER BY id LIMIT 500";
        let done: Option<(String,)> = self.db.fetch_optional(DONE, values![NAME]).await?;
        if done.is_some() {
            return Ok(Vec::new());
        }
        let (mut last, mut kept) = (String::new(), Vec::new());
        loop {
            let rows: Vec<KeysRow> = self.db.fetch_all(FIND, values![&last]).await?;
            for row in &rows {
                if !self.renew_keys_of(row).await? {
                    kept.push(UserId::new(&row.id));
                }
            }
            match rows.last() {
                Some(row) if rows.len() == BATCH => last.clone_from(&row.id),
                _ => break,
            }
        }
        self.db.execute(NOTE, values![NAME]).await?;
        Ok(kept)
    }

    /// False where somebody else has one of the keys.
    async fn renew_keys_of(&self, row: &KeysRow) -> Result<bool, StorageError> {
        const NAME: &str = "UPDATE users SET username_key = $2 WHERE id = $1 AND username_key = $3";
        const EMAIL: &str = "UPDATE users SET email_key = $2 WHERE id = $1 AND email_key = $3";
        let mut renewed = true;
        let email = row.email.as_deref().map(email_key).zip(row.email_key.clone());
        let name = Some((username_key(&row.username), row.username_key.clone()));
        for (update, keys) in [(NAME, name), (EMAIL, email)] {
            let Some((new, old)) = keys.filter(|(new, old)| new != old) else { continue };
            match self.db.execute(update, values![row.id.as_str(), &new, &old]).await {
                Ok(_) => {}
                Err(error) if error.is_conflict() => renewed = false,
                Err(error) => return Err(error),
            }
        }
        Ok(renewed)
    }
}
