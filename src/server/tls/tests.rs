//! What the two files may hold.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::Settings;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/tls").join(name)
}

fn settings(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> TlsSettings {
    let (certificate_file, key_file) = (certificate.into(), key.into());
    TlsSettings { certificate_file, key_file, reload: Duration::from_secs(1) }
}

fn issuer() -> Issuer {
    let issuer = ("CHANCERY_SERVER__ISSUER".to_owned(), "https://id.example".to_owned());
    Settings::load(None, [issuer]).unwrap().server.issuer
}

/// Files that are gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chancery-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn keys_are_read_in_every_spelling() {
    for (certificate, key) in
        [("first.pem", "first.key.pem"), ("first.pem", "first.sec1.pem"), ("second.pem", "second.pkcs1.pem")]
    {
        let tls = Tls::load(settings(fixture(certificate), fixture(key)), &issuer(), NOW).unwrap();
        assert!(tls.serving.pair().is_for("id.example"), "{key}");
        assert!(!tls.serving.pair().is_for("other.example"), "{key}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_the_name_of_its_file() {
    let directory = Directory::new("refused");
    let (certificate, key) = (fixture("first.pem"), fixture("first.key.pem"));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let broken = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0!\n-----END PRIVATE KEY-----\n";
    let small = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let refusals = [
        (directory.0.join("gone"), key.clone(), "gone: it cannot be read"),
        (certificate.clone(), directory.0.join("gone"), "gone: it cannot be read"),
        (directory.write("a", ""), key.clone(), "a: it holds no certificate in PEM"),
        (directory.write("b", "-----BEGIN CERTIFICATE-----\nAA"), key.clone(), "b: it is not written as PEM"),
        (directory.write("c", no_certificate), key.clone(), "c: its first certificate cannot be used"),
        (certificate.clone(), certificate.clone(), "first.pem: it holds no private key in PEM"),
        (certificate.clone(), directory.write("d", encrypted), "d: its key is encrypted"),
        (certificate.clone(), directory.write("e", broken), "e: it holds no private key in PEM"),
        (certificate.clone(), directory.write("f", small), "f: its key is of no kind"),
        (
            certificate.clone(),
            fixture("second.pkcs1.pem"),
            "second.pkcs1.pem: it is not the key of the first",
        ),
    ];
    for (certificate, key, expected) in refusals {
        let error = Tls::check(&settings(certificate, key)).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(error.starts_with("server.tls_") && error.contains("\n    "), "what to do: {error}");
        assert!(!error.contains("c2Vj"), "nothing of a key: {error}");
    }
}

#[test]
fn a_key_that_everybody_can_read_is_noticed() {
    let directory = Directory::new("open");
    let key = directory.write("key", std::fs::read(fixture("first.key.pem")).unwrap());
    let settings = settings(fixture("first.pem"), &key);
    for (mode, open) in [(0o600, false), (0o640, false), (0o644, true)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(Files::read(&settings).unwrap().key_is_open, open, "{mode:o}");
    }
}

#[test]
fn a_look_replaces_the_pair_once_it_is_whole_and_counts_what_is_not() {
    let directory = Directory::new("look");
    let put = |certificate: &str, key: &str| {
        directory.write("certificate", std::fs::read(fixture(certificate)).unwrap());
        directory.write("key", std::fs::read(fixture(key)).unwrap());
    };
    put("first.pem", "first.key.pem");
    let files = settings(directory.0.join("certificate"), directory.0.join("key"));
    let tls = Tls::load(files, &issuer(), NOW).unwrap();
    let first = Some(Timestamp::from_unix(4_670_438_400));
    tls.look(false, NOW);
    tls.look(true, NOW);
    assert_eq!((tls.not_after(), tls.failures()), (first, 0));
    put("second.pem", "first.key.pem");
    tls.look(false, NOW);
    tls.look(false, NOW);
    assert_eq!((tls.not_after(), tls.failures()), (first, 1), "told once");
    tls.look(true, NOW);
    assert_eq!((tls.not_after(), tls.failures()), (first, 2), "told again to who asks");
    std::fs::remove_file(directory.0.join("key")).unwrap();
    tls.look(false, NOW);
    tls.look(false, NOW);
    assert_eq!((tls.not_after(), tls.failures()), (first, 3));
    put("second.pem", "second.pkcs1.pem");
    tls.look(false, NOW);
    assert_eq!((tls.not_after(), tls.failures()), (Some(Timestamp::from_unix(4_638_902_400)), 3));
}
