//! Spans for those who collect traces (OpenTelemetry). They are apart from the log: what is exported is what is
//! written here, and nothing else. While nobody collects, none is made.
//!
//! Names and attributes follow the semantic conventions of OpenTelemetry. A statement is told by its text, which has
//! placeholders where the values go; nothing that a client or a person sent is in a span.

use std::fmt::Display;

use hyper::HeaderMap;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, propagation::TextMapPropagator as _};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Level, Span, info_span, span_enabled};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Endpoint, Outcome};

/// The target of every span that is exported.
pub(crate) const TARGET: &str = "chancery::span";
/// W3C Trace Context 3.2
pub(crate) const TRACEPARENT: &str = "traceparent";

/// A request to the server. `headers` are those of a peer whose trace context counts.
pub(crate) fn server(
    method: &str,
    endpoint: Endpoint,
    id: &impl Display,
    headers: Option<&HeaderMap>,
) -> Span {
    if !span_enabled!(target: TARGET, Level::INFO) {
        return Span::none();
    }
    let (method, route) = (known(method), endpoint.text());
    let span = info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        chancery.request.id = %id,
        chancery.outcome = Empty,
    );
    if let Some(parent) = headers.and_then(parent) {
        // It fails only for a span that has begun already.
        let _ = span.set_parent(parent);
    }
    span
}

/// The request has its answer.
pub(crate) fn ended(span: &Span, status: u16, outcome: Outcome) {
    if span.has_field("chancery.outcome") {
        span.record("http.response.status_code", status);
        span.record("chancery.outcome", outcome.text());
        if status >= 500 {
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// A statement. Its duration is the life of the span.
pub(crate) fn statement(system: &'static str, operation: &'static str, sql: &'static str) -> Span {
    if !is_traced() {
        return Span::none();
    }
    info_span!(
        target: TARGET,
        "statement",
        otel.name = format!("{operation} {}", table(sql)),
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = system,
        db.operation.name = operation,
        db.collection.name = table(sql),
        db.query.text = sql,
    )
}

/// Something that takes the processor's time: `what` and by which algorithm.
pub(crate) fn work(what: &'static str, algorithm: &'static str) -> Span {
    if !is_traced() {
        return Span::none();
    }
    info_span!(target: TARGET, "work", otel.name = what, otel.kind = "internal", chancery.algorithm = algorithm)
}

/// A request to somebody else. Of the address only the host is told.
pub(crate) fn outbound(method: &'static str, host: &str) -> Span {
    if !is_traced() {
        return Span::none();
    }
    info_span!(
        target: TARGET,
        "outbound",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method,
        http.response.status_code = Empty,
        server.address = host,
    )
}

/// Somebody else has answered.
pub(crate) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 400 {
        failed(span);
    }
}

/// Work in the background, which no request waits for: a trace of its own.
pub(crate) fn task(what: &'static str) -> Span {
    info_span!(target: TARGET, parent: None, "task", otel.name = what, otel.kind = "internal")
}

/// What a span stands for has failed.
pub(crate) fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

/// The value of the header [`TRACEPARENT`] for a request that is made within this span. `tracestate` is not passed on:
/// it is between those who trust each other.
pub(crate) fn traceparent(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| {
        format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
    })
}

/// The trace context of a request, if it has one.
fn parent(headers: &HeaderMap) -> Option<Context> {
    let context =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
    context.has_active_span().then_some(context)
}

/// Whether somebody collects, and this is part of something that is collected: what the background does every second is
/// not.
fn is_traced() -> bool {
    span_enabled!(target: TARGET, Level::INFO) && !Span::current().is_none()
}

/// Those that the server knows; the rest as the conventions demand.
fn known(method: &str) -> &'static str {
    const KNOWN: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}

/// The first table that a statement names.
fn table(sql: &'static str) -> &'static str {
    let mut words = sql.split([' ', '(', ',']);
    let before = |word: &str| matches!(word, "FROM" | "INTO" | "UPDATE");
    match words.find(|word| before(word)) {
        Some(_) => words.find(|word| !word.is_empty()).unwrap_or_default(),
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{known, table};

    #[test]
    fn a_method_that_somebody_made_up_is_no_attribute() {
        assert_eq!(["POST", "post", "BREW"].map(known), ["POST", "_OTHER", "_OTHER"]);
    }

    #[test]
    fn a_statement_names_its_table() {
        for (sql, name) in [
            ("SELECT a, b FROM grants g WHERE id = $1", "grants"),
            ("INSERT INTO used_assertions (id) VALUES ($1)", "used_assertions"),
            ("UPDATE grants SET state = 'active'", "grants"),
            ("DELETE FROM sessions WHERE id = $1", "sessions"),
            ("BEGIN", ""),
        ] {
            assert_eq!(table(sql), name, "{sql}");
        }
    }
}
