//! Commands about resources and scopes.

use clap::{Args, Subcommand};

use super::output::Output;
use crate::cli::given::{Given, or_preset, within, word};
use crate::model::{Algorithm, TokenFormat};
use crate::protocol::registration::MAX_ACCESS_TOKEN_LIFETIME;

#[derive(Debug, Subcommand)]
pub(crate) enum ResourceCommand {
    /// Register a resource: an API that clients may ask tokens for.
    Create(ResourceCreate),
    /// List the resources.
    List(Output),
    /// Show a resource.
    Show(ResourceUri),
    /// Change a resource: what is given replaces what was.
    Update(ResourceUpdate),
    /// Delete a resource: no token is issued for it any more.
    Delete(ResourceUri),
}

#[derive(Debug, Args)]
pub(crate) struct ResourceUri {
    /// The resource's absolute URI, the audience of its tokens.
    #[arg(value_name = "URI")]
    pub uri: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ResourceCreate {
    /// The resource's absolute URI, the audience of its tokens.
    #[arg(value_name = "URI")]
    pub uri: String,
    /// The name that the consent page shows.
    #[arg(long)]
    pub name: String,
    #[command(flatten)]
    pub settings: ResourceSettings,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ResourceUpdate {
    /// The resource's absolute URI, the audience of its tokens.
    #[arg(value_name = "URI")]
    pub uri: String,
    /// The name that the consent page shows.
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub settings: ResourceSettings,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Default, Args)]
pub(crate) struct ResourceSettings {
    /// The resource's own scopes, separated by spaces: only these go into its tokens. Empty: it has none of its own.
    #[arg(long)]
    pub scope: Option<String>,
    /// Whether the resource can read its tokens (jwt) or has to introspect them (opaque).
    #[arg(long, value_name = "FORMAT", value_parser = word::<TokenFormat>)]
    pub token_format: Option<Given<TokenFormat>>,
    /// The lifetime of the resource's access tokens in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = or_preset(within::<1, MAX_ACCESS_TOKEN_LIFETIME>))]
    pub access_token_lifetime: Option<Given<i64>>,
    /// The algorithm that signs the resource's access tokens.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub access_token_alg: Option<Given<Algorithm>>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScopeCommand {
    /// Register a scope: what it means, and which others it implies.
    Create(ScopeWrite),
    /// List the registered scopes.
    List(Output),
    /// Show a scope.
    Show(ScopeName),
    /// Change a scope: what is given replaces what was.
    Update(ScopeWrite),
    /// Forget what is registered of a scope.
    Delete(ScopeName),
}

#[derive(Debug, Args)]
pub(crate) struct ScopeName {
    /// The scope, as clients ask for it.
    #[arg(value_name = "SCOPE")]
    pub scope: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ScopeWrite {
    /// The scope, as clients ask for it.
    #[arg(value_name = "SCOPE")]
    pub scope: String,
    /// What it lets an application do, as en="See your calendar"; one for each language, an empty one is removed.
    #[arg(long = "description", value_name = "LANGUAGE=TEXT")]
    pub descriptions: Vec<String>,
    /// Scopes that whoever may ask for this one may ask for too, separated by spaces.
    #[arg(long, value_name = "SCOPES")]
    pub implies: Option<String>,
    /// List it in the metadata document.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub public: Option<bool>,
    #[command(flatten)]
    pub output: Output,
}
