//! The command line: `args` says what can be asked, one file a command does it.

mod args;
mod audit;
mod check_config;
mod client;
mod client_settings;
mod client_tokens;
mod environment;
mod failure;
mod given;
mod healthcheck;
mod issuer;
mod key_file;
mod keys;
mod logout_deliveries;
mod migrate;
mod one_of;
mod open;
mod output;
mod password;
mod registration_token;
mod resource;
mod scope;
mod secrets;
mod seed;
mod serve;
mod switches;
mod try_it;
mod user;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;
use environment::environment;
pub(crate) use failure::Failure;
use output::complain;

use crate::config::{Problems, Settings};

/// Does what the command line of this process asks for. What went wrong is told on standard error.
pub fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|failure| {
        complain(&failure);
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let file = config_file(cli.config);
    let settings = || Settings::load(file.as_deref(), environment());
    match cli.command {
        Command::CheckConfig => return verdict(&settings()),
        Command::Healthcheck => healthcheck::run(&settings()?.server)?,
        Command::Serve => wait(serve::run(settings()?))?,
        Command::Try(args) => wait(try_it::run(args, file.as_deref()))?,
        Command::Migrate(args) => {
            let settings = Settings::load_without_master_key(file.as_deref(), environment())?;
            wait(migrate::run(settings, args))?;
        }
        Command::Client(command) => wait(client::run(settings()?, command))?,
        Command::User(command) => wait(user::run(settings()?, command))?,
        Command::Resource(command) => wait(resource::run(settings()?, command))?,
        Command::Scope(command) => wait(scope::run(settings()?, command))?,
        Command::RegistrationToken(command) => wait(registration_token::run(settings()?, command))?,
        Command::Issuer(command) => wait(issuer::run(settings()?, command))?,
        Command::Keys(command) => wait(keys::run(settings()?, command))?,
        Command::Secrets(command) => wait(secrets::run(settings()?, command))?,
        Command::Audit(command) => wait(audit::run(settings()?, command))?,
        Command::LogoutDeliveries(command) => wait(logout_deliveries::run(settings()?, command))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

fn verdict(settings: &Result<Settings, Problems>) -> Result<ExitCode, Failure> {
    let valid = check_config::run(settings, &mut std::io::stdout().lock())?;
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn config_file(named: Option<PathBuf>) -> Option<PathBuf> {
    let from_environment =
        || std::env::var_os("CHANCERY_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(from_environment)
}
