//! What is remembered as allowed, and how its columns have it.

use crate::model::{Allowed, ClientId, Timestamp};
use crate::storage::StorageError;

/// One user's standing yes to one client.
#[derive(Debug, Clone, PartialEq)]
pub struct Consent {
    pub client_id: ClientId,
    pub allowed: Allowed,
    pub created_at: Timestamp,
    /// None: until it is taken back.
    pub expires_at: Option<Timestamp>,
}

/// What was allowed, as its columns have it.
pub(in crate::storage) struct AllowedColumns {
    pub scope: String,
    pub resources: String,
}

impl AllowedColumns {
    pub(in crate::storage) fn of(client: &ClientId, allowed: &Allowed) -> Result<Self, StorageError> {
        let resources = serde_json::to_string(&allowed.resources)
            .map_err(|error| StorageError::impossible("consents", client.as_str(), error.to_string()))?;
        Ok(Self { scope: allowed.scope.to_string(), resources })
    }
}
