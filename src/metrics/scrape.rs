//! Every metric, with its name and its help.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::page::Page;
use super::process;
use crate::app::App;
use crate::model::Timestamp;
use crate::observe::Listener;

/// Puts the numbers together at each scrape.
pub(super) struct Scrape(pub Arc<App>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (app, page) = (&*self.0, &mut Page(encoder));
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauges("chancery_build_info", "The version that runs.", [(version, 1)])?;
        requests(app, page)?;
        connections(app, page)?;
        tls(app, page)?;
        sign_ins(app, page)?;
        statements(app, page)?;
        pools(app, page)?;
        keys(app, page)?;
        passwords(app, page)?;
        background(app, page)?;
        audit(app, page)?;
        caches(app, page)?;
        process::tell(page)
    }
}

fn requests(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let requests = &app.requests;
    page.counters(
        "chancery_http_requests",
        "Requests by endpoint and how they ended: an error code of OAuth, or a word of our own.",
        requests.outcomes.each().map(|((endpoint, outcome), count)| {
            ([("endpoint", endpoint.text()), ("outcome", outcome.text())], count)
        }),
    )?;
    page.histograms(
        "chancery_http_request_duration_seconds",
        "Seconds from a request's head to the head of its answer.",
        requests.durations.each().map(|(endpoint, took)| ([("endpoint", endpoint.text())], took)),
    )?;
    page.gauge("chancery_http_requests_in_flight", "Requests that have no answer yet.", requests.in_flight())
}

fn connections(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let each =
        || Listener::ALL.iter().map(|which| ([("listener", which.text())], app.requests.connections(*which)));
    page.gauges(
        "chancery_connections_open",
        "Connections that are open.",
        each().map(|(labels, connections)| (labels, connections.now_open())),
    )?;
    let most = i64::try_from(app.settings.server.limits.max_connections).unwrap_or(i64::MAX);
    let help = "Connections that each listener serves at once (server.max_connections).";
    page.gauge("chancery_connections_limit", help, most)?;
    page.counters(
        "chancery_connections_accepted",
        "Connections that were accepted.",
        each().map(|(labels, connections)| (labels, connections.accepted())),
    )?;
    page.counters(
        "chancery_connections_delayed",
        "Times that the next connection had to wait, because as many as allowed were open.",
        each().map(|(labels, connections)| (labels, connections.delayed())),
    )?;
    page.counters(
        "chancery_connections_broken",
        "Connections that ended with an error: a malformed, late or oversized request head, a failed TLS handshake, or a peer that went away.",
        each().map(|(labels, connections)| (labels, connections.broken())),
    )?;
    page.counters(
        "chancery_connections_refused",
        "Times that no connection could be accepted, for want of file descriptors for example.",
        each().map(|(labels, connections)| (labels, connections.refused())),
    )?;
    page.counters(
        "chancery_connections_surplus",
        "Connections that were closed at once, because their address had as many as one may have.",
        each().map(|(labels, connections)| (labels, connections.surplus())),
    )
}

fn tls(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let tls = app.tls.as_ref();
    page.gauge_if(
        "chancery_tls_certificate_expiry_timestamp_seconds",
        "When the TLS certificate that is served expires, in seconds since 1970.",
        tls.and_then(|tls| tls.not_after()).map(Timestamp::unix),
    )?;
    page.counter(
        "chancery_tls_certificate_reload_failures",
        "Times that the files of the TLS certificate had changed and could not be used.",
        tls.map_or(0, |tls| tls.failures()),
    )
}

fn sign_ins(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let events = &app.events;
    page.counters(
        "chancery_token_requests",
        "Requests of authenticated clients at the token endpoint, by grant type and how they ended.",
        events.grants.each().map(|((grant_type, outcome), count)| {
            ([("grant_type", grant_type.as_str()), ("outcome", outcome.text())], count)
        }),
    )?;
    page.counters(
        "chancery_logins",
        "Checks of a user name and a password, and how they ended.",
        events.logins.each().map(|(outcome, count)| ([("outcome", outcome.text())], count)),
    )?;
    page.counters(
        "chancery_replays",
        "Uses of what is good once and was used before.",
        events.replays.each().map(|(kind, count)| ([("kind", kind.text())], count)),
    )
}

fn statements(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let watch = app.storage.db().watch();
    page.histograms(
        "chancery_database_statement_duration_seconds",
        "Seconds from sending a statement to its whole answer.",
        watch.durations.each().map(|(operation, took)| ([("operation", operation.text())], took)),
    )?;
    page.counters(
        "chancery_database_statement_failures",
        "Statements that failed, other than on a row that was there already.",
        watch.failures.each().map(|(operation, count)| ([("operation", operation.text())], count)),
    )
}

fn pools(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let pools = app.storage.db().pools();
    let sizes = |number: fn(&crate::storage::db::PoolSize) -> usize| {
        pools
            .iter()
            .map(|(name, size, _)| ([("pool", *name)], i64::try_from(number(size)).unwrap_or(i64::MAX)))
            .collect::<Vec<_>>()
    };
    let name = "chancery_database_connections_limit";
    page.gauges(name, "Connections that a pool may open.", sizes(|size| size.most))?;
    let name = "chancery_database_connections_open";
    page.gauges(name, "Connections that are open.", sizes(|size| size.open))?;
    let name = "chancery_database_connections_in_use";
    page.gauges(name, "Connections that are lent.", sizes(|size| size.in_use))?;
    let name = "chancery_database_connections_waiting";
    page.gauges(name, "Who waits for a connection.", sizes(|size| size.waiting))?;
    page.histograms(
        "chancery_database_connection_wait_seconds",
        "Seconds until a connection was lent, or not.",
        pools.iter().map(|(name, _, lending)| ([("pool", *name)], &lending.waits)),
    )?;
    let refused = pools.iter().flat_map(|(name, _, lending)| {
        let each = lending.refusals.each();
        each.map(|(why, count)| ([("pool", *name), ("reason", why.text())], count))
    });
    page.counters("chancery_database_connection_refusals", "Times that no connection was lent.", refused)
}

fn keys(app: &App, page: &mut Page<'_>) -> fmt::Result {
    page.histograms(
        "chancery_signing_duration_seconds",
        "Seconds that signing a token took.",
        app.keys.signing().each().map(|(algorithm, took)| ([("alg", algorithm.as_str())], took)),
    )?;
    let ring = app.keys.ring();
    page.gauges(
        "chancery_signing_key_active_since_seconds",
        "Since when the key of an algorithm signs, in seconds since 1970.",
        ring.signing(app.now()).map(|(algorithm, since)| ([("alg", algorithm.as_str())], since.unix())),
    )?;
    let number = i64::try_from(ring.published()).unwrap_or(i64::MAX);
    page.gauge("chancery_signing_keys_published", "Signing keys in the JWK Set.", number)
}

fn passwords(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let line = app.passwords.line();
    let help = "Seconds that hashing a password took.";
    page.histogram("chancery_password_hash_duration_seconds", help, &line.hashes)?;
    let help = "Seconds that a password waited for a thread that hashes.";
    page.histogram("chancery_password_hash_wait_seconds", help, &line.waits)?;
    let help = "Passwords that wait for a thread that hashes.";
    page.gauge("chancery_password_hash_waiting", help, line.waiting())?;
    let most = i64::try_from(app.settings.passwords.queue).unwrap_or(i64::MAX);
    let help = "Passwords that may wait for a thread that hashes (passwords.queue).";
    page.gauge("chancery_password_hash_queue_limit", help, most)?;
    let help = "Passwords that were not hashed because too many waited, of all or of one account or address.";
    page.counter("chancery_password_hash_refused", help, line.refused())
}

fn background(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let events = &app.events;
    page.counters(
        "chancery_logout_deliveries",
        "Attempts to tell a client of a logout, and how they ended.",
        events.deliveries.each().map(|(outcome, count)| ([("outcome", outcome.text())], count)),
    )?;
    page.gauge_if(
        "chancery_logout_deliveries_waiting",
        "Clients that wait to be told of a logout, in the whole database; at most 100000, counted four times a minute.",
        events.waiting_logouts.get(),
    )?;
    page.counters(
        "chancery_purged_rows",
        "Rows that were removed because they had expired.",
        events.purged.each().map(|(table, count)| ([("table", table.text())], count)),
    )?;
    page.histograms(
        "chancery_purge_duration_seconds",
        "Seconds that a round of purging took, by how it ended.",
        events.purges.each().map(|(outcome, took)| ([("outcome", outcome.text())], took)),
    )?;
    page.gauge(
        "chancery_purge_last_success_seconds",
        "When purging last found nothing more to do, in seconds since 1970; 0: not since the start.",
        events.purged_at(),
    )
}

fn audit(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let (events, (queued, left_out)) = (&app.events, app.audit.queued_and_left_out());
    page.gauge(
        "chancery_audit_entries_queued",
        "Entries of the audit log that this process has not written to the database yet.",
        i64::try_from(queued).unwrap_or(i64::MAX),
    )?;
    page.counter(
        "chancery_audit_entries_left_out",
        "Entries that are not in the audit log but for their number: strangers caused too many, or the queue was full.",
        left_out,
    )?;
    page.gauge_if(
        "chancery_audit_entries_waiting",
        "Entries that wait for their place in the chain, in the whole database; at most 100000, counted four times a minute.",
        events.waiting_audit_entries.get(),
    )?;
    page.gauge(
        "chancery_audit_chained_last_success_seconds",
        "When the audit log was last chained, in seconds since 1970; 0: not since the start.",
        events.audit_chained_at(),
    )
}

fn caches(app: &App, page: &mut Page<'_>) -> fmt::Result {
    let entries = [
        ("clients", app.clients.entries()),
        ("verified_tokens", app.verified_tokens.entries()),
        ("remote_keys", app.remote_keys.entries()),
    ];
    page.gauges(
        "chancery_cache_entries",
        "Entries of a cache.",
        entries.map(|(cache, entries)| ([("cache", cache)], i64::try_from(entries).unwrap_or(i64::MAX))),
    )
}
