//! What a client expects of a sign-in.

use clap::Args;

use crate::model::ClientSignIn;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct SignInArgs {}

impl SignInArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, _place: &mut ClientSignIn) {}
}
