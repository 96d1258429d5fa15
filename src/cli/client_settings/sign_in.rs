//! What a client expects of a sign-in.

use clap::Args;

use super::set_text;
use crate::model::ClientSignIn;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct SignInArgs {
    /// Where people start the application from their account page; https.
    #[arg(long, value_name = "URI")]
    pub initiate_login_uri: Option<String>,
}

impl SignInArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, place: &mut ClientSignIn) {
        set_text(&mut place.initiate_login_uri, self.initiate_login_uri);
    }
}
