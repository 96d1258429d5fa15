//! `chancery serve`

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Failure, open, start_log};
use crate::app::{self, App, Background};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http;

/// A connection that hangs must not keep the process from ending.
const CLOSE: Duration = Duration::from_secs(5);

pub async fn run(settings: Settings) -> Result<(), Failure> {
    start_log(&settings)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    let shutdown = http::server::shutdown_signal()?;
    let (app, background) = start(settings).await?;
    let listener = bind(&app).await?;
    tracing::info!(
        issuer = app.issuer(),
        address = %listener.local_addr()?,
        database = if app.settings.database.url.is_sqlite() { "SQLite" } else { "Postgres" },
        "listening"
    );
    until(&app, listener, shutdown).await?;
    close(&app, background).await;
    Ok(())
}

/// The database, the keys, and the background tasks.
pub async fn start(settings: Settings) -> Result<(Arc<App>, Background), Failure> {
    let storage = open::storage(&settings).await?;
    let master_key = app::load_master_key(&settings)?;
    let app = App::start(settings, storage, master_key, Clock::System).await?;
    let background = app::spawn_background_tasks(&app);
    Ok((app, background))
}

async fn bind(app: &App) -> Result<TcpListener, Failure> {
    let address = app.settings.server.listen;
    TcpListener::bind(address).await.map_err(|error| {
        Failure::refused(format!(
            "server.listen: {address}: {error}\n    stop what listens there, or choose another address"
        ))
    })
}

/// Answers requests until `shutdown` is ready.
pub async fn until(
    app: &Arc<App>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let server = &app.settings.server;
    let service = http::middleware::layers(http::router(Arc::clone(app)), server);
    Ok(http::server::serve(listener, service, &server.limits, shutdown).await?)
}

/// Ends the background tasks, then the database's connections.
pub async fn close(app: &App, background: Background) {
    drop(background);
    if tokio::time::timeout(CLOSE, app.storage.db().close()).await.is_err() {
        tracing::warn!("a database connection was not given back in time");
    }
    tracing::info!("stopped");
}
