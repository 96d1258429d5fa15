//! Signing keys, sealed; and the public keys that are left of them.

use sqlx::FromRow;

use super::changes::{Topic, hold, raise};
use super::db::{Transaction, values};
use super::{Storage, StorageError};
use crate::model::{Algorithm, KeyId, Noted, RetiredKey, Secret, SigningKey, Timestamp};

/// How a key follows one that signs: from when, and how many seconds the older one is published after that.
#[derive(Debug, Clone, Copy)]
pub struct Succession {
    pub from: Timestamp,
    pub overlap: i64,
}

#[derive(FromRow)]
struct KeyRow {
    id: String,
    algorithm: String,
    sealed_key: String,
    public_key: String,
    created_at: i64,
    active_from: i64,
    expires_at: Option<i64>,
}

#[derive(FromRow)]
struct NumberRow {
    number: i64,
}

#[derive(FromRow)]
struct Withdrawn {
    algorithm: String,
    number: i64,
    active_from: i64,
}

/// Rows as [`KeyRow`], the oldest first.
macro_rules! key_rows {
    ($which:literal) => {
        concat!(
            "SELECT id, algorithm, sealed_key, public_key, created_at, active_from, expires_at FROM signing_keys \
             WHERE ",
            $which,
            " ORDER BY number, algorithm"
        )
    };
}

impl KeyRow {
    fn algorithm(&self) -> Result<Algorithm, StorageError> {
        self.algorithm.parse().map_err(|error| StorageError::impossible("signing_keys", &self.id, error))
    }

    fn into_key(self) -> Result<SigningKey, StorageError> {
        Ok(SigningKey {
            algorithm: self.algorithm()?,
            id: KeyId::new(self.id),
            sealed_private_key: Secret::new(self.sealed_key),
            public_key: self.public_key,
            created_at: Timestamp::from_unix(self.created_at),
            active_from: Timestamp::from_unix(self.active_from),
            expires_at: self.expires_at.map(Timestamp::from_unix),
        })
    }

    fn into_retired(self) -> Result<RetiredKey, StorageError> {
        Ok(RetiredKey {
            algorithm: self.algorithm()?,
            id: KeyId::new(self.id),
            public_key: self.public_key,
            created_at: Timestamp::from_unix(self.created_at),
            active_from: Timestamp::from_unix(self.active_from),
            expires_at: Timestamp::from_unix(self.expires_at.unwrap_or_default()),
        })
    }
}

impl Storage {
    /// Every key that is still published, the oldest first. The number says which is older: a key made to sign at once is
    /// younger than one that waits.
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Vec<SigningKey>, StorageError> {
        const LIST: &str = key_rows!("sealed_key <> '' AND (expires_at IS NULL OR expires_at > $1)");
        let rows: Vec<KeyRow> = self.db.fetch_all(LIST, values![now.unix()]).await?;
        rows.into_iter().map(KeyRow::into_key).collect()
    }

    /// Every key that is published no more, and was after `since`, the oldest first. One without its private part is no
    /// longer published, whatever the clock of this process says.
    pub async fn retired_keys(
        &self,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<Vec<RetiredKey>, StorageError> {
        const LIST: &str =
            key_rows!("public_key <> '' AND (sealed_key = '' OR expires_at <= $1) AND expires_at > $2");
        let rows: Vec<KeyRow> = self.db.fetch_all(LIST, values![now.unix(), since.unix()]).await?;
        rows.into_iter().map(KeyRow::into_retired).collect()
    }

    /// Deletes the private part of keys that are published no more, and the rest of those that last were before `since`.
    pub async fn retire_keys(&self, now: Timestamp, since: Timestamp) -> Result<u64, StorageError> {
        const DELETE: &str =
            "DELETE FROM signing_keys WHERE expires_at <= $1 AND (public_key = '' OR expires_at <= $2)";
        const ERASE: &str =
            "UPDATE signing_keys SET sealed_key = '' WHERE expires_at <= $1 AND sealed_key <> ''";
        let deleted = self.db.execute(DELETE, values![now.unix(), since.unix()]).await?;
        Ok(deleted + self.db.execute(ERASE, values![now.unix()]).await?)
    }

    /// The number the next key of an algorithm has to bear.
    pub async fn next_key_number(&self, algorithm: Algorithm) -> Result<i64, StorageError> {
        const NEXT: &str =
            "SELECT COALESCE(MAX(number), 0) + 1 AS number FROM signing_keys WHERE algorithm = $1";
        let row: Option<NumberRow> = self.db.fetch_optional(NEXT, values![algorithm.as_str()]).await?;
        Ok(row.map_or(1, |row| row.number))
    }

    /// Adds a key under a number; the older keys of its algorithm are published until `retire_at`. False when
    /// another process took the number first, and nothing changed.
    pub async fn insert_signing_key(
        &self,
        noted: Noted,
        key: &SigningKey,
        number: i64,
        retire_at: Timestamp,
    ) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO signing_keys (id, algorithm, number, sealed_key, created_at, active_from, \
             expires_at, public_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
        const RETIRE: &str = "UPDATE signing_keys SET expires_at = $3 \
             WHERE algorithm = $1 AND number < $2 AND expires_at IS NULL";
        let algorithm = key.algorithm.as_str();
        let bound = values![
            key.id.as_str(),
            algorithm,
            number,
            key.sealed_private_key.expose(),
            key.created_at.unix(),
            key.active_from.unix(),
            key.expires_at.map(Timestamp::unix),
            key.public_key.as_str(),
        ];
        let mut tx = self.db.noting(noted).begin().await?;
        hold(&mut tx, Topic::Keys).await?;
        let inserted = tx.execute(INSERT, bound).await? == 1;
        if inserted {
            tx.execute(RETIRE, values![algorithm, number, retire_at.unix()]).await?;
            raise(&mut tx, Topic::Keys).await?;
        }
        tx.commit().await?;
        Ok(inserted)
    }

    /// Takes a key away for good. Where no younger one is there to follow it, `successor` does: at once in the place of a key
    /// that signed, else after a `waits`. False when there is no such key, and nothing changed.
    pub async fn withdraw_signing_key(
        &self,
        noted: Noted,
        id: &KeyId,
        successor: &SigningKey,
        waits: Succession,
    ) -> Result<bool, StorageError> {
        const DELETE: &str =
            "DELETE FROM signing_keys WHERE id = $1 RETURNING algorithm, number, active_from";
        let mut tx = self.db.noting(noted).begin().await?;
        hold(&mut tx, Topic::Keys).await?;
        let withdrawn: Option<Withdrawn> = tx.fetch_optional(DELETE, values![id.as_str()]).await?;
        if let Some(withdrawn) = &withdrawn {
            let now = successor.created_at;
            let signed = withdrawn.active_from <= now.unix();
            follow(&mut tx, withdrawn, successor, if signed { now } else { waits.from }).await?;
            if signed {
                hasten(&mut tx, withdrawn, now).await?;
            } else {
                extend(&mut tx, withdrawn, now, waits.overlap).await?;
            }
            raise(&mut tx, Topic::Keys).await?;
        }
        tx.commit().await?;
        Ok(withdrawn.is_some())
    }
}

/// Adds the key after a withdrawn one, unless there is one.
async fn follow(
    tx: &mut Transaction,
    withdrawn: &Withdrawn,
    successor: &SigningKey,
    from: Timestamp,
) -> Result<(), StorageError> {
    const FOLLOW: &str = "INSERT INTO signing_keys (id, algorithm, number, sealed_key, created_at, active_from, public_key) \
         SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS \
         (SELECT 1 FROM signing_keys WHERE algorithm = $2 AND number >= $3) ON CONFLICT DO NOTHING";
    let bound = values![
        successor.id.as_str(),
        &withdrawn.algorithm,
        withdrawn.number + 1,
        successor.sealed_private_key.expose(),
        successor.created_at.unix(),
        from.unix(),
        successor.public_key.as_str(),
    ];
    tx.execute(FOLLOW, bound).await?;
    Ok(())
}

/// Makes the younger keys sign now, unless one does.
async fn hasten(tx: &mut Transaction, withdrawn: &Withdrawn, now: Timestamp) -> Result<(), StorageError> {
    const HASTEN: &str = "UPDATE signing_keys SET active_from = $3 WHERE algorithm = $1 AND number > $2 AND NOT EXISTS \
         (SELECT 1 FROM signing_keys k WHERE k.algorithm = $1 AND k.number > $2 AND k.active_from <= $3)";
    tx.execute(HASTEN, values![&withdrawn.algorithm, withdrawn.number, now.unix()]).await?;
    Ok(())
}

/// Publishes the key that signs, and those after it, for longer, because what follows them comes later.
async fn extend(
    tx: &mut Transaction,
    withdrawn: &Withdrawn,
    now: Timestamp,
    overlap: i64,
) -> Result<(), StorageError> {
    const LAST: &str = "SELECT MAX(active_from) AS number FROM signing_keys WHERE algorithm = $1";
    const EXTEND: &str = "UPDATE signing_keys SET expires_at = $4 \
         WHERE algorithm = $1 AND number < $2 AND expires_at > $3 AND expires_at < $4 AND NOT EXISTS (SELECT 1 FROM signing_keys k \
         WHERE k.algorithm = $1 AND k.number > signing_keys.number AND k.number < $2 AND k.active_from <= $3)";
    let last: Option<NumberRow> = tx.fetch_optional(LAST, values![&withdrawn.algorithm]).await?;
    let until = last.map_or(now.unix(), |last| last.number) + overlap;
    let bound = values![&withdrawn.algorithm, withdrawn.number, now.unix(), until];
    tx.execute(EXTEND, bound).await?;
    Ok(())
}
