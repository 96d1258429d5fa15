//! How a client sends authorization requests and gets their answers.

use clap::Args;

use crate::cli::given::{Given, or_preset, set, word};
use crate::model::{Algorithm, ClientRequests, ResponseType};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Debug, Default, Args)]
pub struct RequestArgs {
    /// A response type the client may ask for, like "code id_token"; may be repeated. By default code.
    #[arg(long = "response-type", value_name = "TYPE", value_parser = or_preset(str::parse::<ResponseType>))]
    pub response_types: Vec<Given<ResponseType>>,
    /// The algorithm that signs the client's authorization responses, every one of them then.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub authorization_signed_response_alg: Option<Given<Algorithm>>,
}

impl RequestArgs {
    /// Puts what was given into `place`.
    pub fn apply(self, place: &mut ClientRequests) {
        if !self.response_types.is_empty() {
            place.response_types.clear();
        }
        for given in self.response_types {
            match given {
                Given::Is(response_type) if !place.response_types.contains(&response_type) => {
                    place.response_types.push(response_type);
                }
                Given::Is(_) | Given::Preset => {}
            }
        }
        set(&mut place.authorization_signed_response_alg, self.authorization_signed_response_alg);
    }
}
