//! Issuers whose software statements are believed (RFC 7591 2.3).

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{SoftwareIssuer, Timestamp};

#[derive(FromRow)]
struct IssuerRow {
    issuer: String,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    created_at: i64,
}

impl IssuerRow {
    fn into_issuer(self) -> Result<SoftwareIssuer, StorageError> {
        let impossible =
            |error| StorageError::impossible("software_issuers", &self.issuer, format!("jwks: {error}"));
        let jwks = self.jwks.as_deref().map(serde_json::from_str).transpose().map_err(impossible)?;
        Ok(SoftwareIssuer {
            jwks,
            jwks_uri: self.jwks_uri,
            created_at: Timestamp::from_unix(self.created_at),
            issuer: self.issuer,
        })
    }
}

impl Storage {
    pub async fn software_issuer(&self, issuer: &str) -> Result<Option<SoftwareIssuer>, StorageError> {
        const FIND: &str =
            "SELECT issuer, jwks, jwks_uri, created_at FROM software_issuers WHERE issuer = $1";
        let row: Option<IssuerRow> = self.db.fetch_optional(FIND, values![issuer]).await?;
        row.map(IssuerRow::into_issuer).transpose()
    }

    /// All of them, by name.
    pub async fn software_issuers(&self) -> Result<Vec<SoftwareIssuer>, StorageError> {
        const LIST: &str = "SELECT issuer, jwks, jwks_uri, created_at FROM software_issuers ORDER BY issuer";
        let rows: Vec<IssuerRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(IssuerRow::into_issuer).collect()
    }

    /// Believes an issuer. False when it is believed already.
    pub async fn insert_software_issuer(&self, issuer: &SoftwareIssuer) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO software_issuers (issuer, jwks, jwks_uri, created_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (issuer) DO NOTHING";
        let jwks = issuer.jwks.as_ref().map(ToString::to_string);
        let bound =
            values![&issuer.issuer, jwks.as_deref(), issuer.jwks_uri.as_deref(), issuer.created_at.unix(),];
        Ok(self.db.execute(INSERT, bound).await? == 1)
    }

    /// Believes an issuer no more. False when it was not believed.
    pub async fn delete_software_issuer(&self, issuer: &str) -> Result<bool, StorageError> {
        Ok(self.db.execute("DELETE FROM software_issuers WHERE issuer = $1", values![issuer]).await? == 1)
    }
}
