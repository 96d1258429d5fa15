//! How a client sends authorization requests and gets their answers.

use clap::Args;

use crate::model::ClientRequests;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct RequestArgs {}

impl RequestArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, _place: &mut ClientRequests) {}
}
