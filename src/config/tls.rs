//! Whether the public listener speaks TLS itself.

use std::path::PathBuf;
use std::time::Duration;

use super::issuer::Issuer;
use super::reader::Reader;
use super::table::server;

/// Where the certificate and its key are.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    /// How often the files are looked at.
    pub reload: Duration,
}

/// The inner `None` is plain HTTP.
pub(super) fn read(reader: &mut Reader, issuer: Option<&Issuer>) -> Option<Option<TlsSettings>> {
    let certificate = reader.text(server::tls_certificate_file);
    let key = reader.text(server::tls_key_file);
    let reload = reader.duration(server::tls_reload_seconds);
    let (certificate, key, reload) = (certificate?, key?, reload?);
    let (missing, given) = match (certificate.is_empty(), key.is_empty()) {
        (true, true) => return Some(None),
        (false, false) => {
            return of_both(
                reader,
                issuer,
                TlsSettings { certificate_file: certificate.into(), key_file: key.into(), reload },
            );
        }
        (true, false) => (server::tls_certificate_file.key, server::tls_key_file.key),
        (false, true) => (server::tls_key_file.key, server::tls_certificate_file.key),
    };
    reader.refuse(missing, format!("{given} is set, and it is not"), "set both, or none".to_owned());
    None
}

fn of_both(
    reader: &mut Reader,
    issuer: Option<&Issuer>,
    settings: TlsSettings,
) -> Option<Option<TlsSettings>> {
    if issuer.is_some_and(Issuer::is_loopback_http) {
        let problem = "the server would speak TLS, but server.issuer is plain http".to_owned();
        let remedy = "write the issuer with https, or leave the two files out".to_owned();
        reader.refuse(server::tls_certificate_file.key, problem, remedy);
        return None;
    }
    Some(Some(settings))
}
