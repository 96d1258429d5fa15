//! How far a look at all grants without an end of their own has come (`grants/unused.rs`).

use std::sync::{Mutex, PoisonError};

use crate::crypto::random;

/// Where the next look begins. Ids are random: to begin anywhere is fair, however often the server is started.
pub struct Walk(Mutex<String>);

impl Default for Walk {
    fn default() -> Self {
        Self(Mutex::new(random::id()))
    }
}

impl Walk {
    pub fn place(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn go_to(&self, place: &str) {
        place.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
