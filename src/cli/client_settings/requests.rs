//! How a client sends authorization requests and gets their answers.

use clap::Args;

use super::set_some;
use crate::cli::args;
use crate::model::{Algorithm, ClientRequests, ResponseType};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct RequestArgs {
    /// A response type the client may ask for, like "code id_token"; may be repeated. By default code.
    #[arg(long = "response-type", value_name = "TYPE")]
    pub response_types: Vec<ResponseType>,
    /// The algorithm that signs the client's authorization responses, every one of them then.
    #[arg(long, value_name = "ALG", value_parser = args::algorithm)]
    pub authorization_signed_response_alg: Option<Algorithm>,
}

impl RequestArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, place: &mut ClientRequests) {
        if !self.response_types.is_empty() {
            place.response_types.clear();
            for response_type in self.response_types {
                if !place.response_types.contains(&response_type) {
                    place.response_types.push(response_type);
                }
            }
        }
        set_some(&mut place.authorization_signed_response_alg, self.authorization_signed_response_alg);
    }
}
