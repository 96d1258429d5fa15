//! `chancery client`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::Output;
use super::tokens::ClientTokens;
use crate::cli::client_settings::exchange::ExchangeArgs;
use crate::cli::client_settings::identity::IdentityArgs;
use crate::cli::client_settings::logout::LogoutArgs;
use crate::cli::client_settings::origin::OriginArgs;
use crate::cli::client_settings::requests::RequestArgs;
use crate::cli::client_settings::sign_in::SignInArgs;
use crate::cli::given::{Given, or_preset, within, word};
use crate::cli::one_of::one_of;
use crate::cli::switches::SwitchArgs;
use crate::model::{
    Algorithm, AssertionAlgorithm, AuthMethod, GrantType, IntrospectionPolicy, Lifetime, PkcePolicy, Ui,
};
use crate::protocol::registration::{MAX_ACCESS_TOKEN_LIFETIME, MAX_CODE_LIFETIME};

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Register a client; its secret is printed once.
    Create(Box<ClientCreate>),
    /// List the clients.
    List(Output),
    /// Show a client.
    Show(ClientId),
    /// Change a client: what is given replaces what was.
    Update(Box<ClientUpdate>),
    /// End all access of a client: revoke everything granted to it, and every access token. It stays registered.
    Revoke(ClientId),
    /// Delete a client and everything granted to it.
    Delete(ClientId),
    /// Make a new secret; it is printed once.
    RotateSecret(RotateSecret),
}

#[derive(Debug, Args)]
pub(crate) struct ClientId {
    /// The client's client_id.
    pub id: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RotateSecret {
    /// The client's client_id.
    pub id: String,
    /// Accept the old secret for this number of seconds more.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..))]
    pub keep_old: Option<i64>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ClientCreate {
    /// The name that the consent page shows.
    #[arg(long)]
    pub name: String,
    /// The client_id; made at random when it is absent.
    #[arg(long)]
    pub id: Option<String>,
    #[command(flatten)]
    pub settings: ClientSettings,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ClientUpdate {
    /// The client's client_id.
    pub id: String,
    /// The name that the consent page shows.
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub settings: ClientSettings,
    #[command(flatten)]
    pub output: Output,
}

/// What a client is set to; absent means the default when it is created, and no change when it is
/// updated. An empty text clears.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ClientSettings {
    /// A redirect URI; may be repeated.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub redirect_uris: Vec<String>,
    /// A URI to return to after sign-out; may be repeated.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    pub post_logout_redirect_uris: Vec<String>,
    /// The scopes the client may ask for, separated by spaces.
    #[arg(long)]
    pub scope: Option<String>,
    /// A grant type the client may use; may be repeated.
    ///
    /// Of a URN its last word is enough. Implicit is for response types with an access token or without a code; it needs
    /// grants.implicit.
    #[arg(long = "grant-type", value_name = "TYPE", value_parser = one_of::<GrantType>())]
    pub grant_types: Vec<GrantType>,
    /// How the client authenticates; none makes it a public client.
    #[arg(long, value_name = "METHOD", value_parser = one_of::<AuthMethod>())]
    pub auth_method: Option<AuthMethod>,
    /// The algorithm that the client signs its assertions with; by default any that goes with its method.
    #[arg(long, value_name = "ALG", value_parser = or_preset(str::parse::<AssertionAlgorithm>))]
    pub token_endpoint_auth_signing_alg: Option<Given<AssertionAlgorithm>>,
    /// A file with the client's public keys, a JWK Set.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    pub jwks: Option<PathBuf>,
    /// Where the client publishes its public keys.
    #[arg(long, value_name = "URI")]
    pub jwks_uri: Option<String>,
    /// Don't ask the user for consent: for the operator's own applications only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub skip_consent: Option<bool>,
    /// Give devices a link that fills in the user code, for a QR code: people then only compare it.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub verification_uri_complete: Option<bool>,
    /// Whose login and consent pages people see: the server's own, or those at ui.login_url and ui.consent_url.
    #[arg(long, value_name = "WHOSE", value_parser = word::<Ui>)]
    pub ui: Option<Given<Ui>>,
    /// Whether the client must use PKCE.
    #[arg(long, value_parser = word::<PkcePolicy>)]
    pub pkce: Option<Given<PkcePolicy>>,
    /// An audience of the client's access tokens; may be repeated.
    #[arg(long, value_name = "AUD")]
    pub audience: Vec<String>,
    /// Which tokens the client may introspect: those it owns or is the audience of, or any.
    #[arg(long, value_name = "POLICY", value_parser = word::<IntrospectionPolicy>)]
    pub introspection_policy: Option<Given<IntrospectionPolicy>>,
    /// The algorithm that signs the client's ID tokens.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub id_token_alg: Option<Given<Algorithm>>,
    /// The algorithm that signs the client's access tokens.
    #[arg(long, value_name = "ALG", value_parser = word::<Algorithm>)]
    pub access_token_alg: Option<Given<Algorithm>>,
    /// The lifetime of an access token in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = or_preset(within::<1, MAX_ACCESS_TOKEN_LIFETIME>))]
    pub access_token_lifetime: Option<Given<i64>>,
    /// The lifetime of a refresh token in seconds; -1 means never.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = or_preset(lifetime))]
    pub refresh_token_lifetime: Option<Given<Lifetime>>,
    /// The seconds after which an unused refresh token ends; -1 means never.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = or_preset(lifetime))]
    pub refresh_token_idle_lifetime: Option<Given<Lifetime>>,
    /// The lifetime of an authorization code in seconds, at most 600.
    #[arg(long, value_name = "SECONDS", value_parser = or_preset(within::<1, MAX_CODE_LIFETIME>))]
    pub authorization_code_lifetime: Option<Given<i64>>,
    /// The client's home page.
    #[arg(long, value_name = "URI")]
    pub client_uri: Option<String>,
    /// The client's logo, for the consent page.
    #[arg(long, value_name = "URI")]
    pub logo_uri: Option<String>,
    /// The client's privacy policy.
    #[arg(long, value_name = "URI")]
    pub policy_uri: Option<String>,
    /// The client's terms of service.
    #[arg(long, value_name = "URI")]
    pub tos_uri: Option<String>,
    #[command(flatten)]
    pub tokens: ClientTokens,
    #[command(flatten)]
    pub requests: RequestArgs,
    #[command(flatten)]
    pub identity: IdentityArgs,
    #[command(flatten)]
    pub sign_in: SignInArgs,
    #[command(flatten)]
    pub logout: LogoutArgs,
    #[command(flatten)]
    pub origin: OriginArgs,
    #[command(flatten)]
    pub exchange: ExchangeArgs,
    #[command(flatten)]
    pub switches: SwitchArgs,
}

fn lifetime(text: &str) -> Result<Lifetime, &'static str> {
    let seconds = text.parse().ok().filter(|seconds: &i64| *seconds == -1 || *seconds > 0);
    seconds.map(Lifetime::from).ok_or("write a number of seconds, or -1 for never")
}
