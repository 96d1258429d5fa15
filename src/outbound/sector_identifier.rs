//! The document behind a `sector_identifier_uri` (OpenID Connect Registration 5).

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{ClientMetadata, Timestamp};
use crate::outbound::{Documents, OutboundError};

pub const MEMBER: &str = "sector_identifier_uri";
const ACCEPT: &str = "application/json";

/// Why a client may not belong to the sector it names.
#[derive(Debug, thiserror::Error)]
pub enum NotOfSector {
    #[error("it could not be fetched: {0}")]
    Unreachable(#[from] Arc<OutboundError>),
    #[error("it MUST be a JSON array of redirect URIs")]
    NoList(#[from] serde_json::Error),
    #[error("its list lacks the redirect URI {0}")]
    Missing(String),
}

impl NotOfSector {
    /// Whether nothing was tried, because too much is being fetched.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Unreachable(error) if error.is_busy())
    }
}

/// Registration 5: the redirect URIs of the client MUST be in the list. Asked when the client is registered and when
/// one of the two changes; never while it is served.
pub async fn check(
    documents: &Documents,
    client: &ClientMetadata,
    now: Timestamp,
) -> Result<(), NotOfSector> {
    let Some(uri) = &client.identity.sector_identifier_uri else { return Ok(()) };
    let fetched = documents.get(None, uri, ACCEPT, now).await?;
    must_list(&fetched.body, client)
}

/// Whether a fetched list has all redirect URIs of the client.
pub fn must_list(document: &[u8], client: &ClientMetadata) -> Result<(), NotOfSector> {
    // Many URIs may be listed: each is looked up once, among the few of the client.
    let listed: Vec<String> = serde_json::from_slice(document)?;
    let own: HashSet<&str> = client.redirect_uris.iter().map(String::as_str).collect();
    let found: HashSet<&str> = listed.iter().filter_map(|uri| own.get(uri.as_str()).copied()).collect();
    match client.redirect_uris.iter().find(|uri| !found.contains(uri.as_str())) {
        Some(missing) => Err(NotOfSector::Missing(missing.clone())),
        None => Ok(()),
    }
}
