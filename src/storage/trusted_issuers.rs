//! Issuers whose assertions stand for a user's authorization.

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{KeySource, Noted, SubjectClaim, Timestamp, TrustedIssuer};

#[derive(FromRow)]
struct IssuerRow {
    issuer: String,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    subject_claim: String,
    created_at: i64,
}

impl IssuerRow {
    fn into_issuer(self) -> Result<TrustedIssuer, StorageError> {
        let impossible =
            |what: &dyn ToString| StorageError::impossible("trusted_issuers", &self.issuer, what.to_string());
        let subject_claim =
            SubjectClaim::named(&self.subject_claim).ok_or_else(|| impossible(&"unknown subject_claim"))?;
        let keys = keys_of(self.jwks.as_deref(), self.jwks_uri);
        Ok(TrustedIssuer {
            keys: keys.map_err(|problem| impossible(&problem))?,
            subject_claim,
            created_at: Timestamp::from_unix(self.created_at),
            issuer: self.issuer,
        })
    }
}

/// Where an issuer's keys are, by its two columns.
pub(super) fn keys_of(jwks: Option<&str>, jwks_uri: Option<String>) -> Result<KeySource, String> {
    let jwks = jwks.map(serde_json::from_str).transpose().map_err(|error| format!("jwks: {error}"))?;
    let keys = KeySource::of(jwks, jwks_uri).map_err(|both| both.to_string())?;
    keys.ok_or_else(|| "neither jwks nor jwks_uri".to_owned())
}

impl Storage {
    pub async fn trusted_issuer(&self, issuer: &str) -> Result<Option<TrustedIssuer>, StorageError> {
        const FIND: &str = "SELECT issuer, jwks, jwks_uri, subject_claim, created_at FROM trusted_issuers \
             WHERE issuer = $1";
        let row: Option<IssuerRow> = self.db.fetch_optional(FIND, values![issuer]).await?;
        row.map(IssuerRow::into_issuer).transpose()
    }

    /// All of them, by name.
    pub async fn trusted_issuers(&self) -> Result<Vec<TrustedIssuer>, StorageError> {
        const LIST: &str = "SELECT issuer, jwks, jwks_uri, subject_claim, created_at FROM trusted_issuers \
             ORDER BY issuer";
        let rows: Vec<IssuerRow> = self.db.fetch_all(LIST, values![]).await?;
        rows.into_iter().map(IssuerRow::into_issuer).collect()
    }

    /// Trusts an issuer. False when it is trusted already.
    pub async fn insert_trusted_issuer(
        &self,
        noted: Noted,
        issuer: &TrustedIssuer,
    ) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO trusted_issuers (issuer, jwks, jwks_uri, subject_claim, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer) DO NOTHING";
        let jwks = issuer.keys.jwks().map(ToString::to_string);
        let bound = values![
            &issuer.issuer,
            jwks.as_deref(),
            issuer.keys.jwks_uri().map(String::as_str),
            issuer.subject_claim.as_str(),
            issuer.created_at.unix(),
        ];
        Ok(self.db.noting(noted).execute(INSERT, bound).await? == 1)
    }

    /// Trusts an issuer no more. False when it was not trusted.
    pub async fn delete_trusted_issuer(&self, noted: Noted, issuer: &str) -> Result<bool, StorageError> {
        Ok(self
            .db
            .noting(noted)
            .execute("DELETE FROM trusted_issuers WHERE issuer = $1", values![issuer])
            .await?
            == 1)
    }
}
