//! The data keys of a moment.

use std::sync::Arc;

use crate::crypto::data_key::DataKey;
use crate::crypto::master_key_error::MasterKeyError;
use crate::model::DataKeyState;

/// The data keys of a moment.
pub(super) struct Ring {
    /// By number.
    pub keys: Vec<Arc<DataKey>>,
    pub current: Arc<DataKey>,
    /// The ids of the master keys that they are sealed under.
    pub sealed_under: Vec<String>,
}

impl Ring {
    pub(super) fn new(
        mut keys: Vec<Arc<DataKey>>,
        sealed_under: Vec<String>,
    ) -> Result<Self, MasterKeyError> {
        keys.sort_by_key(|key| key.number);
        let current = keys.iter().rfind(|key| key.state == DataKeyState::Current);
        let current = Arc::clone(current.ok_or(MasterKeyError::NoDataKey)?);
        Ok(Self { keys, current, sealed_under })
    }

    /// Those that count, the current one first.
    pub(super) fn counting(&self) -> impl Iterator<Item = &DataKey> {
        let others = self.keys.iter().rev().filter(|key| key.counts() && key.number != self.current.number);
        std::iter::once(&*self.current).chain(others.map(|key| &**key))
    }
}
