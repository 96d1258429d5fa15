//! What the server tells about itself, and where: the log, the metrics.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::choice;
use super::external::listener;
use super::reader::Reader;

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
    let format = reader.parsed("log.format", |text| choice(text, "text or json"));
    let level = reader.parsed("log.level", |text| choice(text, "error, warn, info, debug or trace"));
    let slow: Option<u64> = reader.number("log.slow_request_ms", 0..=600_000);
    let slow_request = Some(Duration::from_millis(slow?)).filter(|slow| !slow.is_zero());
    Some(LogSettings { format: format?, level: level?, slow_request })
}

pub(super) fn metrics(reader: &mut Reader) -> Option<MetricsSettings> {
    let listen = reader.parsed("metrics.listen", |text| listener(text, "127.0.0.1:9464"));
    Some(MetricsSettings { listen: listen? })
}
