//! Issuers whose software statements are believed (RFC 7591 2.3).

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError, trusted_issuers};
use crate::model::{Noted, SoftwareIssuer, Timestamp};

#[derive(FromRow)]
struct IssuerRow {
    issuer: String,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    created_at: i64,
}

impl IssuerRow {
    fn into_issuer(self) -> Result<SoftwareIssuer, StorageError> {
        let keys = trusted_issuers::keys_of(self.jwks.as_deref(), self.jwks_uri);
        Ok(SoftwareIssuer {
            keys: keys
                .map_err(|problem| StorageError::impossible("software_issuers", &self.issuer, problem))?,
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
    pub async fn insert_software_issuer(
        &self,
        noted: Noted,
        issuer: &SoftwareIssuer,
    ) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO software_issuers (issuer, jwks, jwks_uri, created_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (issuer) DO NOTHING";
        let jwks = issuer.keys.jwks().map(ToString::to_string);
        let jwks_uri = issuer.keys.jwks_uri().map(String::as_str);
        let bound = values![&issuer.issuer, jwks.as_deref(), jwks_uri, issuer.created_at.unix()];
        Ok(self.db.noting(noted).execute(INSERT, bound).await? == 1)
    }

    /// Believes an issuer no more. False when it was not believed.
    pub async fn delete_software_issuer(&self, noted: Noted, issuer: &str) -> Result<bool, StorageError> {
        Ok(self
            .db
            .noting(noted)
            .execute("DELETE FROM software_issuers WHERE issuer = $1", values![issuer])
            .await?
            == 1)
    }
}
