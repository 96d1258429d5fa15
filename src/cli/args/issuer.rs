//! `chancery issuer`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::output::Output;
use crate::cli::one_of::one_of;
use crate::model::SubjectClaim;

#[derive(Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// Trust an issuer: what it says of users, or of software.
    Add(IssuerAdd),
    /// List the trusted issuers.
    List(IssuerList),
    /// Trust an issuer no more.
    Remove(IssuerName),
}

#[derive(Debug, Args)]
pub(crate) struct IssuerAdd {
    /// The issuer, exactly as in the iss of what it signs.
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// What it is believed: assertions, by which a client gets a token for the user they name, or software statements,
    /// by which an application registers itself.
    #[arg(long = "for", value_name = "WHAT", default_value = "assertions")]
    pub purpose: IssuerPurpose,
    /// A file with the issuer's public keys, a JWK Set.
    #[arg(long, value_name = "FILE", required_unless_present = "jwks_uri", conflicts_with = "jwks_uri")]
    pub jwks: Option<PathBuf>,
    /// Where the issuer publishes its public keys.
    #[arg(long, value_name = "URL")]
    pub jwks_uri: Option<String>,
    /// What of a local user the assertion's sub is: their id, their name, or their verified address.
    #[arg(long, value_name = "CLAIM", default_value = "sub", value_parser = one_of::<SubjectClaim>())]
    pub subject_claim: SubjectClaim,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct IssuerList {
    /// Which ones.
    #[arg(long = "for", value_name = "WHAT", default_value = "assertions")]
    pub purpose: IssuerPurpose,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct IssuerName {
    /// The issuer, exactly as it was added.
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// What it is believed no more.
    #[arg(long = "for", value_name = "WHAT", default_value = "assertions")]
    pub purpose: IssuerPurpose,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IssuerPurpose {
    Assertions,
    SoftwareStatements,
}
