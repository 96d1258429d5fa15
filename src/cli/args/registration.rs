//! `chancery registration-token`

use clap::{Args, Subcommand};

use super::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum RegistrationTokenCommand {
    /// Make a token that lets an application register itself; it is printed once.
    Create(TokenCreate),
    /// List the tokens.
    List(Output),
    /// Delete a token; the clients that came with it stay.
    Delete(TokenId),
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreate {
    /// Who it is for; `chancery client list` names it at the clients that come with it.
    #[arg(long)]
    pub name: String,
    /// How many clients it registers; -1 means any number.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=1_000_000))]
    pub uses: i64,
    /// The seconds after which it ends; -1 means never.
    #[arg(long, value_name = "SECONDS", default_value_t = 604_800, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=315_360_000))]
    pub lifetime: i64,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct TokenId {
    /// The token's id, as the list shows it.
    pub id: String,
    #[command(flatten)]
    pub output: Output,
}
