//! What can be asked on the command line.

pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod client;
pub(crate) mod issuer;
pub(crate) mod keys;
mod output;
#[cfg(test)]
mod page;
pub(crate) mod registration;
pub(crate) mod secrets;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
pub(crate) mod user;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use output::Output;

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
    Client(client::ClientCommand),
    /// Manage users.
    #[command(subcommand)]
    User(user::UserCommand),
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
    Keys(keys::KeysCommand),
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

#[derive(Debug, Subcommand)]
pub(super) enum LogoutDeliveriesCommand {
    /// List those that wait, and those of the last day.
    List(Output),
}
