//! What a client's tokens are for and what is in them.

use std::str::FromStr as _;

use clap::Args;

use crate::cli::given::{Given, or_preset, word};
use crate::model::{ScopeStrategy, TokenFormat};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ClientTokens {
    /// A registered resource the client may ask tokens for; may be repeated.
    #[arg(long = "resource", value_name = "URI")]
    pub resources: Vec<String>,
    /// The resource whose server this client is: it may introspect that one's tokens.
    #[arg(long, value_name = "URI")]
    pub resource_server: Option<String>,
    /// How the client's scopes cover the ones it asks for.
    #[arg(long, value_name = "STRATEGY", value_parser = word::<ScopeStrategy>)]
    pub scope_strategy: Option<Given<ScopeStrategy>>,
    /// Whether the client's access tokens can be read by others (jwt) or by this server only (opaque).
    #[arg(long, value_name = "FORMAT", value_parser = word::<TokenFormat>)]
    pub token_format: Option<Given<TokenFormat>>,
    /// An extra claim of access tokens, such as locale=user.profile.locale or tenant=const:acme; may be repeated.
    #[arg(long = "claim", value_name = "NAME=SOURCE")]
    pub claims: Vec<String>,
    /// An extra claim of ID tokens; may be repeated.
    #[arg(long = "id-token-claim", value_name = "NAME=SOURCE")]
    pub id_token_claims: Vec<String>,
    /// Whether the token hook is asked about the client's tokens; an empty text means the server's default.
    #[arg(long, value_name = "BOOL", value_parser = or_preset(bool::from_str))]
    pub token_hook: Option<Given<bool>>,
}

impl ClientTokens {
    /// One that was deleted since does not keep a client from being changed otherwise.
    pub(crate) fn names_resources(&self) -> bool {
        !self.resources.is_empty() || self.resource_server.is_some()
    }
}
