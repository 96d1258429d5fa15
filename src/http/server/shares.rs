//! The connections that each address holds, so that none takes them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::TrustedProxies;

/// The log says that an address wants more than its share, but not for every connection.
const A_LINE_EVERY: Duration = Duration::from_secs(60);

/// The share of every address. A trusted proxy has none: it speaks for many.
#[derive(Clone)]
pub struct Shares {
    most: usize,
    trusted: TrustedProxies,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    by: HashMap<IpAddr, usize>,
    told: Option<Instant>,
}

/// One connection of an address, until it is dropped.
pub struct Share {
    shares: Shares,
    of: IpAddr,
}

impl Shares {
    pub fn new(most: usize, trusted: TrustedProxies) -> Self {
        Self { most, trusted, held: Arc::default() }
    }

    /// Another connection of this peer; an error when it holds as many as one address may.
    pub fn take(&self, peer: IpAddr) -> Result<Option<Share>, Exhausted> {
        if self.trusted.contains(peer) {
            return Ok(None);
        }
        let of = household(peer);
        let mut held = self.held();
        let count = held.by.entry(of).or_default();
        if *count >= self.most {
            held.tell(of);
            return Err(Exhausted);
        }
        *count += 1;
        Ok(Some(Share { shares: self.clone(), of }))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn tell(&mut self, of: IpAddr) {
        if self.told.is_none_or(|told| told.elapsed() > A_LINE_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(
                address = %of,
                "refused a connection: the address has server.max_connections_per_address; \
                 if it is a reverse proxy, name it in server.trusted_proxies"
            );
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        match held.by.get_mut(&self.of) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(held.by.remove(&self.of)),
        }
    }
}

/// An address has its share already.
#[derive(Debug)]
pub struct Exhausted;

/// One household has one IPv4 address or one IPv6 /64.
fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_gets_back_what_it_gives_up() {
        let shares = Shares::new(2, TrustedProxies::new(Vec::new()));
        let held: Vec<_> = (0..2).map(|_| shares.take(address("192.0.2.1")).unwrap()).collect();
        assert!(shares.take(address("192.0.2.1")).is_err());
        assert!(shares.take(address("::ffff:192.0.2.1")).is_err());
        assert!(shares.take(address("192.0.2.2")).is_ok());
        drop(held);
        assert!(shares.take(address("192.0.2.1")).is_ok());
        assert!(shares.held().by.is_empty(), "what nobody holds takes no memory");
    }

    #[test]
    fn the_addresses_of_one_household_share() {
        let shares = Shares::new(1, TrustedProxies::new(Vec::new()));
        let _held = shares.take(address("2001:db8:1:2::1")).unwrap();
        assert!(shares.take(address("2001:db8:1:2:ffff::9")).is_err());
        assert!(shares.take(address("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn a_trusted_proxy_speaks_for_many() {
        let shares = Shares::new(1, TrustedProxies::new(vec![Network::parse("10.0.0.0/8").unwrap()]));
        let held: Vec<_> = (0..9).map(|_| shares.take(address("10.1.2.3")).unwrap()).collect();
        assert!(held.iter().all(Option::is_none));
    }
}
