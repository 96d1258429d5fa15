//! The networks whose forwarded headers are believed.

use std::net::IpAddr;

use ipnet::IpNet;

use super::reader::Refusal;

/// A network in CIDR notation; a single address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let remedy = || "write an address or a network like 10.0.0.0/8 or fd00::/8".to_owned();
        let single = text.parse().map(|address: IpAddr| IpNet::from(address));
        let network: IpNet = single
            .or_else(|_| text.parse())
            .map_err(|_| (format!("\"{text}\" is not a network"), remedy()))?;
        // It is likely to be a slip: of two readings we take neither.
        if network != network.trunc() {
            return Err((format!("\"{text}\" has bits set beyond its prefix"), remedy()));
        }
        Ok(Self(network))
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        // A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d.
        self.0.contains(&address.to_canonical())
    }

    /// Whether this is every address of its family.
    pub fn is_everything(&self) -> bool {
        self.0.prefix_len() == 0
    }
}

/// The reverse proxies in front of this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    pub fn networks(&self) -> &[Network] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("::/0", "2001:db9::1"));
    }

    #[test]
    fn a_network_that_could_be_a_mistake_is_refused() {
        for text in
            ["", "10.0.0.1/8", "10.0.0.0/33", "2001:db8::1/64", "::/129", "proxy", "10.0.0.0/", "10.0.0.0/+8"]
        {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
