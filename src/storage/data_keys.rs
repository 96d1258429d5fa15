//! Data keys, and what is sealed under them.

use sqlx::FromRow;

use super::changes::{Topic, hold, raise};
use super::db::values;
use super::{Storage, StorageError};
use crate::model::{ClientId, KeyId, Noted, SealedDataKey, Secret, Timestamp};

/// Rows of clients that are sealed again in one transaction.
const BATCH: i64 = 200;

#[derive(FromRow)]
struct DataKeyRow {
    number: i64,
    state: String,
    sealed: String,
    sealed_under: String,
    created_at: i64,
}

#[derive(FromRow)]
struct NumberRow {
    number: i64,
}

#[derive(FromRow)]
struct SigningKeyRow {
    id: String,
    sealed_key: String,
}

#[derive(FromRow)]
struct ClientRow {
    id: String,
    sealed_secret: String,
    retired_sealed_secret: String,
}

/// A private key as it is stored.
pub struct SealedSigningKey {
    pub id: KeyId,
    pub sealed: Secret,
}

/// The copies of a client's secrets as they are stored; empty where there is none.
#[derive(Clone)]
pub struct SealedClientSecrets {
    pub id: ClientId,
    pub current: Secret,
    pub retired: Secret,
}

impl Storage {
    /// Every data key, the first one first.
    pub async fn data_keys(&self) -> Result<Vec<SealedDataKey>, StorageError> {
        const LIST: &str =
            "SELECT number, state, sealed, sealed_under, created_at FROM data_keys ORDER BY number";
        let rows: Vec<DataKeyRow> = self.db.fetch_all(LIST, values![]).await?;
        let key = |row: DataKeyRow| {
            let number = row.number.to_string();
            Ok(SealedDataKey {
                number: row.number,
                state: row
                    .state
                    .parse()
                    .map_err(|error| StorageError::impossible("data_keys", &number, error))?,
                sealed: Secret::new(row.sealed),
                sealed_under: row.sealed_under,
                created_at: Timestamp::from_unix(row.created_at),
            })
        };
        rows.into_iter().map(key).collect()
    }

    /// Whether nothing was ever kept here that a key was used for.
    pub async fn is_unused(&self) -> Result<bool, StorageError> {
        const USED: &str = "SELECT COUNT(*) AS number FROM changes WHERE EXISTS (SELECT 1 FROM signing_keys) \
             OR EXISTS (SELECT 1 FROM audit_waiting) OR EXISTS (SELECT 1 FROM audit_marks WHERE number > 0) \
             OR EXISTS (SELECT 1 FROM clients) OR EXISTS (SELECT 1 FROM users)";
        let row: Option<NumberRow> = self.db.fetch_optional(USED, values![]).await?;
        Ok(row.is_none_or(|row| row.number == 0))
    }

    /// Adds a data key. False when its number is taken, and nothing changed.
    pub async fn insert_data_key(&self, noted: Noted, key: &SealedDataKey) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO data_keys (number, state, sealed, sealed_under, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let SealedDataKey { number, state, sealed, sealed_under, created_at } = key;
        let bound = values![*number, state.as_str(), sealed.expose(), sealed_under, created_at.unix()];
        Ok(self.write(noted, Topic::Keys, INSERT, bound).await? == 1)
    }

    /// Puts another text in the place of a sealed data key: under another master key, or as ended. False when somebody else
    /// did so first.
    pub async fn replace_data_key(
        &self,
        noted: Noted,
        from: &SealedDataKey,
        to: &SealedDataKey,
    ) -> Result<bool, StorageError> {
        const REPLACE: &str = "UPDATE data_keys SET state = $2, sealed = $3, sealed_under = $4 \
             WHERE number = $1 AND state = $5 AND sealed = $6";
        let bound = values![
            from.number,
            to.state.as_str(),
            to.sealed.expose(),
            &to.sealed_under,
            from.state.as_str(),
            from.sealed.expose(),
        ];
        Ok(self.write(noted, Topic::Keys, REPLACE, bound).await? == 1)
    }

    /// From now on things are made with this key; with the one before no more. False when it is not the next one.
    pub async fn begin_data_key(&self, noted: Noted, number: i64) -> Result<bool, StorageError> {
        const BEGIN: &str = "UPDATE data_keys SET state = 'current' WHERE number = $1 AND state = 'next'";
        const REPLACED: &str =
            "UPDATE data_keys SET state = 'earlier' WHERE number < $1 AND state = 'current'";
        let mut tx = self.db.noting(noted).begin().await?;
        hold(&mut tx, Topic::Keys).await?;
        let begun = tx.execute(BEGIN, values![number]).await? == 1;
        if begun {
            tx.execute(REPLACED, values![number]).await?;
            raise(&mut tx, Topic::Keys).await?;
            tx.commit().await?;
        }
        Ok(begun)
    }

    /// Every private key, whatever it is for.
    pub async fn sealed_signing_keys(&self) -> Result<Vec<SealedSigningKey>, StorageError> {
        const LIST: &str = "SELECT id, sealed_key FROM signing_keys WHERE sealed_key <> '' ORDER BY id";
        let rows: Vec<SigningKeyRow> = self.db.fetch_all(LIST, values![]).await?;
        let key = |row: SigningKeyRow| SealedSigningKey {
            id: KeyId::new(row.id),
            sealed: Secret::new(row.sealed_key),
        };
        Ok(rows.into_iter().map(key).collect())
    }

    /// Puts another text in the place of a sealed private key, unless it has changed.
    pub async fn reseal_signing_key(
        &self,
        from: &SealedSigningKey,
        sealed: &Secret,
    ) -> Result<bool, StorageError> {
        const RESEAL: &str = "UPDATE signing_keys SET sealed_key = $3 WHERE id = $1 AND sealed_key = $2";
        let bound = values![from.id.as_str(), from.sealed.expose(), sealed.expose()];
        Ok(self.write(Noted::nothing(), Topic::Keys, RESEAL, bound).await? == 1)
    }

    /// The clients after this id that have a sealed secret: a batch. Empty after the last.
    pub async fn sealed_client_secrets(&self, after: &str) -> Result<Vec<SealedClientSecrets>, StorageError> {
        const LIST: &str = "SELECT id, COALESCE(sealed_secret, '') AS sealed_secret, \
             COALESCE(retired_sealed_secret, '') AS retired_sealed_secret FROM clients WHERE id > $1 \
             AND (sealed_secret IS NOT NULL OR retired_sealed_secret IS NOT NULL) ORDER BY id LIMIT $2";
        let rows: Vec<ClientRow> = self.db.fetch_all(LIST, values![after, BATCH]).await?;
        let secrets = |row: ClientRow| SealedClientSecrets {
            id: ClientId::new(row.id),
            current: Secret::new(row.sealed_secret),
            retired: Secret::new(row.retired_sealed_secret),
        };
        Ok(rows.into_iter().map(secrets).collect())
    }

    /// Puts other texts in the place of sealed secrets, those that have not changed meanwhile, in one transaction. How many.
    pub async fn reseal_client_secrets(
        &self,
        batch: &[(SealedClientSecrets, SealedClientSecrets)],
    ) -> Result<u64, StorageError> {
        const RESEAL: &str = "UPDATE clients SET sealed_secret = NULLIF($2, ''), retired_sealed_secret = NULLIF($3, ''), \
             revision = revision + 1 WHERE id = $1 AND COALESCE(sealed_secret, '') = $4 AND COALESCE(retired_sealed_secret, '') = $5";
        let (mut tx, mut written) = (self.db.begin().await?, 0);
        for (from, to) in batch {
            let (current, retired) = (to.current.expose(), to.retired.expose());
            let bound =
                values![from.id.as_str(), current, retired, from.current.expose(), from.retired.expose()];
            written += tx.execute(RESEAL, bound).await?;
        }
        if written > 0 {
            raise(&mut tx, Topic::Clients).await?;
        }
        tx.commit().await?;
        Ok(written)
    }
}
