//! Clients and their secrets: digests, and sealed copies where the method needs them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::FromRow;

use super::authority::hold_client;
use super::changes::{Topic, raise};
use super::db::{Value, values};
use super::{Storage, StorageError};
use crate::model::{ClientId, ClientMetadata, ClientSecrets, Noted, RetiredSecret, Secret, Timestamp};

#[derive(FromRow)]
pub(super) struct ClientRow {
    id: String,
    metadata: String,
    secret_digest: Option<String>,
    retired_secret_digest: Option<String>,
    retired_secret_expires_at: Option<i64>,
    sealed_secret: Option<String>,
    retired_sealed_secret: Option<String>,
    unused_until: Option<i64>,
    revision: i64,
}

/// A client as it was read. What is changed in it is written only while nobody else has changed it since.
#[derive(Debug, Clone)]
pub struct StoredClient {
    pub client: ClientMetadata,
    pub secrets: ClientSecrets,
    pub(super) revision: i64,
}

macro_rules! client_columns {
    () => {
        "id, metadata, secret_digest, retired_secret_digest, retired_secret_expires_at, \
         sealed_secret, retired_sealed_secret, unused_until, revision"
    };
}
pub(super) use client_columns;

impl ClientRow {
    pub(super) fn into_client(self) -> Result<StoredClient, StorageError> {
        let impossible =
            |what: &dyn ToString| StorageError::impossible("clients", &self.id, what.to_string());
        let mut client: ClientMetadata =
            serde_json::from_str(&self.metadata).map_err(|error| impossible(&error))?;
        if let Some(origin) = &mut client.origin.self_registered {
            origin.unused_until = self.unused_until.map(Timestamp::from_unix);
        }
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
        let secrets = ClientSecrets { current, sealed: self.sealed_secret.map(Secret::new), retired };
        Ok(StoredClient { client, secrets, revision: self.revision })
    }
}

/// What goes into the columns of secrets.
pub(super) struct SecretColumns<'a> {
    pub current: Option<String>,
    pub retired: Option<String>,
    pub retired_expires_at: Option<i64>,
    pub sealed: Option<&'a str>,
    pub retired_sealed: Option<&'a str>,
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

pub(super) fn metadata(client: &ClientMetadata) -> Result<String, StorageError> {
    serde_json::to_string(client)
        .map_err(|error| StorageError::impossible("clients", client.id.as_str(), error.to_string()))
}

/// Writes all that follows from a client's metadata and secrets, unless somebody else has changed it since it was read.
pub(super) const UPDATE: &str = "UPDATE clients SET metadata = $2, secret_digest = $3, retired_secret_digest = $4, \
     retired_secret_expires_at = $5, updated_at = $6, sealed_secret = $7, retired_sealed_secret = $8, \
     backchannel_logout = $9, for_everybody = $10, frontchannel_logout = $11, revision = revision + 1 \
     WHERE id = $1 AND revision = $12";

/// What [`UPDATE`] binds.
pub(super) fn update_values<'v>(
    client: &'v ClientMetadata,
    revision: i64,
    metadata: &'v str,
    columns: &'v SecretColumns<'v>,
    now: Timestamp,
) -> [Value<'v>; 12] {
    [
        client.id.as_str().into(),
        metadata.into(),
        columns.current.as_deref().into(),
        columns.retired.as_deref().into(),
        columns.retired_expires_at.into(),
        now.unix().into(),
        columns.sealed.into(),
        columns.retired_sealed.into(),
        client.logout.backchannel_logout_uri.is_some().into(),
        client.is_for_everybody().into(),
        client.logout.frontchannel_logout_uri.is_some().into(),
        revision.into(),
    ]
}

impl Storage {
    pub async fn client(&self, id: &ClientId) -> Result<Option<StoredClient>, StorageError> {
        const FIND: &str = concat!("SELECT ", client_columns!(), " FROM clients WHERE id = $1");
        let row: Option<ClientRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(ClientRow::into_client).transpose()
    }

    /// All clients, the oldest first.
    pub async fn clients(&self) -> Result<Vec<ClientMetadata>, StorageError> {
        const LIST: &str = concat!("SELECT ", client_columns!(), " FROM clients ORDER BY created_at, id");
        let rows: Vec<ClientRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(|row| row.into_client().map(|stored| stored.client)).collect()
    }

    /// The next clients after this place, at most a few hundred, and the place after them: for whoever goes through all of
    /// them without holding all.
    pub async fn clients_after(
        &self,
        place: &str,
    ) -> Result<Option<(Vec<ClientMetadata>, String)>, StorageError> {
        const NEXT: &str =
            concat!("SELECT ", client_columns!(), " FROM clients WHERE id > $1 ORDER BY id LIMIT 500");
        let rows: Vec<ClientRow> = self.db.fetch_all(NEXT, values![place]).await?;
        let Some(last) = rows.last().map(|row| row.id.clone()) else { return Ok(None) };
        let clients = rows.into_iter().map(|row| row.into_client().map(|stored| stored.client));
        Ok(Some((clients.collect::<Result<_, _>>()?, last)))
    }

    /// The clients that everybody may start from their account page.
    pub async fn clients_for_everybody(&self) -> Result<Vec<ClientMetadata>, StorageError> {
        const LIST: &str =
            concat!("SELECT ", client_columns!(), " FROM clients WHERE for_everybody ORDER BY id");
        let rows: Vec<ClientRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(|row| row.into_client().map(|stored| stored.client)).collect()
    }

    /// Registers a client. False when its id is taken.
    pub async fn insert_client(
        &self,
        noted: Noted,
        client: &ClientMetadata,
        secrets: &ClientSecrets,
    ) -> Result<bool, StorageError> {
        // One of the same id that was deleted is another: what was read of it is written upon nothing of this one.
        const INSERT: &str = "INSERT INTO clients (id, metadata, secret_digest, retired_secret_digest, \
             retired_secret_expires_at, created_at, updated_at, sealed_secret, retired_sealed_secret, backchannel_logout, \
             for_everybody, frontchannel_logout, revision) \
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $6) ON CONFLICT (id) DO NOTHING";
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
            client.is_for_everybody(),
            client.logout.frontchannel_logout_uri.is_some(),
        ];
        let inserted = self.write(noted, Topic::Clients, INSERT, bound).await? == 1;
        Ok(inserted)
    }

    /// Replaces a client's metadata and secrets. False when somebody has changed or deleted it since it was read.
    pub async fn update_client(
        &self,
        noted: Noted,
        changed: &StoredClient,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let (metadata, columns) = (metadata(&changed.client)?, SecretColumns::from(&changed.secrets));
        let bound = update_values(&changed.client, changed.revision, &metadata, &columns, now);
        let updated = self.write(noted, Topic::Clients, UPDATE, &bound).await? == 1;
        Ok(updated)
    }

    /// Ends all access of a client: revokes what it was granted and forgets what its users allowed it, and writes its
    /// metadata, which says that its other tokens end too. How many grants were revoked; none when somebody has changed or
    /// deleted it since it was read.
    pub async fn end_access_of_client(
        &self,
        noted: Noted,
        changed: &StoredClient,
        now: Timestamp,
    ) -> Result<Option<u64>, StorageError> {
        const REVOKE: &str =
            "UPDATE grants SET state = 'revoked' WHERE client_id = $1 AND state <> 'revoked'";
        const FORGET: &str = "DELETE FROM consents WHERE client_id = $1";
        let client = &changed.client;
        let (metadata, columns) = (metadata(client)?, SecretColumns::from(&changed.secrets));
        let mut tx = self.db.noting(noted).begin().await?;
        hold_client(&mut tx, &client.id).await?;
        if tx.execute(UPDATE, &update_values(client, changed.revision, &metadata, &columns, now)).await? == 0
        {
            return Ok(None);
        }
        let revoked = tx.execute(REVOKE, values![client.id.as_str()]).await?;
        tx.execute(FORGET, values![client.id.as_str()]).await?;
        raise(&mut tx, Topic::Clients).await?;
        tx.commit().await?;
        Ok(Some(revoked))
    }

    /// Deletes a client with all its grants and consents. False when there is no such client.
    pub async fn delete_client(&self, noted: Noted, id: &ClientId) -> Result<bool, StorageError> {
        let deleted = self
            .write(noted, Topic::Clients, "DELETE FROM clients WHERE id = $1", values![id.as_str()])
            .await?
            == 1;
        Ok(deleted)
    }
}
