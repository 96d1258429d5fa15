//! `chancery healthcheck`: asks the server on this machine whether it is ready, for a container's
//! health check. It needs no runtime and no HTTP client.

mod any_certificate;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::ServerSettings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Succeeds when `/readyz` answers 200.
pub(super) fn run(server: &ServerSettings) -> io::Result<()> {
    let address = reachable(server.listen);
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    match server.tls {
        None => ask(stream, server, address),
        Some(_) => ask(any_certificate::connect(stream, server)?, server, address),
    }
}

fn ask(mut stream: impl Read + Write, server: &ServerSettings, address: SocketAddr) -> io::Result<()> {
    let prefix = server.issuer.path_prefix();
    let request = format!("GET {prefix}/readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut status = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut status)?;
    match status.strip_prefix(b"HTTP/1.1 ") {
        Some(b"200") => Ok(()),
        Some(code) => Err(io::Error::other(format!("not ready: status {}", code.escape_ascii()))),
        None => Err(io::Error::other(format!("{address} does not speak HTTP"))),
    }
}

/// The address under which this machine reaches its own listener.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;
    use crate::config::Settings;

    fn server(issuer: &str, listen: String) -> ServerSettings {
        let environment = [
            ("CHANCERY_SERVER__ISSUER".to_owned(), issuer.to_owned()),
            ("CHANCERY_SERVER__LISTEN".to_owned(), listen),
        ];
        Settings::load(None, environment).unwrap().server
    }

    /// Answers one request, and gives its first line.
    fn answering(answer: &'static str) -> (u16, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            let length = stream.read(&mut buffer).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap_or_default().to_owned()
        });
        (port, thread)
    }

    #[test]
    fn readyz_below_the_prefix_is_asked_on_the_loopback_address() {
        let (port, thread) = answering("HTTP/1.1 200 OK\r\n\r\n");
        run(&server("https://example.com/auth", format!("0.0.0.0:{port}"))).unwrap();
        assert_eq!(thread.join().unwrap(), "GET /auth/readyz HTTP/1.1");
    }

    #[test]
    fn any_other_answer_and_none_are_failures() {
        for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 2", "", "SSH-2.0-x-x-x-x-x"] {
            let (port, thread) = answering(answer);
            assert!(run(&server("https://example.com", format!("127.0.0.1:{port}"))).is_err(), "{answer}");
            thread.join().unwrap();
        }
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(run(&server("https://example.com", gone.to_string())).is_err());
    }

    #[test]
    fn an_unspecified_address_is_asked_on_loopback() {
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("192.0.2.1:1".parse().unwrap()).to_string(), "192.0.2.1:1");
    }
}
