//! How what was done is shown.

use clap::Args;

/// How a result is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
