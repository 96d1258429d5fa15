//! `chancery keys`

use clap::{Args, Subcommand};

use super::output::Output;
use crate::model::Algorithm;
use crate::model::closed_set::any_of;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the signing keys.
    List(Output),
    /// Make new signing keys, published now and used later.
    Rotate(KeysRotate),
    /// Take a leaked key away at once: every token it signed is worthless from then on.
    Withdraw(KeysWithdraw),
}

#[derive(Debug, Args)]
pub(crate) struct KeysRotate {
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
pub(crate) struct KeysWithdraw {
    /// The key, as `chancery keys list` names it.
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    pub kid: String,
    #[command(flatten)]
    pub output: Output,
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::named(text).ok_or_else(|| format!("write {}", any_of::<Algorithm>()))
}
