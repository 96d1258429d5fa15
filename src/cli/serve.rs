//! `chancery serve`

use std::sync::Arc;
use std::time::Duration;

use super::{Failure, open};
use crate::app::App;
use crate::boot::{self, Background, Listeners};
use crate::clock::Clock;
use crate::config::Settings;
use crate::model::{ClientMetadata, Profiles};
use crate::telemetry::Telemetry;

/// A connection that hangs must not keep the process from ending.
const CLOSE: Duration = Duration::from_secs(5);

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    let telemetry = start_log(&settings)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    let stopped = boot::stopped()?;
    let (app, background) = start(settings).await?;
    for id in app.master_key.idle_previous() {
        tracing::warn!(
            id,
            "nothing in the database needs this previous master key; take it out of the settings"
        );
    }
    warn_of_clients(&app).await?;
    let listener = boot::bind("server.listen", app.settings.server.listen).await?;
    let others = Listeners::bind(&app).await?;
    tracing::info!(
        issuer = app.issuer(),
        address = %listener.local_addr()?,
        tls = app.tls.is_some(),
        database = if app.settings.database.url.is_sqlite() { "SQLite" } else { "Postgres" },
        "listening"
    );
    boot::until(&app, listener, others, stopped).await?;
    close(&app, background).await;
    telemetry.end().await;
    Ok(())
}

/// The database, the keys, and the background tasks.
pub(super) async fn start(settings: Settings) -> Result<(Arc<App>, Background), Failure> {
    let storage = open::storage(&settings).await?;
    storage.db().keep(settings.database.kept_connections).await?;
    let master_key = boot::load_master_key(&settings)?;
    let app = App::start(settings, storage, master_key, Clock::System).await?;
    let background = boot::spawn_background_tasks(&app);
    Ok((app, background))
}

/// The clients that weaken a default, each named once at start.
async fn warn_of_clients(app: &App) -> Result<(), Failure> {
    let mut place = String::new();
    while let Some((clients, last)) = app.storage.clients_after(&place).await? {
        clients.into_iter().for_each(|client| warn_of_client(client, &app.settings.clients.profiles));
        place = last;
    }
    Ok(())
}

fn warn_of_client(client: ClientMetadata, profiles: &Profiles) {
    let id = client.id.clone();
    let client = match profiles.resolve(client) {
        Ok(client) => client,
        Err(unknown) => return tracing::warn!(client = %id, %unknown, "a client is not served"),
    };
    let weakens = client.weakens();
    if !weakens.is_empty() {
        let (profile, weakens) = (client.profile(), weakens.join(", "));
        tracing::warn!(client = %client.id, profile, weakens, "a client weakens a default");
    }
}

/// Ends the background tasks, then the database's connections.
pub(super) async fn close(app: &App, background: Background) {
    background.end().await;
    if tokio::time::timeout(CLOSE, app.renewals.end()).await.is_err() {
        tracing::warn!("the hash of a password was not renewed in time");
    }
    if let Err(error) = app.audit.finish(app.now()).await {
        tracing::error!(%error, "could not write the last entries of the audit log");
    }
    if tokio::time::timeout(CLOSE, app.storage.db().close()).await.is_err() {
        tracing::warn!("a database connection was not given back in time");
    }
    tracing::info!("stopped");
}

/// Starts the log and the export of traces, for the commands that keep running; the others print their result and
/// nothing else. What is returned has to be ended last.
pub(super) fn start_log(settings: &Settings) -> Result<Telemetry, Failure> {
    Ok(Telemetry::start(settings, |name| std::env::var(name).ok())?)
}
