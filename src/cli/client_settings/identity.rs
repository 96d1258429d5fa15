//! How a client is told who the user is.

use clap::Args;

use crate::cli::given::{self, Given, word};
use crate::model::{Algorithm, ClientIdentity};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct IdentityArgs {
    /// The algorithm that signs introspection answers which the client asks for as a JWT.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub introspection_alg: Option<Given<Algorithm>>,
}

impl IdentityArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, place: &mut ClientIdentity) {
        given::set(&mut place.introspection_signed_response_alg, self.introspection_alg);
    }
}
