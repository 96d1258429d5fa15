//! The networks whose forwarded headers are believed.

use std::net::IpAddr;

use super::reader::Refusal;

/// A network in CIDR notation; a single address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let remedy = || "write an address or a network like 10.0.0.0/8 or fd00::/8".to_owned();
        let refused = || (format!("\"{text}\" is not a network"), remedy());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= width).ok_or_else(refused)?,
        };
        let network = Self { address, prefix };
        if !network.host_bits_are_zero() {
            return Err((format!("\"{text}\" has bits set beyond its prefix"), remedy()));
        }
        Ok(network)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        // A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                shift(u128::from(u32::from(network) ^ u32::from(address)), 32 - self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                shift(u128::from(network) ^ u128::from(address), 128 - self.prefix)
            }
            _ => false,
        }
    }

    /// Whether this is every address of its family.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    fn host_bits_are_zero(&self) -> bool {
        let (bits, width) = match self.address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let mask = 1_u128.checked_shl(width - self.prefix).map_or(u128::MAX, |bit| bit - 1);
        bits & mask == 0
    }
}

/// Whether nothing is left of the difference of two addresses once the host bits are shifted out.
fn shift(difference: u128, host_bits: u32) -> bool {
    difference.checked_shr(host_bits).unwrap_or(0) == 0
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
        for text in ["", "10.0.0.1/8", "10.0.0.0/33", "2001:db8::1/64", "::/129", "proxy", "10.0.0.0/"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
