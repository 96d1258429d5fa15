//! Registered resources and scopes, all held in memory: looking one up never costs a statement. Replaced as a whole
//! when the database says that something changed.

use std::sync::{Arc, PoisonError, RwLock};

use crate::model::Catalogue;

/// The catalogue of the moment. Readers get a snapshot that stays valid while they use it.
pub struct Registry(RwLock<Arc<Catalogue>>);

impl Registry {
    pub fn new(catalogue: Catalogue) -> Self {
        Self(RwLock::new(Arc::new(catalogue)))
    }

    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, catalogue: Catalogue) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalogue);
    }
}
