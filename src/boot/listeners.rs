//! The listeners: where they are bound, what answers on each, and until when.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_http::compression::CompressionLayer;

use super::routes::service;
use crate::app::App;
use crate::observe::Listener;
use crate::server::edge::{self, Edge};
use crate::server::listener;
use crate::{admin, metrics};

/// Why nobody is answered.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("{key}: {address}: {error}\n    {advice}")]
    Bind { key: &'static str, address: SocketAddr, error: io::Error, advice: &'static str },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Listens at the address of this setting.
pub async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => "give it CAP_NET_BIND_SERVICE, or choose a port above 1023",
            _ => "stop what listens there, or choose another address",
        };
        ListenError::Bind { key, address, error, advice }
    })
}

/// The listeners beside the public one, where the settings say so.
pub struct Listeners {
    admin: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl Listeners {
    pub async fn bind(app: &App) -> Result<Self, ListenError> {
        Ok(Self {
            admin: bind_given("admin.listen", app.settings.admin.listen).await?,
            metrics: bind_given("metrics.listen", app.settings.metrics.listen).await?,
        })
    }
}

async fn bind_given(
    key: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<TcpListener>, ListenError> {
    let Some(address) = address else { return Ok(None) };
    Ok(Some(bind(key, address).await?))
}

/// Answers requests on every listener until `stopped` says so.
pub async fn until(
    app: &Arc<App>,
    listener: TcpListener,
    others: Listeners,
    stopped: watch::Receiver<bool>,
) -> Result<(), ListenError> {
    let service = service(app);
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
) -> Result<(), ListenError> {
    let Some(listener) = listener else { return Ok(()) };
    tracing::info!(address = %listener.local_addr()?, "listening for {}", match which {
        Listener::Admin => "external pages",
        Listener::Metrics => "scrapes of the metrics",
        Listener::Public => "applications and browsers",
    });
    let service = match which {
        Listener::Admin => other(app, which, admin::router(Arc::clone(app))),
        Listener::Metrics => other(app, which, metrics::router(Arc::clone(app))),
        Listener::Public => service(app),
    };
    serve(app, (listener, None), service, shutdown).await
}

/// What answers on a listener that is not public. No browser is there, so that nobody who writes a part of an answer sees how
/// long the whole of it is.
fn other(app: &App, which: Listener, router: Router) -> Edge {
    edge::layers(router.layer(CompressionLayer::new()), &app.settings.server, app.watch(which))
}

/// Every listener has the same rules for every request.
async fn serve(
    app: &App,
    (listener, tls): (TcpListener, Option<TlsAcceptor>),
    service: Edge,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ListenError> {
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
