//! The log: one line an event on standard error, as text or as JSON.

use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel, LogSettings};

/// Starts the log. `rust_log` is the value of `RUST_LOG`, which replaces the configured level.
pub fn start(settings: &LogSettings, rust_log: Option<&str>) -> Result<(), StartError> {
    let filter = match rust_log.filter(|filter| !filter.is_empty()) {
        Some(filter) => EnvFilter::try_new(filter).map_err(|error| StartError::Filter(error.to_string()))?,
        None => EnvFilter::try_new(directives(settings.level))
            .map_err(|error| StartError::Filter(error.to_string()))?,
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let started = match settings.format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).finish().try_init(),
    };
    started.map_err(|_| StartError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("RUST_LOG is not a filter: {0}")]
    Filter(String),
    #[error("the log was started twice")]
    Twice,
}

/// The level is for Chancery's own events. The libraries stay at info: what they say below it is
/// about themselves, and may quote what they carry.
fn directives(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "info,chancery=debug",
        LogLevel::Trace => "info,chancery=trace",
    }
}

/// A panic's message is logged only when it is a literal: a formatted one may hold a value that does
/// not belong in a log.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload().downcast_ref::<&str>().copied().unwrap_or("(formatted)");
    tracing::error!(place, message, "panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter() {
        for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
            assert!(EnvFilter::try_new(directives(level)).is_ok());
        }
    }
}
