//! `chancery secrets`

use clap::{Args, Subcommand};

use super::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Say which master key the data keys are sealed under, and what each is for.
    List(Output),
    /// Replace the master key: seal under it what is sealed under the ones before. Every server has to be given both first
    /// (secrets.master_key and secrets.previous_master_keys). Can be run again after it was stopped.
    Rotate(SecretsRotate),
}

#[derive(Debug, Args)]
pub(crate) struct SecretsRotate {
    /// Make a new data key too, and seal with it what is sealed. What was made with the one before goes on counting.
    #[arg(long)]
    pub data_key: bool,
    /// Let nothing count that was made with a data key before: everybody has to sign in again. Makes a new one too, ends every
    /// session and all access of applications, and tells those that want to know. To be run again if it was stopped.
    #[arg(long)]
    pub everything: bool,
    /// Seconds between the moment when a new data key is there and its first use: every server has to notice it first.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub wait: u64,
    #[command(flatten)]
    pub output: Output,
}
