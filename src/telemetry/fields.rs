//! The fields of an event. What is in them may come from strangers: in a line of text nothing ends the line or turns it
//! around, and no value is longer than somebody would read.

use std::error::Error;
use std::fmt::{self, Write};

use serde::ser::SerializeMap;
use tracing::field::{Field, Visit};
use tracing_subscriber::fmt::format::Writer;

use crate::model::text;

/// Bytes of a value that are written.
const LONGEST: usize = 1000;
const MESSAGE: &str = "message";

/// A value as it is formatted: what is beyond the limit is counted, not kept.
#[derive(Default)]
struct Bounded {
    text: String,
    left_out: usize,
}

impl Bounded {
    fn of(value: fmt::Arguments<'_>) -> String {
        let mut bounded = Self::default();
        // A value that cannot be written out is what was written of it.
        let _ = bounded.write_fmt(value);
        let Self { mut text, left_out } = bounded;
        if left_out > 0 {
            text.push_str(&format!("... ({left_out} bytes more)"));
        }
        text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = if self.left_out > 0 { 0 } else { LONGEST.saturating_sub(self.text.len()) };
        let kept = part.floor_char_boundary(room.min(part.len()));
        self.text.push_str(&part[..kept]);
        self.left_out += part.len() - kept;
        Ok(())
    }
}

/// An error and what caused it.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut all = Bounded::of(format_args!("{error}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        all = Bounded::of(format_args!("{all}: {error}"));
        cause = error.source();
    }
    all
}

/// Writes fields as `message name=value`.
pub(super) struct Text<'w, 'e> {
    writer: &'w mut Writer<'e>,
    is_first: bool,
    result: fmt::Result,
}

impl<'w, 'e> Text<'w, 'e> {
    pub(super) fn new(writer: &'w mut Writer<'e>) -> Self {
        Self { writer, is_first: true, result: Ok(()) }
    }

    pub(super) fn end(self) -> fmt::Result {
        self.result
    }

    fn write(&mut self, field: &Field, value: &str) {
        let space = if std::mem::take(&mut self.is_first) { "" } else { " " };
        let value = text::escaped(value);
        let written = match field.name() {
            MESSAGE => write!(self.writer, "{space}{value}"),
            name => write!(self.writer, "{space}{}={value}", name.strip_prefix("r#").unwrap_or(name)),
        };
        self.result = self.result.and(written);
    }
}

impl Visit for Text<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &Bounded::of(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            MESSAGE => self.write(field, &Bounded::of(format_args!("{value}"))),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, &with_causes(value));
    }
}

/// Puts fields into a map of JSON, which has an escape for everything.
pub(super) struct Json<M: SerializeMap> {
    map: M,
    result: Result<(), M::Error>,
}

impl<M: SerializeMap> Json<M> {
    pub(super) fn new(map: M) -> Self {
        Self { map, result: Ok(()) }
    }

    pub(super) fn end(self) -> Result<M, M::Error> {
        self.result.map(|()| self.map)
    }

    fn write(&mut self, field: &Field, value: &impl serde::Serialize) {
        if self.result.is_ok() {
            self.result = self.map.serialize_entry(field.name(), value);
        }
    }
}

impl<M: SerializeMap> Visit for Json<M> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &Bounded::of(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, &Bounded::of(format_args!("{value}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, &with_causes(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, &value);
    }
}
