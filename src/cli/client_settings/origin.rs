//! Where a registration comes from and what it says of the software.

use clap::Args;

use crate::model::ClientOrigin;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct OriginArgs {}

impl OriginArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, _place: &mut ClientOrigin) {}
}
