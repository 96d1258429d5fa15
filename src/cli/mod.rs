//! The command line: `args` says what can be asked, one file a command does it.

pub mod args;
pub mod check_config;
pub mod healthcheck;
