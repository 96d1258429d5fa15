//! `chancery serve`

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{Failure, open, start_log};
use crate::admin;
use crate::app::App;
use crate::boot::{self, Background};
use crate::clock::Clock;
use crate::config::Settings;

use crate::metrics;
use crate::model::Client;
use crate::observe::Listener;
use crate::server::edge::{self, Edge};
use crate::server::listener;

/// A connection that hangs must not keep the process from ending.
const CLOSE: Duration = Duration::from_secs(5);

pub async fn run(settings: Settings) -> Result<(), Failure> {
    let telemetry = start_log(&settings)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    let stopped = stopped()?;
    let (app, background) = start(settings).await?;
    for id in app.master_key.idle_previous() {
        tracing::warn!(
            id,
            "nothing in the database needs this previous master key; take it out of the settings"
        );
    }
    warn_of_clients(&app).await?;
    let listener = bind("server.listen", app.settings.server.listen).await?;
    let others = Listeners::bind(&app).await?;
    tracing::info!(
        issuer = app.issuer(),
        address = %listener.local_addr()?,
        tls = app.tls.is_some(),
        database = if app.settings.database.url.is_sqlite() { "SQLite" } else { "Postgres" },
        "listening"
    );
    until(&app, listener, others, stopped).await?;
    close(&app, background).await;
    telemetry.end().await;
    Ok(())
}

/// The database, the keys, and the background tasks.
pub async fn start(settings: Settings) -> Result<(Arc<App>, Background), Failure> {
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
        clients.iter().for_each(warn_of_client);
        place = last;
    }
    Ok(())
}

fn warn_of_client(client: &Client) {
    let weakens = client.weakens();
    if !weakens.is_empty() {
        let (profile, weakens) = (client.profile().as_str(), weakens.join(", "));
        tracing::warn!(client = %client.id, profile, weakens, "a client weakens a default");
    }
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => "give it CAP_NET_BIND_SERVICE, or choose a port above 1023",
            _ => "stop what listens there, or choose another address",
        };
        Failure::refused(format!("{key}: {address}: {error}\n    {advice}"))
    })
}

/// The listeners beside the public one, where the settings say so.
pub struct Listeners {
    admin: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl Listeners {
    pub async fn bind(app: &App) -> Result<Self, Failure> {
        Ok(Self {
            admin: bind_given("admin.listen", app.settings.admin.listen).await?,
            metrics: bind_given("metrics.listen", app.settings.metrics.listen).await?,
        })
    }
}

async fn bind_given(key: &str, address: Option<SocketAddr>) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = address else { return Ok(None) };
    Ok(Some(bind(key, address).await?))
}

/// Answers requests on every listener until `stopped` says so.
pub async fn until(
    app: &Arc<App>,
    listener: TcpListener,
    others: Listeners,
    stopped: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let service = boot::service(app);
    let load = Arc::clone(service.load());
    let tls = app.tls.as_ref().map(|tls| tls.acceptor());
    let public = serve(app, (listener, tls), service, signalled(stopped.clone()));
    let admin = serve_if(app, Listener::Admin, others.admin, signalled(stopped.clone()));
    let metrics = serve_if(app, Listener::Metrics, others.metrics, signalled(stopped));
    let all = async { tokio::join!(public, admin, metrics) };
    let longest_wait = || app.storage.db().longest_wait();
    let (public, admin, metrics) = tokio::select! {
        ended = all => ended,
        never = load.watch(app.settings.server.max_delay, longest_wait) => match never {},
    };
    public.and(admin).and(metrics)
}

/// A listener that there need not be.
async fn serve_if(
    app: &Arc<App>,
    which: Listener,
    listener: Option<TcpListener>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let Some(listener) = listener else { return Ok(()) };
    tracing::info!(address = %listener.local_addr()?, "listening for {}", match which {
        Listener::Admin => "external pages",
        Listener::Metrics => "scrapes of the metrics",
        Listener::Public => "applications and browsers",
    });
    let service = match which {
        Listener::Admin => other(app, which, admin::router(Arc::clone(app))),
        Listener::Metrics => other(app, which, metrics::router(Arc::clone(app))),
        Listener::Public => boot::service(app),
    };
    serve(app, (listener, None), service, shutdown).await
}

/// What answers on a listener that is not public.
fn other(app: &App, which: Listener, router: Router) -> Edge {
    edge::layers(router, &app.settings.server, app.watch(which))
}

/// Every listener has the same rules for every request.
async fn serve(
    app: &App,
    (listener, tls): (TcpListener, Option<TlsAcceptor>),
    service: Edge,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let connections = Arc::clone(service.connections());
    Ok(listener::serve(listener, tls, service, &app.settings.server, &connections, shutdown).await?)
}

/// Turns true at the first signal from now on: call it before anybody is told that the server runs.
pub fn stopped() -> io::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let signal = listener::shutdown_signal()?;
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
