//! What a user allowed a client, remembered so that only new scopes are asked for.

use sqlx::FromRow;

use super::db::{Transaction, values};
use super::{Storage, StorageError};
use crate::model::{ClientId, Grant, ScopeSet, Timestamp, UserId};

/// One user's standing yes to one client.
#[derive(Debug, Clone, PartialEq)]
pub struct Consent {
    pub client_id: ClientId,
    pub scope: ScopeSet,
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct ConsentRow {
    client_id: String,
    scope: String,
    created_at: i64,
}

impl ConsentRow {
    fn into_consent(self) -> Result<Consent, StorageError> {
        let scope = self
            .scope
            .parse()
            .map_err(|error| StorageError::impossible("consents", &self.client_id, error))?;
        Ok(Consent {
            client_id: ClientId::new(self.client_id),
            scope,
            created_at: Timestamp::from_unix(self.created_at),
        })
    }
}

impl Storage {
    pub async fn consent(&self, user: &UserId, client: &ClientId) -> Result<Option<Consent>, StorageError> {
        const FIND: &str =
            "SELECT client_id, scope, created_at FROM consents WHERE user_id = $1 AND client_id = $2";
        let row: Option<ConsentRow> =
            self.db.fetch_optional(FIND, values![user.as_str(), client.as_str()]).await?;
        row.map(ConsentRow::into_consent).transpose()
    }

    pub async fn consents_of(&self, user: &UserId) -> Result<Vec<Consent>, StorageError> {
        const LIST: &str =
            "SELECT client_id, scope, created_at FROM consents WHERE user_id = $1 ORDER BY created_at";
        let rows: Vec<ConsentRow> = self.db.fetch_all(LIST, values![user.as_str()]).await?;
        rows.into_iter().map(ConsentRow::into_consent).collect()
    }

    /// Remembers the user's yes to `allowed` and issues the grant, both or neither. False when the grant was issued
    /// before: a form sent twice.
    pub async fn approve(&self, grant: &Grant, allowed: &ScopeSet) -> Result<bool, StorageError> {
        let mut tx = self.db.begin().await?;
        let issued = super::grants::insert(&mut tx, grant).await?;
        if issued {
            remember(&mut tx, grant, allowed).await?;
        }
        tx.commit().await?;
        Ok(issued)
    }

    /// Takes a client's access back: the consent is forgotten and every grant to it revoked.
    pub async fn withdraw(&self, user: &UserId, client: &ClientId) -> Result<(), StorageError> {
        const FORGET: &str = "DELETE FROM consents WHERE user_id = $1 AND client_id = $2";
        const REVOKE: &str = "UPDATE grants SET state = 'revoked' \
             WHERE user_id = $1 AND client_id = $2 AND state <> 'revoked'";
        let mut tx = self.db.begin().await?;
        tx.execute(FORGET, values![user.as_str(), client.as_str()]).await?;
        tx.execute(REVOKE, values![user.as_str(), client.as_str()]).await?;
        tx.commit().await
    }
}

/// Remembers the user's yes in a transaction.
pub(super) async fn remember(
    tx: &mut Transaction,
    grant: &Grant,
    allowed: &ScopeSet,
) -> Result<(), StorageError> {
    const REMEMBER: &str = "INSERT INTO consents (user_id, client_id, scope, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT (user_id, client_id) \
         DO UPDATE SET scope = $3, updated_at = $4";
    let allowed = allowed.to_string();
    let bound = values![grant.user_id.as_str(), grant.client_id.as_str(), &allowed, grant.created_at.unix()];
    tx.execute(REMEMBER, bound).await.map(|_| ())
}
