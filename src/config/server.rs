//! `[server]`: where the server is reached, and what it holds its callers to.

use std::net::SocketAddr;
use std::time::Duration;

use super::issuer::Issuer;
use super::proxies::{Network, TrustedProxies};
use super::reader::Reader;
use super::table::server;
use super::tls::{self, TlsSettings};

#[derive(Clone, Debug)]
pub struct ServerSettings {
    pub issuer: Issuer,
    pub listen: SocketAddr,
    /// None: plain HTTP.
    pub tls: Option<TlsSettings>,
    pub trusted_proxies: TrustedProxies,
    pub limits: ServerLimits,
    pub max_body_bytes: usize,
    pub request_timeout: Duration,
    /// Requests in hand at once.
    pub max_requests: usize,
    /// Of these, of one address.
    pub max_requests_per_address: usize,
    /// Requests that wait for somebody else's server.
    pub max_waiting: usize,
    /// How long work that is ready may wait before new requests are refused.
    pub max_delay: Duration,
}

/// What the accept loop holds every connection to.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_header_bytes: usize,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    pub write_timeout: Duration,
    pub shutdown_grace: Duration,
}

impl ServerSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let issuer = reader.parsed(server::issuer, Issuer::parse);
        let listen = reader.parsed(server::listen, |text| {
            let remedy =
                || "write an address and a port like 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080".to_owned();
            text.parse().map_err(|_| (format!("\"{text}\" is not an address with a port"), remedy()))
        });
        let tls = tls::read(reader, issuer.as_ref());
        let networks = reader.list(server::trusted_proxies, Network::parse);
        let limits = ServerLimits::read(reader);
        let max_body_bytes = reader.number(server::max_body_bytes);
        let request_timeout = reader.duration(server::request_timeout_seconds);
        let max_requests = reader.number(server::max_requests);
        let per_address = reader.number(server::max_requests_per_address);
        let max_waiting = reader.number(server::max_waiting);
        let max_delay = reader.duration(server::max_delay_ms);
        Some(Self {
            issuer: issuer?,
            listen: listen?,
            tls: tls?,
            trusted_proxies: TrustedProxies::new(networks?),
            limits: limits?,
            max_body_bytes: max_body_bytes?,
            request_timeout: request_timeout?,
            max_requests: max_requests?,
            max_requests_per_address: per_address?,
            max_waiting: max_waiting?,
            max_delay: max_delay?,
        })
    }
}

impl ServerLimits {
    fn read(reader: &mut Reader) -> Option<Self> {
        let max_connections = reader.number(server::max_connections);
        let per_address = reader.number(server::max_connections_per_address);
        let max_header_bytes = reader.number(server::max_header_bytes);
        let header_timeout = reader.duration(server::header_timeout_seconds);
        let idle_timeout = reader.duration(server::idle_timeout_seconds);
        let write_timeout = reader.duration(server::write_timeout_seconds);
        let shutdown_grace = reader.duration(server::shutdown_grace_seconds);
        Some(Self {
            max_connections: max_connections?,
            max_connections_per_address: per_address?,
            max_header_bytes: max_header_bytes?,
            header_timeout: header_timeout?,
            idle_timeout: idle_timeout?,
            write_timeout: write_timeout?,
            shutdown_grace: shutdown_grace?,
        })
    }
}
