//! How a client is told who the user is.

use clap::Args;

use crate::cli::given::{self, Given, set_text, word};
use crate::model::{Algorithm, ClientIdentity, ContentEncryption, KeyManagement, SubjectType};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct IdentityArgs {
    /// The algorithm that signs introspection answers which the client asks for as a JWT.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub introspection_alg: Option<Given<Algorithm>>,
    /// Whether clients of other sectors know a user by the same sub, or each by its own.
    #[arg(long, value_name = "TYPE", value_parser = word::<SubjectType>)]
    pub subject_type: Option<Given<SubjectType>>,
    /// Where the redirect URIs of all clients are listed that know a user by the same sub; fetched now.
    #[arg(long, value_name = "URI")]
    pub sector_identifier_uri: Option<String>,
    /// How the key of the client's ID tokens is encrypted, which encrypts them.
    #[arg(long, value_name = "ALG", value_parser = word::<KeyManagement>)]
    pub id_token_encrypted_response_alg: Option<Given<KeyManagement>>,
    /// How the content of the client's ID tokens is encrypted.
    #[arg(long, value_name = "ENC", value_parser = word::<ContentEncryption>)]
    pub id_token_encrypted_response_enc: Option<Given<ContentEncryption>>,
    /// The algorithm that signs the client's UserInfo; without it that is plain JSON.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub userinfo_signed_response_alg: Option<Given<Algorithm>>,
    /// How the key of the client's UserInfo is encrypted, which encrypts it.
    #[arg(long, value_name = "ALG", value_parser = word::<KeyManagement>)]
    pub userinfo_encrypted_response_alg: Option<Given<KeyManagement>>,
    /// How the content of the client's UserInfo is encrypted.
    #[arg(long, value_name = "ENC", value_parser = word::<ContentEncryption>)]
    pub userinfo_encrypted_response_enc: Option<Given<ContentEncryption>>,
}

impl IdentityArgs {
    /// Puts what was given into `place`.
    pub(crate) fn apply(self, place: &mut ClientIdentity) {
        given::set(&mut place.introspection_signed_response_alg, self.introspection_alg);
        given::set(&mut place.subject_type, self.subject_type);
        set_text(&mut place.sector_identifier_uri, self.sector_identifier_uri);
        given::set(&mut place.id_token_encrypted_response_alg, self.id_token_encrypted_response_alg);
        given::set(&mut place.id_token_encrypted_response_enc, self.id_token_encrypted_response_enc);
        given::set(&mut place.userinfo_signed_response_alg, self.userinfo_signed_response_alg);
        given::set(&mut place.userinfo_encrypted_response_alg, self.userinfo_encrypted_response_alg);
        given::set(&mut place.userinfo_encrypted_response_enc, self.userinfo_encrypted_response_enc);
    }
}
