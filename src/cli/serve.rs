//! `chancery serve`

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Failure, open, start_log};
use crate::admin;
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
    let stopped = stopped()?;
    let (app, background) = start(settings).await?;
    warn_of_clients(&app).await?;
    let listener = bind("server.listen", app.settings.server.listen).await?;
    let admin = admin_listener(&app).await?;
    tracing::info!(
        issuer = app.issuer(),
        address = %listener.local_addr()?,
        database = if app.settings.database.url.is_sqlite() { "SQLite" } else { "Postgres" },
        "listening"
    );
    until(&app, listener, admin, stopped).await?;
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

/// The clients that weaken a default, each named once at start.
async fn warn_of_clients(app: &App) -> Result<(), Failure> {
    for client in app.storage.clients().await? {
        let weakens = client.weakens();
        if !weakens.is_empty() {
            let (profile, weakens) = (client.profile().as_str(), weakens.join(", "));
            tracing::warn!(client = %client.id, profile, weakens, "a client weakens a default");
        }
    }
    Ok(())
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::refused(format!(
            "{key}: {address}: {error}\n    stop what listens there, or choose another address"
        ))
    })
}

/// Listens for the answers of external pages, where the settings say so.
pub async fn admin_listener(app: &App) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = app.settings.admin.listen else { return Ok(None) };
    Ok(Some(bind("admin.listen", address).await?))
}

/// Answers requests on both listeners until `stopped` says so.
pub async fn until(
    app: &Arc<App>,
    listener: TcpListener,
    admin: Option<TcpListener>,
    stopped: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let server = &app.settings.server;
    let service = http::service(app);
    let load = Arc::clone(service.load());
    let public = http::server::serve(listener, service, server, signalled(stopped.clone()));
    let both = async { tokio::join!(public, serve_admin(app, admin, signalled(stopped))) };
    let (public, admin) = tokio::select! {
        ended = both => ended,
        () = load.watch(server.max_delay, || app.storage.db().longest_wait()) => (Ok(()), Ok(())),
    };
    public?;
    admin
}

/// The admin listener, where there is one, behind the same rules for every request.
async fn serve_admin(
    app: &Arc<App>,
    listener: Option<TcpListener>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let Some(listener) = listener else { return Ok(()) };
    tracing::info!(address = %listener.local_addr()?, "listening for external pages");
    let server = &app.settings.server;
    let service = http::middleware::layers(admin::router(Arc::clone(app)), server);
    Ok(http::server::serve(listener, service, server, shutdown).await?)
}

/// Turns true at the first signal from now on: call it before anybody is told that the server runs.
pub fn stopped() -> io::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let signal = http::server::shutdown_signal()?;
    tokio::spawn(async move {
        signal.await;
        stop.send_replace(true);
    });
    Ok(stopped)
}

pub async fn signalled(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a reason to stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Ends the background tasks, then the database's connections.
pub async fn close(app: &App, background: Background) {
    drop(background);
    if tokio::time::timeout(CLOSE, app.storage.db().close()).await.is_err() {
        tracing::warn!("a database connection was not given back in time");
    }
    tracing::info!("stopped");
}
