//! Where a request comes from, as far as that is known.

use std::fmt;
use std::net::IpAddr;

use super::Household;

/// The address that somebody asks from. Written, it is empty where nobody knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkAddress(Option<IpAddr>);

impl NetworkAddress {
    pub const UNKNOWN: Self = Self(None);

    /// The one that is written like this; unknown where it cannot be read.
    pub fn written(text: &str) -> Self {
        Self(text.parse().ok())
    }

    /// Whom it stands for, where something is shared out.
    pub fn household(self) -> Option<Household> {
        self.0.map(Household::of)
    }
}

impl From<IpAddr> for NetworkAddress {
    fn from(address: IpAddr) -> Self {
        Self(Some(address))
    }
}

impl fmt::Display for NetworkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NetworkAddress;

    #[test]
    fn an_address_is_written_as_it_was_read_and_unknown_where_it_cannot_be() {
        for text in ["192.0.2.1", "2001:db8::1", ""] {
            assert_eq!(NetworkAddress::written(text).to_string(), text);
        }
        assert_eq!(NetworkAddress::written("not an address"), NetworkAddress::UNKNOWN);
        assert_eq!(NetworkAddress::UNKNOWN.household(), None);
    }
}
