//! A certificate with its key, read from the two files that the settings name.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::validity;
use crate::config::TlsSettings;
use crate::crypto::digest;
use crate::model::Timestamp;

const CERTIFICATE: &str = "server.tls_certificate_file";
const KEY: &str = "server.tls_key_file";
/// The permission of everybody to read.
const OTHERS_READ: u32 = 0o004;

/// Which file cannot be used, and why. Never holds anything of a file.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {}: {problem}\n    {remedy}", .path.display())]
pub struct TlsError {
    key: &'static str,
    path: PathBuf,
    problem: String,
    remedy: &'static str,
}

impl TlsError {
    fn certificate(settings: &TlsSettings, problem: impl Into<String>, remedy: &'static str) -> Self {
        let path = settings.certificate_file.clone();
        Self { key: CERTIFICATE, path, problem: problem.into(), remedy }
    }

    fn key(settings: &TlsSettings, problem: impl Into<String>, remedy: &'static str) -> Self {
        Self { key: KEY, path: settings.key_file.clone(), problem: problem.into(), remedy }
    }

    pub(super) fn unusable(settings: &TlsSettings, error: &rustls::Error) -> Self {
        Self::certificate(settings, format!("TLS cannot be set up: {error}"), "report this")
    }

    fn unreadable(key: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        let remedy = "give the path of a file that this user can read";
        move |error| Self { key, path, problem: format!("it cannot be read: {error}"), remedy }
    }
}

/// What the files hold at one moment.
pub(super) struct Files {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    /// Whether everybody on this machine can read the key.
    pub key_is_open: bool,
}

impl Files {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let (certificate, key) = (&settings.certificate_file, &settings.key_file);
        let unreadable = || TlsError::unreadable(KEY, key);
        let mode = std::fs::metadata(key).map_err(unreadable())?.permissions().mode();
        Ok(Self {
            certificate: std::fs::read(certificate)
                .map_err(TlsError::unreadable(CERTIFICATE, certificate))?,
            key: Zeroizing::new(std::fs::read(key).map_err(unreadable())?),
            key_is_open: mode & OTHERS_READ != 0,
        })
    }

    /// What tells these contents from others.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        digest::sha256(&[digest::sha256(&self.certificate), digest::sha256(&self.key)].concat())
    }
}

/// What a handshake needs.
#[derive(Debug)]
pub(super) struct Pair {
    pub key: Arc<CertifiedKey>,
    /// None where the certificate does not say it as it should.
    pub not_after: Option<Timestamp>,
}

impl Pair {
    pub(super) fn parse(
        files: &Files,
        settings: &TlsSettings,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let chain = chain(files, settings)?;
        let key = private_key(files, settings)?;
        let not_after = chain.first().and_then(|certificate| validity::not_after(certificate));
        let key = provider.key_provider.load_private_key(key).map_err(|_| {
            let remedy =
                "use an RSA key of 2048 bits or more, an ECDSA key on P-256 or P-384, or an Ed25519 key";
            TlsError::key(settings, "its key is of no kind that TLS uses here", remedy)
        })?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) => Ok(Self { key: Arc::new(key), not_after }),
            Err(rustls::Error::InconsistentKeys(_)) => {
                let certificate = settings.certificate_file.display();
                let problem = format!("it is not the key of the first certificate in {certificate}");
                let remedy = "give the two files that belong together; the server's certificate comes first, its issuers' after it";
                Err(TlsError::key(settings, problem, remedy))
            }
            Err(error) => {
                let problem = format!("its first certificate cannot be used: {error}");
                Err(TlsError::certificate(settings, problem, "give an X.509 certificate of version 3"))
            }
        }
    }

    /// Whether the certificate is for this host.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        let certificate = self.key.end_entity_cert().and_then(ParsedCertificate::try_from);
        certificate.is_ok_and(|certificate| rustls::client::verify_server_name(&certificate, &name).is_ok())
    }
}

fn chain(files: &Files, settings: &TlsSettings) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let remedy = "give a file with BEGIN CERTIFICATE: the server's certificate, then its intermediates";
    let found = CertificateDer::pem_slice_iter(&files.certificate).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(TlsError::certificate(settings, "it holds no certificate in PEM", remedy)),
        Err(_) => Err(TlsError::certificate(settings, "it is not written as PEM should be", remedy)),
    }
}

fn private_key(files: &Files, settings: &TlsSettings) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| {
        // Not the error's own words: they quote the file.
        let text = String::from_utf8_lossy(&files.key);
        let (problem, remedy) = if text.contains("BEGIN ENCRYPTED PRIVATE KEY")
            || text.contains("Proc-Type: 4,ENCRYPTED")
        {
            (
                "its key is encrypted",
                "write it without a passphrase: openssl pkey -in FILE -out FILE; only the server may read it",
            )
        } else {
            (
                "it holds no private key in PEM",
                "give a file with BEGIN PRIVATE KEY, BEGIN EC PRIVATE KEY or BEGIN RSA PRIVATE KEY",
            )
        };
        TlsError::key(settings, problem, remedy)
    })
}
