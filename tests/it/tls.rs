//! TLS without a proxy: the real program, with the certificates of `fixtures/tls` (for id.example, by one authority whose
//! key was not kept; `second` through an intermediate, with an RSA key).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::crypto::random;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};

use crate::support::{Deployment, Kind, Process, Registration, TestServer, on_both, output, program};

const HOST: &str = "id.example";
/// A ClientHello of TLS 1.1 (RFC 4346 7.4.1.2) with one cipher suite, and extensions so that only its version is old.
fn client_hello_1_1() -> Vec<u8> {
    // A record with a handshake, 63 bytes; in it the ClientHello, 59 bytes, 3.2, and its random.
    let head = [22, 3, 1, 0, 63, 1, 0, 0, 59, 3, 2];
    // No session, one suite, no compression.
    let tail = [0, 0, 2, 0xc0, 0x13, 1, 0];
    // 16 bytes: signature_algorithms (ECDSA with SHA-256), supported_groups (P-256).
    let extensions = [0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23];
    [&head[..], &[0; 32], &tail, &extensions].concat()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/tls").join(name)
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(fixture(name)).unwrap()
}

/// The two files that the server is told of; gone with the test.
struct Files(PathBuf);

impl Files {
    fn of(pair: (&str, &str)) -> Self {
        let directory = std::env::temp_dir().join(format!("chancery-tls-{}", random::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let files = Self(directory);
        files.put(pair);
        files
    }

    /// Puts others in their place, each at once.
    fn put(&self, (certificate, key): (&str, &str)) {
        for (from, to) in [(certificate, "certificate"), (key, "key")] {
            std::fs::copy(fixture(from), self.0.join("new")).unwrap();
            std::fs::rename(self.0.join("new"), self.0.join(to)).unwrap();
        }
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FIRST: (&str, &str) = ("first.pem", "first.key.pem");
const SECOND: (&str, &str) = ("second.pem", "second.pkcs1.pem");

/// The program with TLS, and what it runs on.
struct Secure {
    deployment: Deployment,
    files: Files,
    environment: Vec<(String, String)>,
    process: Process,
}

impl Secure {
    async fn start(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let deployment = Deployment::prepare(kind).await;
        let files = Files::of(FIRST);
        let mut environment = deployment.with(settings);
        environment.push(("CHANCERY_SERVER__TLS_CERTIFICATE_FILE".to_owned(), files.path("certificate")));
        environment.push(("CHANCERY_SERVER__TLS_KEY_FILE".to_owned(), files.path("key")));
        let process = Process::start(&environment).await;
        Self { deployment, files, environment, process }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(&self.process.address).await.unwrap()
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let connector = connector(&[&TLS12, &TLS13], &[]);
        connector.connect(ServerName::try_from(HOST).unwrap(), self.tcp().await).await.unwrap()
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self) -> CertificateDer<'static> {
        shown(&self.connect().await)
    }

    /// Waits until new connections are shown this one.
    async fn soon_shows(&self, name: &str) {
        let begin = Instant::now();
        while self.shown().await != certificate(name) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{name} is not shown");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// A client that knows the authority, and no session from before.
fn connector(versions: &[&'static SupportedProtocolVersion], alpn: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority.pem")).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn http(stream: TlsStream<TcpStream>) -> SendRequest<Body> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn status(http: &mut SendRequest<Body>) -> u16 {
    let request = Request::get("/readyz").header(header::HOST, HOST).body(Body::empty()).unwrap();
    let answer = http.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX).await.unwrap();
    status
}

fn token_request(client: &Registration) -> Request<Body> {
    let credentials = STANDARD.encode(format!("{}:{}", client.id, client.secret));
    Request::post("/token")
        .header(header::HOST, HOST)
        .header(header::AUTHORIZATION, format!("Basic {credentials}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("grant_type=client_credentials"))
        .unwrap()
}

/// What comes until the server closes, and how long that takes.
async fn rest(mut stream: TcpStream) -> (Vec<u8>, Duration) {
    let (begin, mut bytes) = (Instant::now(), Vec::new());
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes));
    let _ = read.await.expect("it is closed");
    (bytes, begin.elapsed())
}

on_both! {
    async fn tokens_are_served_over_tls(kind: Kind) {
        let secure = Secure::start(kind, &[]).await;
        let stream = secure.connect().await;
        assert_eq!(shown(&stream), certificate("first.pem"));
        assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let answer = http(stream).await.send_request(token_request(&secure.deployment.client)).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()[header::STRICT_TRANSPORT_SECURITY], "max-age=31536000");
        let body = axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX).await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(answer["access_token"].as_str().is_some_and(|token| !token.is_empty()), "{answer}");
    }
}

#[tokio::test]
async fn tls_is_1_2_or_1_3_and_carries_http_1_1() {
    let secure = Secure::start(Kind::Sqlite, &[]).await;
    let name = || ServerName::try_from(HOST).unwrap();
    for (version, protocol) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let connector = connector(&[version], &[b"h2", b"http/1.1"]);
        let stream = connector.connect(name(), secure.tcp().await).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(protocol));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(status(&mut http(stream).await).await, 200);
    }
    let only_h2 = connector(&[&TLS13], &[b"h2"]).connect(name(), secure.tcp().await).await;
    assert!(only_h2.unwrap_err().to_string().contains("NoApplicationProtocol"));
    let mut old = secure.tcp().await;
    old.write_all(&client_hello_1_1()).await.unwrap();
    let (answer, _) = rest(old).await;
    // RFC 8446 6: a fatal alert, protocol_version.
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]), "{answer:?}");
}

#[tokio::test]
async fn plain_http_is_closed_without_an_answer() {
    let secure = Secure::start(Kind::Sqlite, &[]).await;
    let mut plain = secure.tcp().await;
    plain.write_all(b"GET /readyz HTTP/1.1\r\nhost: id.example\r\n\r\n").await.unwrap();
    let (answer, took) = rest(plain).await;
    assert!(!answer.windows(4).any(|window| window == b"HTTP"), "{answer:?}");
    assert!(took < Duration::from_secs(8), "it waits for nothing: {took:?}");
}

#[tokio::test]
async fn sighup_serves_the_new_certificate_to_new_connections_and_old_ones_go_on() {
    let secure = Secure::start(Kind::Sqlite, &[("SERVER__TLS_RELOAD_SECONDS", "3600")]).await;
    let mut before = http(secure.connect().await).await;
    assert_eq!(status(&mut before).await, 200);
    secure.files.put(SECOND);
    assert_eq!(secure.shown().await, certificate("first.pem"), "nobody has looked yet");
    secure.process.hang_up();
    secure.soon_shows("second.pem").await;
    assert_eq!(status(&mut before).await, 200);
}

#[tokio::test]
async fn new_files_are_noticed_by_themselves() {
    let secure = Secure::start(Kind::Sqlite, &[("SERVER__TLS_RELOAD_SECONDS", "1")]).await;
    secure.files.put(SECOND);
    secure.soon_shows("second.pem").await;
}

#[tokio::test]
async fn files_that_do_not_fit_leave_the_old_certificate_and_a_line_in_the_log() {
    let secure = Secure::start(Kind::Sqlite, &[("SERVER__TLS_RELOAD_SECONDS", "1")]).await;
    secure.files.put(("second.pem", "first.key.pem"));
    let line = secure.process.logged("the one in use stays").await;
    assert!(line.contains("ERROR") && line.contains("it is not the key of the first certificate"), "{line}");
    assert_eq!(secure.shown().await, certificate("first.pem"));
    secure.files.put(SECOND);
    secure.soon_shows("second.pem").await;
}

#[tokio::test]
async fn a_slow_handshake_is_cut_and_holds_up_nobody() {
    let secure = Secure::start(Kind::Sqlite, &[("SERVER__HEADER_TIMEOUT_SECONDS", "3")]).await;
    let silent = secure.tcp().await;
    let mut begun = secure.tcp().await;
    begun.write_all(&client_hello_1_1()[..20]).await.unwrap();
    let (silent, begun) = (tokio::spawn(rest(silent)), tokio::spawn(rest(begun)));
    assert_eq!(status(&mut http(secure.connect().await).await).await, 200);
    assert!(!silent.is_finished() && !begun.is_finished());
    for (bytes, took) in [silent.await.unwrap(), begun.await.unwrap()] {
        assert!(bytes.is_empty() && took > Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test]
async fn half_open_handshakes_count_as_connections() {
    let limits = [("SERVER__MAX_CONNECTIONS_PER_ADDRESS", "2"), ("SERVER__HEADER_TIMEOUT_SECONDS", "60")];
    let secure = Secure::start(Kind::Sqlite, &limits).await;
    let _held = (secure.tcp().await, secure.tcp().await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (_, took) = rest(secure.tcp().await).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_half_open_handshake_does_not_keep_the_process_from_ending() {
    let secure = Secure::start(Kind::Sqlite, &[("SERVER__HEADER_TIMEOUT_SECONDS", "60")]).await;
    let half_open = secure.tcp().await;
    assert_eq!(status(&mut http(secure.connect().await).await).await, 200);
    let begin = Instant::now();
    secure.process.terminate();
    assert_eq!(secure.process.ended().await, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    drop(half_open);
}

#[tokio::test]
async fn the_health_check_asks_over_tls() {
    let secure = Secure::start(Kind::Sqlite, &[]).await;
    let mut environment = secure.environment.clone();
    environment.push(("CHANCERY_SERVER__LISTEN".to_owned(), secure.process.address.clone()));
    let check = || output(program(&environment, &["healthcheck"]));
    let output = check().await;
    assert!(output.status.success(), "{output:?}");
    // What is served goes on to be served, so it is healthy.
    secure.files.put(("expired.pem", "second.pkcs1.pem"));
    assert!(check().await.status.success());
    secure.process.kill();
    secure.process.ended().await;
    assert!(!check().await.status.success());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused_at_start_in_words() {
    let server = TestServer::start(Kind::Sqlite).await;
    let cases = [
        (("nowhere.pem", "first.key.pem"), "nowhere.pem: it cannot be read"),
        (
            ("first.pem", "second.pkcs1.pem"),
            "second.pkcs1.pem: it is not the key of the first certificate in",
        ),
        (("first.key.pem", "first.key.pem"), "first.key.pem: it holds no certificate in PEM"),
    ];
    for ((certificate, key), expected) in cases {
        let mut environment = server.environment.clone();
        let file = |name| fixture(name).display().to_string();
        environment.push(("CHANCERY_SERVER__TLS_CERTIFICATE_FILE".to_owned(), file(certificate)));
        environment.push(("CHANCERY_SERVER__TLS_KEY_FILE".to_owned(), file(key)));
        for command in ["serve", "check-config"] {
            let output = output(program(&environment, &[command])).await;
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!output.status.success() && said.contains(expected), "{expected}: {said}");
        }
    }
}

#[tokio::test]
async fn the_log_warns_of_an_expired_certificate_for_another_host_and_of_an_open_key() {
    let server = TestServer::start(Kind::Sqlite).await;
    let files = Files::of(("expired.pem", "first.key.pem"));
    std::fs::set_permissions(files.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut environment = server.environment.clone();
    environment.push(("CHANCERY_SERVER__TLS_CERTIFICATE_FILE".to_owned(), files.path("certificate")));
    environment.push(("CHANCERY_SERVER__TLS_KEY_FILE".to_owned(), files.path("key")));
    let process = Process::start(&environment).await;
    process.hang_up();
    for warning in
        ["has expired", "is not for the issuer's host", "everybody on this machine can read the TLS key"]
    {
        assert!(process.logged(warning).await.contains("WARN"));
    }
}

#[tokio::test]
async fn the_metrics_tell_when_the_certificate_expires() {
    let (certificate, key) = (fixture(FIRST.0).display().to_string(), fixture(FIRST.1).display().to_string());
    let settings = [("SERVER__TLS_CERTIFICATE_FILE", &*certificate), ("SERVER__TLS_KEY_FILE", &*key)];
    let text = TestServer::start_with(Kind::Sqlite, &settings).await.scrape().await.text;
    assert!(text.contains("\nchancery_tls_certificate_expiry_timestamp_seconds 4670438400\n"), "{text}");
    let text = TestServer::start(Kind::Sqlite).await.scrape().await.text;
    assert!(!text.contains("\nchancery_tls_certificate_expiry_timestamp_seconds "), "{text}");
}
