//! What can be asked on the command line.

pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod issuer;
#[cfg(test)]
mod page;
pub(crate) mod registration;
pub(crate) mod secrets;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::client_settings::exchange::ExchangeArgs;
use super::client_settings::identity::IdentityArgs;
use super::client_settings::logout::LogoutArgs;
use super::client_settings::origin::OriginArgs;
use super::client_settings::requests::RequestArgs;
use super::client_settings::sign_in::SignInArgs;
use super::given::{Given, or_preset, word};
use super::one_of::one_of;
use super::switches::SwitchArgs;
use crate::model::closed_set::any_of;
use crate::model::{
    Algorithm, AssertionAlgorithm, AuthMethod, GrantType, IntrospectionPolicy, Lifetime, PkcePolicy, Ui,
};
use crate::protocol::registration::{MAX_ACCESS_TOKEN_LIFETIME, MAX_CODE_LIFETIME};

/// An OAuth 2.0 and OpenID Connect authorization server with its own pages.
#[derive(Debug, Parser)]
#[command(name = "chancery", version)]
pub(super) struct Cli {
    /// The configuration file; also CHANCERY_CONFIG.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server.
    Serve,
    /// Try it: SQLite, keys, a demo user, a demo application; prints where to go.
    Try(TryArgs),
    /// Apply the database migrations and exit.
    Migrate(MigrateArgs),
    /// Check the configuration and print every problem.
    CheckConfig,
    /// Ask the running server whether it is ready.
    Healthcheck,
    /// Manage clients.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Manage users.
    #[command(subcommand)]
    User(UserCommand),
    /// Manage resources: APIs that clients may ask tokens for.
    #[command(subcommand)]
    Resource(catalogue::ResourceCommand),
    /// Manage what is registered of scopes.
    #[command(subcommand)]
    Scope(catalogue::ScopeCommand),
    /// Manage the tokens with which applications register themselves.
    #[command(subcommand)]
    RegistrationToken(registration::RegistrationTokenCommand),
    /// Manage the issuers that are believed: about users, or about software.
    #[command(subcommand)]
    Issuer(issuer::IssuerCommand),
    /// Manage signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Replace the master key, and the keys that it seals.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Look at how clients were told that a session has ended.
    #[command(subcommand)]
    LogoutDeliveries(LogoutDeliveriesCommand),
    /// Verify and export the audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
}

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Print what would be done, and what would have to wait meanwhile; change nothing.
    #[arg(long)]
    pub plan: bool,
}

#[derive(Debug, Args)]
pub(super) struct TryArgs {
    /// The port of the server; by default 8080, or the next one that is free.
    #[arg(long)]
    pub port: Option<u16>,
    /// The port of the demo application; by default 8081, or the next one that is free.
    #[arg(long)]
    pub demo_port: Option<u16>,
    #[command(flatten)]
    pub output: Output,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Output {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
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
pub(super) struct ClientId {
    /// The client's client_id.
    pub id: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct RotateSecret {
    /// The client's client_id.
    pub id: String,
    /// Accept the old secret for this number of seconds more.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..))]
    pub keep_old: Option<i64>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ClientCreate {
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
pub(super) struct ClientUpdate {
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
pub(super) struct ClientSettings {
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
    pub tokens: tokens::ClientTokens,
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

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a user.
    Create(UserCreate),
    /// List the users.
    List(Output),
    /// Show a user.
    Show(UserName),
    /// Set a user's password, end every session and revoke all access of applications.
    SetPassword(SetPassword),
    /// End every session of a user; with --everything also revoke all access of applications.
    SignOut(SignOut),
    /// Set claims of a user.
    SetClaims(SetClaims),
    /// Refuse a user from now on, end every session and revoke all access of applications.
    Disable(Disable),
    /// Let a disabled user in again.
    Enable(UserName),
    /// Delete a user and everything that is theirs.
    Delete(UserName),
}

#[derive(Debug, Args)]
pub(super) struct UserName {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct SetPassword {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub password: PasswordSource,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub output: Output,
}

/// What a reset ends beside the sessions.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Reach {
    /// End all access: what applications were allowed for offline use, too, and what was remembered as allowed. The default.
    #[arg(long, conflicts_with = "keep_offline_access")]
    pub everything: bool,
    /// Leave applications the access that they were given for offline use.
    #[arg(long)]
    pub keep_offline_access: bool,
}

#[derive(Debug, Args)]
pub(super) struct SignOut {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    /// End all access: what applications were allowed for offline use, too, and what was remembered as allowed.
    #[arg(long)]
    pub everything: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Disable {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct SetClaims {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    /// A claim of the profile, such as birthdate=1815-12-10, given_name#fr=Ada or address.country=UK; may be repeated.
    /// An empty text clears.
    #[arg(long = "claim", value_name = "NAME=VALUE", required = true)]
    pub claims: Vec<String>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct UserCreate {
    /// The name to sign in with.
    #[arg(long, value_name = "NAME")]
    pub username: String,
    #[arg(long)]
    pub email: Option<String>,
    /// The email address is known to be the user's.
    #[arg(long, requires = "email")]
    pub email_verified: bool,
    /// The full name, as it is shown.
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub given_name: Option<String>,
    #[arg(long)]
    pub family_name: Option<String>,
    #[arg(long)]
    pub phone: Option<String>,
    /// The phone number is known to be the user's.
    #[arg(long, requires = "phone")]
    pub phone_verified: bool,
    /// Another claim of the profile, such as birthdate=1815-12-10, given_name#fr=Ada or address.country=UK; may be
    /// repeated.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub claims: Vec<String>,
    /// A group the user is in; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    #[command(flatten)]
    pub password: PasswordSource,
    #[command(flatten)]
    pub output: Output,
}

/// Where a password comes from: never from an argument, which other users of the machine can see.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct PasswordSource {
    /// Read the password from standard input.
    #[arg(long)]
    pub password_stdin: bool,
    /// Make a password and print it once.
    #[arg(long)]
    pub generate_password: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum LogoutDeliveriesCommand {
    /// List those that wait, and those of the last day.
    List(Output),
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the signing keys.
    List(Output),
    /// Make new signing keys, published now and used later.
    Rotate(KeysRotate),
    /// Take a leaked key away at once: every token it signed is worthless from then on.
    Withdraw(KeysWithdraw),
}

#[derive(Debug, Args)]
pub(super) struct KeysRotate {
    /// Only the key of this algorithm.
    #[arg(long, value_parser = algorithm)]
    pub alg: Option<Algorithm>,
    /// Sign with the new key at once, before others can have seen it.
    #[arg(long)]
    pub now: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(super) struct KeysWithdraw {
    /// The key, as `chancery keys list` names it.
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    pub kid: String,
    #[command(flatten)]
    pub output: Output,
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::named(text).ok_or_else(|| format!("write {}", any_of::<Algorithm>()))
}

fn lifetime(text: &str) -> Result<Lifetime, &'static str> {
    let seconds = text.parse().ok().filter(|seconds: &i64| *seconds == -1 || *seconds > 0);
    seconds.map(Lifetime::from).ok_or("write a number of seconds, or -1 for never")
}

pub(super) fn within<const LEAST: i64, const MOST: i64>(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("write a number from {LEAST} to {MOST}"))
}
