//! How a client learns that a session has ended.

use clap::Args;

use crate::model::ClientLogout;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct LogoutArgs {}

impl LogoutArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, _place: &mut ClientLogout) {}
}
