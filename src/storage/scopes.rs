//! Registered scopes, which every process holds in memory.

use sqlx::FromRow;

use super::changes::Topic;
use super::db::values;
use super::{Storage, StorageError};
use crate::model::{Noted, RegisteredScope, Timestamp};

#[derive(FromRow)]
struct ScopeRow {
    name: String,
    descriptions: String,
    implies: String,
    is_public: bool,
    created_at: i64,
}

impl ScopeRow {
    fn into_scope(self) -> Result<RegisteredScope, StorageError> {
        let impossible =
            |what: &dyn ToString| StorageError::impossible("scopes", &self.name, what.to_string());
        Ok(RegisteredScope {
            name: self.name.parse().map_err(|error| impossible(&error))?,
            descriptions: serde_json::from_str(&self.descriptions).map_err(|error| impossible(&error))?,
            implies: self.implies.parse().map_err(|error| impossible(&error))?,
            is_public: self.is_public,
            created_at: Timestamp::from_unix(self.created_at),
        })
    }
}

impl Storage {
    /// All registered scopes in alphabetical order.
    pub async fn scopes(&self) -> Result<Vec<RegisteredScope>, StorageError> {
        const LIST: &str =
            "SELECT name, descriptions, implies, is_public, created_at FROM scopes ORDER BY name";
        let rows: Vec<ScopeRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(ScopeRow::into_scope).collect()
    }

    /// Registers a scope. False when it is registered already.
    pub async fn insert_scope(&self, noted: Noted, scope: &RegisteredScope) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO scopes (name, descriptions, implies, is_public, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (name) DO NOTHING";
        self.write_scope(noted, INSERT, scope, scope.created_at).await
    }

    /// Replaces what is registered of a scope. False when there is no such scope.
    pub async fn update_scope(
        &self,
        noted: Noted,
        scope: &RegisteredScope,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const UPDATE: &str = "UPDATE scopes SET descriptions = $2, implies = $3, is_public = $4, updated_at = $5 \
             WHERE name = $1";
        self.write_scope(noted, UPDATE, scope, now).await
    }

    /// Forgets what is registered of a scope. False when there is no such scope.
    pub async fn delete_scope(&self, noted: Noted, name: &str) -> Result<bool, StorageError> {
        let deleted =
            self.write(noted, Topic::Scopes, "DELETE FROM scopes WHERE name = $1", values![name]).await? == 1;
        Ok(deleted)
    }

    async fn write_scope(
        &self,
        noted: Noted,
        sql: &'static str,
        scope: &RegisteredScope,
        at: Timestamp,
    ) -> Result<bool, StorageError> {
        let name = scope.name.as_str();
        let descriptions = serde_json::to_string(&scope.descriptions)
            .map_err(|error| StorageError::impossible("scopes", name, error))?;
        let implies = scope.implies.to_string();
        let bound = values![name, &descriptions, &implies, scope.is_public, at.unix()];
        let written = self.write(noted, Topic::Scopes, sql, bound).await? == 1;
        Ok(written)
    }
}
