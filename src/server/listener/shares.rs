//! The connections that each address holds, so that none takes them all.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::TrustedProxies;
use crate::model::Household;
use crate::server::load;

/// The share of every address. A trusted proxy has none: it speaks for many.
pub(super) struct Shares {
    trusted: TrustedProxies,
    held: Arc<load::Shares>,
}

/// An address has its share already.
#[derive(Debug)]
pub(super) struct Exhausted;

impl Shares {
    pub(super) fn new(most: usize, trusted: TrustedProxies) -> Self {
        Self { trusted, held: load::Shares::new(most) }
    }

    /// Another connection of this peer; an error when it holds as many as one address may.
    pub(super) fn take(&self, peer: IpAddr) -> Result<Option<load::Share>, Exhausted> {
        if self.trusted.contains(peer) {
            return Ok(None);
        }
        let of = Household::of(peer);
        let share = self.held.take(of);
        if share.is_none() && self.held.is_to_be_told() {
            tracing::warn!(
                address = %of,
                "refused a connection: the address has server.max_connections_per_address; \
                 if it is a reverse proxy, name it in server.trusted_proxies"
            );
        }
        share.map(Some).ok_or(Exhausted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;

    #[test]
    fn a_trusted_proxy_speaks_for_many() {
        let shares = Shares::new(1, TrustedProxies::new(vec![Network::parse("10.0.0.0/8").unwrap()]));
        let take = |address: &str| shares.take(address.parse().unwrap());
        let held: Vec<_> = (0..9).map(|_| take("10.1.2.3").unwrap()).collect();
        assert!(held.iter().all(Option::is_none));
        let _other = take("192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_err());
    }
}
