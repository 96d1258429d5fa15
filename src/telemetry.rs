//! The log: one line an event on standard error, as text or as JSON (`line.rs`); and the export of traces (`export.rs`).

mod export;
mod fields;
mod line;

use std::panic::PanicHookInfo;

use opentelemetry_sdk::trace::SdkTracer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, registry};
use url::Url;

use crate::config::{LogFormat, LogLevel, Settings};
use crate::observe::span;
use crate::outbound::Outbound;
use export::Exporter;
pub use line::Line;

/// The log, and the export of traces where somebody collects them.
pub struct Telemetry {
    exporter: Option<Exporter>,
}

impl Telemetry {
    /// Starts both, on a Tokio runtime. `variable` reads the environment: `RUST_LOG` replaces the configured level, and
    /// OpenTelemetry has variables for where traces go.
    pub fn start(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let filter = filter(settings.log.level, variable("RUST_LOG"))?;
        let exporter = match settings.tracing.endpoint(&variable).map_err(StartError::Traces)? {
            Some(endpoint) => Some(exporter(settings, &endpoint)?),
            None => None,
        };
        match &exporter {
            None => start_log(settings.log.format, filter),
            Some(exporter) => start_both(settings.log.format, filter, exporter.tracer()),
        }
        .map_err(|_| StartError::Twice)?;
        std::panic::set_hook(Box::new(log_panic));
        Ok(Self { exporter })
    }

    /// Sends the last spans.
    pub async fn end(self) {
        if let Some(exporter) = self.exporter {
            exporter.end().await;
        }
    }
}

fn exporter(settings: &Settings, endpoint: &Url) -> Result<Exporter, StartError> {
    let outbound = Outbound::open(&settings.outbound)
        .map_err(|error| StartError::Traces(format!("outbound.ca_file: {error}")))?;
    Exporter::start(endpoint, &settings.tracing, outbound)
        .map_err(|error| StartError::Traces(error.to_string()))
}

fn start_log(format: LogFormat, filter: Targets) -> Result<(), TryInitError> {
    let log = layer().with_writer(std::io::stderr).with_ansi(false).event_format(Line(format));
    registry().with(filter).with(log).try_init()
}

/// Each layer sees what is its own: the log no spans that are exported, the exporter nothing else.
fn start_both(format: LogFormat, filter: Targets, tracer: SdkTracer) -> Result<(), TryInitError> {
    let exported = FilterFn::new(|metadata| metadata.target() == span::TARGET);
    let traces = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(false)
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(exported.with_max_level_hint(LevelFilter::INFO));
    let log = layer().with_writer(std::io::stderr).with_ansi(false).event_format(Line(format));
    registry().with(traces).with(log.with_filter(filter)).try_init()
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("RUST_LOG is not a filter: {0}")]
    Filter(String),
    #[error("the log was started twice")]
    Twice,
    #[error("tracing: {0}")]
    Traces(String),
}

/// What goes into the log: levels by target. What events say is not looked at for it, which would take an engine of regular
/// expressions.
fn filter(level: LogLevel, rust_log: Option<String>) -> Result<Targets, StartError> {
    let given = rust_log.filter(|filter| !filter.is_empty());
    let directives = given.as_deref().unwrap_or_else(|| directives(level));
    let filter: Targets =
        directives.parse().map_err(|error: ParseError| StartError::Filter(error.to_string()))?;
    Ok(filter.with_target(span::TARGET, LevelFilter::OFF))
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
    use crate::observe::Endpoint;

    #[test]
    fn while_nobody_collects_no_span_is_made_at_any_level() {
        for filter in
            [filter(LogLevel::Trace, None), filter(LogLevel::Info, Some("chancery::span=trace".into()))]
        {
            let log = registry().with(filter.unwrap()).with(layer().with_writer(std::io::sink));
            tracing::subscriber::with_default(log, || {
                let headers = hyper::HeaderMap::new();
                let request = span::server("GET", Endpoint::Token, &"id", Some(&headers));
                let _within = tracing::error_span!("of another library").entered();
                let statement = span::statement("sqlite", "select", "SELECT 1");
                for made in [
                    request,
                    statement,
                    span::work("sign", "ES256"),
                    span::outbound("GET", "a"),
                    span::task("x"),
                ] {
                    assert!(made.is_disabled() && span::traceparent(&made).is_none());
                }
            });
        }
    }

    #[test]
    fn every_level_is_a_filter() {
        for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
            assert!(filter(level, None).is_ok());
        }
    }
}
