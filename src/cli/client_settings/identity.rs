//! How a client is told who the user is.

use clap::Args;

use crate::model::ClientIdentity;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct IdentityArgs {}

impl IdentityArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, _place: &mut ClientIdentity) {}
}
