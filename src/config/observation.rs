//! What the server tells about itself, and where: the log, metrics, traces.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::external::listener;
use super::reader::{Reader, Refusal};
use super::table::{log, metrics, tracing};

#[derive(Clone, Debug)]
pub struct LogSettings {
    pub format: LogFormat,
    pub level: LogLevel,
    /// A request that takes longer gets a line of its own. None: none does.
    pub slow_request: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// None: there is no metrics listener.
    pub listen: Option<SocketAddr>,
}

pub(super) fn log(reader: &mut Reader) -> Option<LogSettings> {
    let format = reader.choice(log::format);
    let level = reader.choice(log::level);
    let slow = reader.duration(log::slow_request_ms);
    let slow_request = Some(slow?).filter(|slow| !slow.is_zero());
    Some(LogSettings { format: format?, level: level?, slow_request })
}

/// Traces for a collector.
#[derive(Clone, Debug)]
pub struct TracingSettings {
    /// Where OTLP goes over HTTP, `/v1/traces` included. None: nowhere, unless the environment says so.
    pub otlp_endpoint: Option<Url>,
    /// The share of traces that begin here and are sent.
    pub sample_ratio: f64,
}

impl TracingSettings {
    /// Where traces go: the setting, or the variables that OpenTelemetry has for it.
    pub fn endpoint(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Url>, String> {
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if given("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        if self.otlp_endpoint.is_some() {
            return Ok(self.otlp_endpoint.clone());
        }
        let parsed = |name: &str, parse: fn(&str) -> Result<Option<Url>, Refusal>| {
            let Some(value) = given(name) else { return Ok(None) };
            parse(value.trim()).map_err(|(problem, remedy)| format!("{name}: {problem}\n    {remedy}"))
        };
        match parsed("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector)? {
            Some(url) => Ok(Some(url)),
            None => parsed("OTEL_EXPORTER_OTLP_ENDPOINT", base_of_collector),
        }
    }
}

pub(super) fn tracing(reader: &mut Reader) -> Option<TracingSettings> {
    let otlp_endpoint = reader.parsed(tracing::otlp_endpoint, base_of_collector);
    let sample_ratio = reader.ratio(tracing::sample_ratio);
    Some(TracingSettings { otlp_endpoint: otlp_endpoint?, sample_ratio: sample_ratio? })
}

/// The signal's path comes behind it (OpenTelemetry Protocol Exporter, "Endpoint URLs for OTLP/HTTP").
fn base_of_collector(text: &str) -> Result<Option<Url>, Refusal> {
    match text {
        "" => Ok(None),
        base => collector(&format!("{}/v1/traces", base.trim_end_matches('/'))),
    }
}

fn collector(text: &str) -> Result<Option<Url>, Refusal> {
    let good = |url: &Url| {
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        plain && matches!(url.scheme(), "http" | "https") && url.has_host()
    };
    Url::parse(text).ok().filter(good).map(Some).ok_or_else(|| {
        let remedy = "write a URL like http://localhost:4318, of a collector that takes OTLP over HTTP";
        ("it is not the address of a collector".to_owned(), remedy.to_owned())
    })
}

pub(super) fn metrics(reader: &mut Reader) -> Option<MetricsSettings> {
    let listen = reader.parsed(metrics::listen, |text| listener(text, "127.0.0.1:9464"));
    Some(MetricsSettings { listen: listen? })
}
