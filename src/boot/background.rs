//! What the server does by itself: noticing changes that other processes made, telling clients of logouts,
//! and removing what has expired.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::app::App;
use crate::clock::Clock;
use crate::grants::logout_delivery::Dispatcher;
use crate::observe::{self, Events, Table};
use crate::server::tls::Tls;
use crate::storage::{Purged, StorageError, Versions};

/// How often the counters of changes are read, where the database does not tell by itself.
const POLL: Duration = Duration::from_secs(2);
/// How often the keys are loaded again whatever the counters say: their times come by themselves.
const RELOAD_KEYS: Duration = Duration::from_secs(300);
/// The same for resources and scopes, should every other way fail.
const RELOAD_REGISTRY: Duration = Duration::from_secs(60);
/// How often some hashes of passwords are looked at: they are renewed one by one.
const LEARN_COSTS: Duration = Duration::from_secs(300);
/// How often is looked for clients to tell of a logout: one of another process is noticed by this only.
const TELL_OF_LOGOUT: Duration = Duration::from_secs(1);
/// How often what waits is counted, where somebody may ask for the number: rounds of looking.
const COUNT_WAITING: u32 = 15;
/// How often queued entries of the audit log are written, and what waits is chained.
const AUDIT: Duration = Duration::from_secs(1);
/// How often is said how far all is written of it, where no entry says so: rounds of writing.
const CLOSE_AUDIT: u32 = 60;
const PURGE: Duration = Duration::from_secs(60);
/// A connection to the database that nobody needed for so long is closed, but for those that are kept.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);
/// A full batch is followed by the next one after this, or after as long as it took if that is longer: removing takes
/// no more than half of one connection, and keeps up with any load that the rest leaves room for.
const PURGE_MORE: Duration = Duration::from_millis(50);

const DAY: i64 = 86_400;

/// The running tasks; they are told to end when this is dropped.
pub struct Background(JoinSet<()>);

impl Background {
    /// Ends the tasks, and returns when each has let go of what it held.
    pub async fn end(mut self) {
        self.0.shutdown().await;
    }
}

/// Starts the tasks.
pub fn spawn(app: &Arc<App>) -> Background {
    let mut tasks = JoinSet::new();
    tasks.spawn(watch(Arc::clone(app)));
    tasks.spawn(purge(Arc::clone(app)));
    tasks.spawn(refresh_keys(Arc::clone(app)));
    tasks.spawn(refresh_registry(Arc::clone(app)));
    tasks.spawn(learn_password_costs(Arc::clone(app)));
    tasks.spawn(tell_of_logouts(Arc::clone(app)));
    tasks.spawn(keep_audit_log(Arc::clone(app)));
    if let Some(tls) = &app.tls {
        tasks.spawn(watch_certificate(Arc::clone(tls), app.clock.clone(), hang_ups()));
    }
    Background(tasks)
}

/// Follows the counters of changes: at once where the database tells, else every two seconds.
async fn watch(app: Arc<App>) {
    let mut seen: Option<Versions> = None;
    loop {
        // Subscribing first: what changes while the counters are read is not missed.
        let mut listener = app.storage.db().listen().await.ok();
        loop {
            if let Err(error) = notice(&app, &mut seen).await {
                tracing::warn!(%error, "could not look for changes");
            }
            let alive = match &mut listener {
                Some(listener) => tokio::select! {
                    changed = listener.changed() => changed.is_ok(),
                    () = sleep(POLL) => true,
                },
                None => {
                    sleep(POLL).await;
                    false
                }
            };
            if !alive {
                break;
            }
        }
    }
}

async fn notice(app: &App, seen: &mut Option<Versions>) -> Result<(), StorageError> {
    let now = app.storage.versions().await?;
    let before = seen.replace(now);
    if before.is_none_or(|before| before.clients != now.clients) {
        app.clients.forget();
    }
    if before.is_none_or(|before| before.keys != now.keys)
        && let Err(error) = app.reload_keys().await
    {
        tracing::error!(%error, "could not load the signing keys; the ones in use stay");
        // Not seen: tried again at the next look.
        *seen = before;
    }
    if before.is_none_or(|before| (before.resources, before.scopes) != (now.resources, now.scopes))
        && let Err(error) = app.reload_registry().await
    {
        *seen = before;
        return Err(error);
    }
    Ok(())
}

/// Every SIGHUP from now on, which would end a process that does not listen for it yet.
fn hang_ups() -> Option<Signal> {
    signal(SignalKind::hangup())
        .inspect_err(|error| tracing::error!(%error, "SIGHUP is not listened for"))
        .ok()
}

/// Looks at the files of the TLS certificate, now and then and when SIGHUP asks for it.
async fn watch_certificate(tls: Arc<Tls>, clock: Clock, mut hang_ups: Option<Signal>) {
    let mut asked = async || match &mut hang_ups {
        Some(hang_ups) => hang_ups.recv().await,
        None => std::future::pending().await,
    };
    loop {
        let was_asked = tokio::select! {
            _ = asked() => true,
            () = sleep(tls.looks_every()) => false,
        };
        let (tls, now) = (Arc::clone(&tls), clock.now());
        // Files may be somewhere slow.
        let looked = spawn_blocking(move || tls.look(was_asked, now)).await;
        if let Err(error) = looked {
            tracing::error!(%error, "could not look at the TLS certificate");
        }
    }
}

async fn refresh_registry(app: Arc<App>) {
    loop {
        sleep(RELOAD_REGISTRY).await;
        if let Err(error) = app.reload_registry().await {
            tracing::warn!(%error, "could not load the resources and scopes; the ones known stay");
        }
    }
}

async fn learn_password_costs(app: Arc<App>) {
    loop {
        sleep(LEARN_COSTS).await;
        if let Err(error) = app.learn_password_costs().await {
            tracing::warn!(%error, "could not look at what the hashes of passwords cost");
        }
    }
}

async fn refresh_keys(app: Arc<App>) {
    loop {
        if let Err(error) = app.rotate_keys().await {
            tracing::error!(%error, "could not make the next signing keys; tried again in five minutes");
        }
        sleep(RELOAD_KEYS).await;
        if let Err(error) = app.reload_keys().await {
            tracing::error!(%error, "could not load the signing keys; the ones in use stay");
        }
    }
}

async fn tell_of_logouts(app: Arc<App>) {
    let mut dispatcher = Dispatcher::default();
    for round in 0_u32.. {
        if app.is_scraped() && round.is_multiple_of(COUNT_WAITING) {
            count_waiting_logouts(&app).await;
        }
        if let Err(error) = dispatcher.round(&app).await {
            tracing::warn!(%error, "could not look for clients to tell of a logout");
        }
        sleep(TELL_OF_LOGOUT).await;
    }
}

async fn count_waiting_logouts(app: &App) {
    match app.storage.waiting_logouts().await {
        Ok(number) => app.events.waiting_logouts.set(number),
        Err(error) => tracing::warn!(%error, "could not count the clients that wait to be told of a logout"),
    }
}

async fn keep_audit_log(app: Arc<App>) {
    for round in 0_u32.. {
        sleep(AUDIT).await;
        if let Err(error) = app.audit.flush(app.now()).await {
            tracing::warn!(%error, "could not write to the audit log; tried again in a second");
        }
        if (round + 1).is_multiple_of(CLOSE_AUDIT) {
            app.audit.close(app.now());
        }
        match app.audit.chain_waiting(app.now()).await {
            Ok(()) => app.events.audit_chained(app.now()),
            Err(error) => tracing::error!(%error, "could not chain the audit log; tried again in a second"),
        }
        if app.is_scraped() && round.is_multiple_of(COUNT_WAITING) {
            count_waiting_audit_entries(&app).await;
        }
    }
}

async fn count_waiting_audit_entries(app: &App) {
    match app.storage.number_of_waiting_audit_entries().await {
        Ok(number) => app.events.waiting_audit_entries.set(number),
        Err(error) => tracing::warn!(%error, "could not count the entries of the audit log that wait"),
    }
}

async fn purge(app: Arc<App>) {
    let mut ticks = interval(PURGE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match remove_all(&app).await {
            Ok(true) => app.events.all_purged(app.now()),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "could not remove what has expired"),
        }
        if let Err(error) = cut_audit_log(&app).await {
            tracing::warn!(%error, "could not remove old entries of the audit log");
        }
        if let Err(error) = app.storage.db().checkpoint().await {
            tracing::warn!(%error, "could not checkpoint");
        }
        app.storage.db().trim(LONGEST_IDLE).await;
    }
}

/// Round after round, until nothing is left that has expired. False where another process does it.
async fn remove_all(app: &App) -> Result<bool, StorageError> {
    loop {
        let started = Instant::now();
        let Some(purged) = remove(app, started).await? else { return Ok(false) };
        if !purged.is_full() {
            tracing::debug!(?purged, "removed what had expired");
            return Ok(true);
        }
        sleep(started.elapsed().max(PURGE_MORE)).await;
    }
}

/// Removes what is older than the audit log is kept.
async fn cut_audit_log(app: &App) -> Result<(), StorageError> {
    let Some(days) = app.settings.audit.retention_days else { return Ok(()) };
    loop {
        match app.audit.cut(app.now().plus(-days * DAY)).await? {
            Ok(true) => sleep(PURGE_MORE).await,
            Ok(false) => return Ok(()),
            Err(flaw) => {
                tracing::error!(%flaw, "the audit log does not verify: its old entries are not removed");
                return Ok(());
            }
        }
    }
}

/// One round of removing what has expired, and the note of it; none where another process does it.
async fn remove(app: &App, started: Instant) -> Result<Option<Purged>, StorageError> {
    let removed = app.remove_expired_in_turn().await;
    let outcome = match &removed {
        Ok(None) => return removed,
        Ok(Some(purged)) if purged.is_full() => observe::Purge::More,
        Ok(Some(_)) => observe::Purge::Done,
        Err(_) => observe::Purge::Failed,
    };
    app.events.purges.note(outcome, started.elapsed());
    if let Ok(Some(purged)) = &removed {
        note(&app.events, purged);
    }
    removed
}

fn note(events: &Events, purged: &Purged) {
    let rows = [
        (Table::Sessions, purged.sessions),
        (Table::AuthorizationRequests, purged.requests),
        (Table::DeviceAuthorizations, purged.devices),
        (Table::Grants, purged.grants),
        (Table::RevokedTokens, purged.tokens),
        (Table::UsedAssertions, purged.assertions),
        (Table::Clients, purged.registrations),
        (Table::LogoutDeliveries, purged.logouts),
        (Table::Consents, purged.consents),
        (Table::Tries, purged.tries),
    ];
    for (table, number) in rows {
        events.purged.add(table, number);
    }
}
