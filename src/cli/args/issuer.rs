//! `chancery issuer`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Output;

#[derive(Debug, Subcommand)]
pub enum IssuerCommand {
    /// Trust an issuer: a client that has its assertion gets a token for the user it names.
    Add(IssuerAdd),
    /// List the trusted issuers.
    List(Output),
    /// Trust an issuer no more.
    Remove(IssuerName),
}

#[derive(Debug, Args)]
pub struct IssuerAdd {
    /// The issuer, exactly as in the iss of its assertions.
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// A file with the issuer's public keys, a JWK Set.
    #[arg(long, value_name = "FILE", required_unless_present = "jwks_uri", conflicts_with = "jwks_uri")]
    pub jwks: Option<PathBuf>,
    /// Where the issuer publishes its public keys.
    #[arg(long, value_name = "URL")]
    pub jwks_uri: Option<String>,
    /// What of a local user the assertion's sub is: their id, their name, or their verified address.
    #[arg(long, value_name = "CLAIM", default_value = "sub")]
    pub subject_claim: SubjectClaimArg,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct IssuerName {
    /// The issuer, exactly as it was added.
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SubjectClaimArg {
    Sub,
    Username,
    Email,
}
