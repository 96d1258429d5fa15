//! Who is at the other end, seen through the reverse proxies in front.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::config::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client, as a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The peer, or, when the peer is a trusted proxy, the right-most address in `X-Forwarded-For`
    /// that is not one: everything to the left of it was written by somebody unknown.
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let mut client = peer.to_canonical();
        if !trusted.contains(client) {
            return Self(client);
        }
        let hops = headers.get_all(X_FORWARDED_FOR).into_iter().rev();
        for hop in hops.flat_map(|header| header.to_str().unwrap_or_default().rsplit(',')) {
            // A trusted proxy vouches for what it wrote; what cannot be read ends the chain there.
            let Some(address) = parse(hop.trim()) else { break };
            client = address.to_canonical();
            if !trusted.contains(client) {
                break;
            }
        }
        Self(client)
    }
}

/// An address, also with a port or in brackets, as some proxies write it.
fn parse(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip())).or_else(|| {
        let bare = hop.strip_prefix('[')?.strip_suffix(']')?;
        bare.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::Network;

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| Network::parse(network).unwrap());
        let trusted = TrustedProxies::new(networks.to_vec());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        ClientAddress::of(peer.parse().unwrap(), &headers, &trusted).0.to_string()
    }

    #[test]
    fn a_header_from_an_unknown_peer_is_not_believed() {
        assert_eq!(client("203.0.113.1", &["198.51.100.1"]), "203.0.113.1");
    }

    #[test]
    fn behind_trusted_proxies_the_right_most_untrusted_address_counts() {
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.66, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.66", "198.51.100.1,10.9.9.9"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("fd00::1", &["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(client("fd00::1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
    }

    #[test]
    fn what_cannot_be_read_ends_the_chain_at_the_proxy_that_sent_it() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }
}
