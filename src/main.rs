//! The `chancery` binary.

use std::process::ExitCode;

use chancery::cli::args::Cli;
use clap::Parser as _;

fn main() -> ExitCode {
    match chancery::cli::run(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => {
            chancery::cli::complain(&failure);
            ExitCode::FAILURE
        }
    }
}
