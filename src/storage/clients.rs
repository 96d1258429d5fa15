//! Clients and their secrets: digests, and sealed copies where the method needs them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::FromRow;

use super::changes::Topic;
use super::db::values;
use super::{Storage, StorageError};
use crate::model::{Client, ClientId, ClientSecrets, RetiredSecret, Secret, Timestamp};

#[derive(FromRow)]
struct ClientRow {
    id: String,
    metadata: String,
    secret_digest: Option<String>,
    retired_secret_digest: Option<String>,
    retired_secret_expires_at: Option<i64>,
    sealed_secret: Option<String>,
    retired_sealed_secret: Option<String>,
}

impl ClientRow {
    fn into_client(self) -> Result<(Client, ClientSecrets), StorageError> {
        let impossible =
            |what: &dyn ToString| StorageError::impossible("clients", &self.id, what.to_string());
        let client: Client = serde_json::from_str(&self.metadata).map_err(|error| impossible(&error))?;
        let digest = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or_else(|| impossible(&"a secret's digest is not SHA-256"))
        };
        let retired = match (&self.retired_secret_digest, self.retired_secret_expires_at) {
            (Some(text), Some(expires_at)) => Some(RetiredSecret {
                digest: digest(text)?,
                sealed: self.retired_sealed_secret.clone().map(Secret::new),
                expires_at: Timestamp::from_unix(expires_at),
            }),
            _ => None,
        };
        let current = self.secret_digest.as_deref().map(digest).transpose()?;
        Ok((client, ClientSecrets { current, sealed: self.sealed_secret.map(Secret::new), retired }))
    }
}

/// What goes into the columns of secrets.
struct SecretColumns<'a> {
    current: Option<String>,
    retired: Option<String>,
    retired_expires_at: Option<i64>,
    sealed: Option<&'a str>,
    retired_sealed: Option<&'a str>,
}

impl<'a> From<&'a ClientSecrets> for SecretColumns<'a> {
    fn from(secrets: &'a ClientSecrets) -> Self {
        let retired = secrets.retired.as_ref();
        Self {
            current: secrets.current.map(|digest| URL_SAFE_NO_PAD.encode(digest)),
            retired: retired.map(|retired| URL_SAFE_NO_PAD.encode(retired.digest)),
            retired_expires_at: retired.map(|retired| retired.expires_at.unix()),
            sealed: secrets.sealed.as_ref().map(Secret::expose),
            retired_sealed: retired.and_then(|retired| retired.sealed.as_ref()).map(Secret::expose),
        }
    }
}

fn metadata(client: &Client) -> Result<String, StorageError> {
    serde_json::to_string(client)
        .map_err(|error| StorageError::impossible("clients", client.id.as_str(), error.to_string()))
}

impl Storage {
    pub async fn client(&self, id: &ClientId) -> Result<Option<(Client, ClientSecrets)>, StorageError> {
        const FIND: &str = "SELECT id, metadata, secret_digest, retired_secret_digest, retired_secret_expires_at, \
             sealed_secret, retired_sealed_secret FROM clients WHERE id = $1";
        let row: Option<ClientRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(ClientRow::into_client).transpose()
    }

    /// All clients, the oldest first.
    pub async fn clients(&self) -> Result<Vec<Client>, StorageError> {
        const LIST: &str = "SELECT id, metadata, secret_digest, retired_secret_digest, retired_secret_expires_at, \
             sealed_secret, retired_sealed_secret FROM clients ORDER BY created_at, id";
        let rows: Vec<ClientRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(|row| row.into_client().map(|(client, _)| client)).collect()
    }

    /// Registers a client. False when its id is taken.
    pub async fn insert_client(
        &self,
        client: &Client,
        secrets: &ClientSecrets,
    ) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO clients (id, metadata, secret_digest, retired_secret_digest, \
             retired_secret_expires_at, created_at, updated_at, sealed_secret, retired_sealed_secret, backchannel_logout) \
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9) \
             ON CONFLICT (id) DO NOTHING";
        let (metadata, columns) = (metadata(client)?, SecretColumns::from(secrets));
        let bound = values![
            client.id.as_str(),
            &metadata,
            columns.current.as_deref(),
            columns.retired.as_deref(),
            columns.retired_expires_at,
            client.created_at.unix(),
            columns.sealed,
            columns.retired_sealed,
            client.logout.backchannel_logout_uri.is_some(),
        ];
        let inserted = self.write(Topic::Clients, INSERT, bound).await? == 1;
        Ok(inserted)
    }

    /// Replaces a client's metadata and secrets. False when there is no such client.
    pub async fn update_client(
        &self,
        client: &Client,
        secrets: &ClientSecrets,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE clients SET metadata = $2, secret_digest = $3, retired_secret_digest = $4, \
             retired_secret_expires_at = $5, updated_at = $6, sealed_secret = $7, retired_sealed_secret = $8, \
             backchannel_logout = $9 WHERE id = $1";
        let (metadata, columns) = (metadata(client)?, SecretColumns::from(secrets));
        let bound = values![
            client.id.as_str(),
            &metadata,
            columns.current.as_deref(),
            columns.retired.as_deref(),
            columns.retired_expires_at,
            now.unix(),
            columns.sealed,
            columns.retired_sealed,
            client.logout.backchannel_logout_uri.is_some(),
        ];
        let updated = self.write(Topic::Clients, UPDATE, bound).await? == 1;
        Ok(updated)
    }

    /// Deletes a client with all its grants and consents. False when there is no such client.
    pub async fn delete_client(&self, id: &ClientId) -> Result<bool, StorageError> {
        let deleted =
            self.write(Topic::Clients, "DELETE FROM clients WHERE id = $1", values![id.as_str()]).await? == 1;
        Ok(deleted)
    }
}
