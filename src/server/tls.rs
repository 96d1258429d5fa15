//! TLS on the public listener, for those without a reverse proxy: TLS 1.2 and 1.3 only (RFC 9325 3.1.1), HTTP/1.1 within,
//! no client certificates. The files may be replaced while the server runs.

mod pair;
#[cfg(test)]
mod tests;
mod validity;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::{Issuer, TlsSettings};
use crate::crypto::digest;
use crate::model::Timestamp;
pub(crate) use pair::TlsError;
use pair::{Files, Pair};

/// RFC 7301 6. `h2` is not there: the accept loop speaks HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// The certificate that is served, and where the next one comes from.
pub struct Tls {
    settings: TlsSettings,
    /// Of the issuer.
    host: String,
    provider: Arc<CryptoProvider>,
    serving: Arc<Serving>,
    config: Arc<ServerConfig>,
    /// The fingerprint of what was in the files when they were last looked at, whether it was any good or not.
    seen: Mutex<[u8; 32]>,
    failures: AtomicU64,
}

/// What each handshake asks for the certificate.
#[derive(Debug)]
struct Serving(RwLock<Arc<Pair>>);

impl Serving {
    fn pair(&self) -> Arc<Pair> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Serving {
    /// One certificate, whatever name was asked for: the client judges.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.pair().key))
    }
}

impl Tls {
    /// Reads both files.
    pub fn load(settings: TlsSettings, issuer: &Issuer, now: Timestamp) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let files = Files::read(&settings)?;
        let pair = Pair::parse(&files, &settings, &provider)?;
        let seen = Mutex::new(files.fingerprint());
        let host = issuer.host();
        tell(&pair, &files, &settings, &host, now);
        let serving = Arc::new(Serving(RwLock::new(Arc::new(pair))));
        let config = config(&provider, &serving).map_err(|error| TlsError::unusable(&settings, &error))?;
        let failures = AtomicU64::new(0);
        Ok(Self { settings, host, provider, serving, config: Arc::new(config), seen, failures })
    }

    /// Whether the files could be served.
    pub fn check(settings: &TlsSettings) -> Result<(), TlsError> {
        let files = Files::read(settings)?;
        Pair::parse(&files, settings, &aws_lc_rs::default_provider()).map(drop)
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    pub fn looks_every(&self) -> Duration {
        self.settings.reload
    }

    /// When the certificate that is served expires.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.serving.pair().not_after
    }

    /// How often the files had changed and could not be used.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Serves what is in the files to new connections, if that changed and can be used. What was found unusable once is
    /// not told again, unless somebody asked for the look.
    pub fn look(&self, asked: bool, now: Timestamp) {
        let read = Files::read(&self.settings);
        let fingerprint = match &read {
            Ok(files) => files.fingerprint(),
            Err(error) => digest::sha256(error.to_string().as_bytes()),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *seen, fingerprint) == fingerprint && !asked {
            return;
        }
        match read.and_then(|files| self.replace(&files, now)) {
            Ok(()) => {}
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "the TLS certificate could not be loaded; the one in use stays");
            }
        }
    }

    fn replace(&self, files: &Files, now: Timestamp) -> Result<(), TlsError> {
        let pair = Pair::parse(files, &self.settings, &self.provider)?;
        tell(&pair, files, &self.settings, &self.host, now);
        *self.serving.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        Ok(())
    }
}

fn config(provider: &Arc<CryptoProvider>, serving: &Arc<Serving>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(serving) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Sessions are resumed by tickets under keys of this process that change every six hours; nothing is remembered, and
    // no early data is taken, which could be replayed (RFC 8446 8).
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// What the operator should know of a certificate that is served from now on.
fn tell(pair: &Pair, files: &Files, settings: &TlsSettings, host: &str, now: Timestamp) {
    let not_after = pair.not_after.map_or_else(|| "unknown".to_owned(), Timestamp::to_iso8601);
    tracing::info!(path = %settings.certificate_file.display(), not_after, "loaded the TLS certificate");
    if pair.not_after.is_some_and(|end| end < now) {
        tracing::warn!(not_after, "the TLS certificate has expired: clients refuse it");
    }
    if !pair.is_for(host) {
        tracing::warn!(host, "the TLS certificate is not for the issuer's host: clients refuse it");
    }
    if files.key_is_open {
        let path = settings.key_file.display();
        tracing::warn!(%path, "everybody on this machine can read the TLS key: take the permission from others (chmod o-r)");
    }
}
