//! Registered resources (RFC 8707), which every process holds in memory.

use serde::de::DeserializeOwned;
use sqlx::FromRow;

use super::changes::Topic;
use super::db::values;
use super::{Storage, StorageError};
use crate::model::{Algorithm, Catalogue, Noted, Resource, Timestamp, TokenFormat};

#[derive(FromRow)]
struct ResourceRow {
    id: String,
    name: String,
    scope: String,
    token_format: Option<String>,
    access_token_lifetime: Option<i64>,
    access_token_signed_response_alg: Option<String>,
    created_at: i64,
}

impl ResourceRow {
    fn into_resource(self) -> Result<Resource, StorageError> {
        let impossible =
            |what: &dyn ToString| StorageError::impossible("resources", &self.id, what.to_string());
        let scope = self.scope.parse().map_err(|error| impossible(&error))?;
        let token_format: Option<TokenFormat> =
            self.token_format.map(word).transpose().map_err(|error| impossible(&error))?;
        let algorithm: Option<Algorithm> = self
            .access_token_signed_response_alg
            .map(word)
            .transpose()
            .map_err(|error| impossible(&error))?;
        Ok(Resource {
            id: self.id,
            name: self.name,
            scope,
            token_format,
            access_token_lifetime: self.access_token_lifetime,
            access_token_signed_response_alg: algorithm,
            created_at: Timestamp::from_unix(self.created_at),
        })
    }
}

/// A value by the word that stands for it in documents too.
fn word<T: DeserializeOwned>(text: String) -> Result<T, serde_json::Error> {
    serde_json::from_value(text.into())
}

impl Storage {
    /// Everything registered about resources and scopes: what is held in memory.
    pub async fn catalogue(&self) -> Result<Catalogue, StorageError> {
        Ok(Catalogue::new(self.resources().await?, self.scopes().await?))
    }

    /// All resources, the oldest first.
    pub async fn resources(&self) -> Result<Vec<Resource>, StorageError> {
        const LIST: &str = "SELECT id, name, scope, token_format, access_token_lifetime, \
             access_token_signed_response_alg, created_at FROM resources ORDER BY created_at, id";
        let rows: Vec<ResourceRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(ResourceRow::into_resource).collect()
    }

    /// Registers a resource. False when its URI is taken.
    pub async fn insert_resource(&self, noted: Noted, resource: &Resource) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO resources (id, name, scope, token_format, access_token_lifetime, \
             access_token_signed_response_alg, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
             ON CONFLICT (id) DO NOTHING";
        self.write_resource(noted, INSERT, resource, resource.created_at).await
    }

    /// Replaces what is registered of a resource. False when there is no such resource.
    pub async fn update_resource(
        &self,
        noted: Noted,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE resources SET name = $2, scope = $3, token_format = $4, \
             access_token_lifetime = $5, access_token_signed_response_alg = $6, updated_at = $7 WHERE id = $1";
        self.write_resource(noted, UPDATE, resource, now).await
    }

    /// Deletes a resource: no token is issued for it any more. False when there is no such resource.
    pub async fn delete_resource(&self, noted: Noted, id: &str) -> Result<bool, StorageError> {
        let deleted =
            self.write(noted, Topic::Resources, "DELETE FROM resources WHERE id = $1", values![id]).await?
                == 1;
        Ok(deleted)
    }

    async fn write_resource(
        &self,
        noted: Noted,
        sql: &'static str,
        resource: &Resource,
        at: Timestamp,
    ) -> Result<bool, StorageError> {
        let scope = resource.scope.to_string();
        let bound = values![
            &resource.id,
            &resource.name,
            &scope,
            resource.token_format.map(TokenFormat::as_str),
            resource.access_token_lifetime,
            resource.access_token_signed_response_alg.map(Algorithm::as_str),
            at.unix(),
        ];
        let written = self.write(noted, Topic::Resources, sql, bound).await? == 1;
        Ok(written)
    }
}
