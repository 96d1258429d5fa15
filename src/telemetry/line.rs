//! One line of the log: when, how bad, for which request, where in the code, and what.

use std::fmt;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::json;
use tracing::{Event, Subscriber};
use tracing_serde::AsSerde as _;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{self, Text};
use crate::config::LogFormat;
use crate::request::{self, Facts};

/// How a line is written.
#[derive(Debug, Clone, Copy)]
pub struct Line(pub LogFormat);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.0 {
            LogFormat::Text => {
                begin(&mut writer, event)?;
                let mut fields = Text::new(&mut writer);
                event.record(&mut fields);
                fields.end()?;
            }
            LogFormat::Json => {
                let line = serde_json::to_string(&Json(event)).map_err(|_| fmt::Error)?;
                writer.write_str(&line)?;
            }
        }
        writeln!(writer)
    }
}

/// What stands before the fields of an event.
fn begin(writer: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let metadata = event.metadata();
    SystemTime.format_time(writer)?;
    write!(writer, " {:>5} ", metadata.level())?;
    request::with(|facts| facts.map_or(Ok(()), |facts| write!(writer, "{facts}: ")))?;
    write!(writer, "{}: ", metadata.target())
}

struct Json<'e>(&'e Event<'e>);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metadata = self.0.metadata();
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp)).map_err(serde::ser::Error::custom)?;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &timestamp)?;
        line.serialize_entry("level", &metadata.level().as_serde())?;
        let mut fields = fields::Json::new(line);
        self.0.record(&mut fields);
        let mut line = fields.end()?;
        line.serialize_entry("target", metadata.target())?;
        request::with(|facts| facts.map_or(Ok(()), |facts| line.serialize_entry("span", &span(facts))))?;
        line.end()
    }
}

/// The member keeps the name that it has in the logs of everybody who writes them with spans.
fn span(facts: &Facts) -> serde_json::Value {
    json!({"id": facts.id.as_str(), "method": facts.method.as_str(), "path": facts.path(), "name": "request"})
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::{Arc, Mutex};

    use axum::http::{Method, Uri};

    use super::*;
    use crate::request::RequestId;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by these events.
    fn logged(format: LogFormat, events: impl FnOnce()) -> String {
        let written = Written::default();
        let to = written.clone();
        let log =
            tracing_subscriber::fmt().event_format(Line(format)).with_writer(move || to.clone()).finish();
        tracing::subscriber::with_default(log, events);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    /// A stranger's text, as fields are given.
    fn log_everywhere(text: &str) {
        let error = std::io::Error::other(text.to_owned());
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::warn!(text, display = %text, debug = ?text, error, list = ?[text], "about {text}");
        tracing::warn!("{text}");
        tracing::warn!(message = text);
    }

    #[test]
    fn nothing_ends_a_line_of_text_turns_it_around_or_speaks_to_the_terminal() {
        let forged = "x\n2026-11-30T00:00:00.000000Z ERROR chancery::keys: withdrawn \r\u{1b}[31mred\u{9b}0m\u{202e}\u{2028}\u{200b}";
        let text = logged(LogFormat::Text, || log_everywhere(forged));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains(['\r', '\u{1b}', '\u{9b}', '\u{202e}', '\u{2028}', '\u{200b}']), "{text}");
        assert!(text.lines().all(|line| line.contains("WARN chancery::telemetry::line::tests: ")));
        assert_eq!(text.matches("withdrawn").count(), 8, "{text}");
        let json = logged(LogFormat::Json, || log_everywhere(forged));
        let lines: Vec<serde_json::Value> =
            json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0]["text"] == forged && lines[0]["display"] == forged && lines[2]["message"] == forged);
    }

    #[test]
    fn a_value_is_as_long_as_somebody_would_read() {
        let long = "ä".repeat(100_000);
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(format, || log_everywhere(&long));
            assert!(lines.lines().all(|line| line.len() < 8000 && line.contains(" bytes more)")), "{lines}");
        }
    }

    #[test]
    fn what_an_error_came_of_is_told_with_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("it broke")]
        struct Broken(#[source] std::io::Error);
        let error = Broken(std::io::Error::other("no\nroom"));
        let error: &(dyn std::error::Error + 'static) = &error;
        let text = logged(LogFormat::Text, || tracing::warn!(error, "x"));
        assert!(text.ends_with(" x error=it broke: no\\nroom\n"), "{text}");
    }

    /// What is logged of one event, and of one within a request.
    fn lines(format: LogFormat) -> (String, String, RequestId) {
        let written = Written::default();
        let to = written.clone();
        let log =
            tracing_subscriber::fmt().event_format(Line(format)).with_writer(move || to.clone()).finish();
        let id = RequestId::random();
        let mut facts = Some(Facts {
            id,
            address: Ipv4Addr::LOCALHOST.into(),
            user_agent: None,
            method: Method::POST,
            uri: Uri::from_static("/token?code=hunter2"),
        });
        let event = || tracing::warn!(status = 502, "request \"failed\"");
        tracing::subscriber::with_default(log, || {
            event();
            request::within(&mut facts, event);
        });
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let (outside, within) = written.split_once('\n').unwrap();
        (outside.to_owned(), within.strip_suffix('\n').unwrap().to_owned(), id)
    }

    #[test]
    fn a_line_of_text_names_the_request() {
        let (outside, within, id) = lines(LogFormat::Text);
        let (_, outside) = outside.split_once("Z ").unwrap();
        let (_, within) = within.split_once("Z ").unwrap();
        let event = "chancery::telemetry::line::tests: request \"failed\" status=502";
        assert_eq!(outside, format!(" WARN {event}"));
        assert_eq!(within, format!(" WARN request{{id=\"{id}\" method=\"POST\" path=\"/token\"}}: {event}"));
    }

    #[test]
    fn a_line_of_json_names_the_request() {
        let (outside, within, id) = lines(LogFormat::Json);
        let [outside, mut within] = [outside, within].map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(line["timestamp"].take().is_string());
            line
        });
        let span = json!({"id": id.as_str(), "method": "POST", "path": "/token", "name": "request"});
        assert_eq!(within["span"].take(), span);
        within.as_object_mut().unwrap().remove("span");
        assert_eq!(outside, within);
        let target = "chancery::telemetry::line::tests";
        let event = json!({"timestamp": null, "level": "WARN", "message": "request \"failed\"", "status": 502, "target": target});
        assert_eq!(outside, event);
    }
}
