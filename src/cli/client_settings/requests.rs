//! How a client sends authorization requests and gets their answers.

use clap::Args;

use crate::cli::given::{Given, or_preset, replace, set, word};
use crate::model::{
    Algorithm, ClientRequests, ContentEncryption, KeyManagement, RequestObjectAlgorithm, ResponseType,
};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RequestArgs {
    /// A response type the client may ask for, like "code id_token"; may be repeated. By default code.
    #[arg(long = "response-type", value_name = "TYPE", value_parser = or_preset(str::parse::<ResponseType>))]
    pub response_types: Vec<Given<ResponseType>>,
    /// The algorithm that signs the client's authorization responses, every one of them then.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub authorization_signed_response_alg: Option<Given<Algorithm>>,
    /// How the key of the client's authorization responses is encrypted, which encrypts them, every one of them then.
    #[arg(long, value_name = "ALG", value_parser = word::<KeyManagement>)]
    pub authorization_encrypted_response_alg: Option<Given<KeyManagement>>,
    /// How the content of the client's authorization responses is encrypted.
    #[arg(long, value_name = "ENC", value_parser = word::<ContentEncryption>)]
    pub authorization_encrypted_response_enc: Option<Given<ContentEncryption>>,
    /// Refuse authorization requests of the client that were not pushed first.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub require_pushed_authorization_requests: Option<bool>,
    /// Refuse authorization requests of the client that are not in a request object with its signature.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub require_signed_request_object: Option<bool>,
    /// The algorithm that signs the client's request objects; none for unsigned ones.
    #[arg(long, value_name = "ALG", value_parser = or_preset(str::parse::<RequestObjectAlgorithm>))]
    pub request_object_signing_alg: Option<Given<RequestObjectAlgorithm>>,
    /// How the key of the client's request objects is encrypted to this server; unencrypted ones are refused then.
    #[arg(long, value_name = "ALG", value_parser = word::<KeyManagement>)]
    pub request_object_encryption_alg: Option<Given<KeyManagement>>,
    /// How the content of the client's request objects is encrypted.
    #[arg(long, value_name = "ENC", value_parser = word::<ContentEncryption>)]
    pub request_object_encryption_enc: Option<Given<ContentEncryption>>,
    /// A URI that request objects of the client may be fetched from; may be repeated.
    #[arg(long = "request-uri", value_name = "URI")]
    pub request_uris: Vec<String>,
}

impl RequestArgs {
    /// Puts what was given into `place`.
    pub(crate) fn apply(self, place: &mut ClientRequests) {
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
        set(&mut place.authorization_encrypted_response_alg, self.authorization_encrypted_response_alg);
        set(&mut place.authorization_encrypted_response_enc, self.authorization_encrypted_response_enc);
        let required = &mut place.require_pushed_authorization_requests;
        *required = self.require_pushed_authorization_requests.unwrap_or(*required);
        let required = &mut place.require_signed_request_object;
        *required = self.require_signed_request_object.unwrap_or(*required);
        set(&mut place.request_object_signing_alg, self.request_object_signing_alg);
        set(&mut place.request_object_encryption_alg, self.request_object_encryption_alg);
        set(&mut place.request_object_encryption_enc, self.request_object_encryption_enc);
        replace(&mut place.request_uris, self.request_uris);
    }
}
