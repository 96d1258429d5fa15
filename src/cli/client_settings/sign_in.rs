//! What a client expects of a sign-in.

use clap::Args;

use crate::cli::given::{Given, or_preset, replace, set, set_text};
use crate::model::ClientSignIn;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SignInArgs {
    /// Where people start the application from their account page; https.
    #[arg(long, value_name = "URI")]
    pub initiate_login_uri: Option<String>,
    /// The max_age of requests that have none: seconds since the sign-in that are still good enough.
    #[arg(long, value_name = "SECONDS", value_parser = or_preset(str::parse::<i64>))]
    pub default_max_age: Option<Given<i64>>,
    /// The acr_values of requests that have none; may be repeated. Pages of somebody else are told.
    #[arg(long = "default-acr-value", value_name = "ACR")]
    pub default_acr_values: Vec<String>,
}

impl SignInArgs {
    /// Puts what was given into `place`.
    pub(crate) fn apply(self, place: &mut ClientSignIn) {
        set_text(&mut place.initiate_login_uri, self.initiate_login_uri);
        set(&mut place.default_max_age, self.default_max_age);
        replace(&mut place.default_acr_values, self.default_acr_values);
    }
}
