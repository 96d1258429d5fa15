//! What a URI has to be that somebody else registers and this server is to fetch or tell something; which addresses it may be
//! sent to: those of the public internet, and no other.
//!
//! A URL that somebody registers must not reach what only this machine can (a database, a metadata service of the
//! cloud, a router). So the list says what is public, by leaving out every block of the IANA special-purpose registries
//! (RFC 6890) and everything that wraps an IPv4 address in an IPv6 one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use thiserror::Error;
use url::{Host, Url};

/// Why this server is not sent there.
#[derive(Debug, Error)]
pub enum InvalidRemoteUri {
    #[error("it is not an https URL without user name and fragment")]
    Form,
    #[error("{0} is not a public address")]
    Private(IpAddr),
}

/// Blocks of IPv4 that are not the public internet.
const SPECIAL_V4: [Ipv4Net; 17] = [
    v4([0, 0, 0, 0], 8),       // this network (RFC 791)
    v4([10, 0, 0, 0], 8),      // private (RFC 1918)
    v4([100, 64, 0, 0], 10),   // shared, behind carriers' NAT (RFC 6598)
    v4([127, 0, 0, 0], 8),     // loopback (RFC 1122)
    v4([169, 254, 0, 0], 16),  // link-local (RFC 3927), the clouds' metadata services
    v4([172, 16, 0, 0], 12),   // private (RFC 1918)
    v4([192, 0, 0, 0], 24),    // IETF protocol assignments (RFC 6890)
    v4([192, 0, 2, 0], 24),    // documentation (RFC 5737)
    v4([192, 31, 196, 0], 24), // AS112 (RFC 7535)
    v4([192, 52, 193, 0], 24), // AMT (RFC 7450)
    v4([192, 88, 99, 0], 24),  // 6to4 relays, deprecated (RFC 7526)
    v4([192, 168, 0, 0], 16),  // private (RFC 1918)
    v4([192, 175, 48, 0], 24), // AS112 (RFC 7534)
    v4([198, 18, 0, 0], 15),   // benchmarks (RFC 2544)
    v4([198, 51, 100, 0], 24), // documentation (RFC 5737)
    v4([203, 0, 113, 0], 24),  // documentation (RFC 5737)
    v4([224, 0, 0, 0], 3),     // multicast (RFC 5771), reserved 240/4 (RFC 1112), broadcast
];

/// The one block of IPv6 that is handed out for the public internet (RFC 4291 2.4). What it leaves out: loopback,
/// unspecified, IPv4-mapped and -compatible, NAT64 `64:ff9b::/96` (RFC 6052) and `64:ff9b:1::/48` (RFC 8215), discard
/// `100::/64` (RFC 6666), unique local `fc00::/7` (RFC 4193), link-local `fe80::/10`, site-local, multicast `ff00::/8`.
const PUBLIC_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// Blocks inside of it that are special.
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6([0x2001, 0, 0], 23),         // IETF assignments, with Teredo (RFC 4380), ORCHID
    v6([0x2001, 0xdb8, 0], 32),     // documentation (RFC 3849)
    v6([0x2002, 0, 0], 16),         // 6to4 (RFC 3056): wraps an IPv4 address
    v6([0x2620, 0x4f, 0x8000], 48), // AS112 (RFC 7534)
    v6([0x3fff, 0, 0], 20),         // documentation (RFC 9637)
];

/// Whether an address is on the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|block| block.contains(&address)),
        IpAddr::V6(address) => {
            PUBLIC_V6.contains(&address) && !SPECIAL_V6.iter().any(|block| block.contains(&address))
        }
    }
}

/// A block of the list above; a prefix that is too long does not compile.
const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// The same, by the first three groups.
const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// A URL that may be fetched, as far as can be told without resolving its name.
pub(crate) fn check(url: &str, allow_private: bool) -> Result<Url, InvalidRemoteUri> {
    let url = Url::parse(url).map_err(|_| InvalidRemoteUri::Form)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let scheme = match url.scheme() {
        "https" => true,
        "http" => allow_private && is_loopback(&url),
        _ => false,
    };
    if !plain || !scheme {
        return Err(InvalidRemoteUri::Form);
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(_)) => None,
        None => return Err(InvalidRemoteUri::Form),
    };
    match literal {
        Some(literal) if !allow_private && !is_public(literal) => Err(InvalidRemoteUri::Private(literal)),
        _ => Ok(url),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidRemoteUri, check, is_public};

    #[test]
    fn addresses_of_the_public_internet_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "2003::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn special_addresses_are_not() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.171",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn special_addresses_of_ipv6_are_not_and_none_that_wraps_an_ipv4_address() {
        for text in [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:1.1.1.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::7f00:1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn only_https_urls_without_user_name_and_fragment_are_taken() {
        for url in [
            "",
            "x",
            "/jwks",
            "http://id.example/jwks",
            "http://localhost/jwks",
            "file:///etc/passwd",
            "ftp://id.example/jwks",
            "gopher://id.example/",
            "data:application/json,{}",
            "https://user@id.example/",
            "https://user:password@id.example/",
            "https://id.example/#keys",
        ] {
            assert!(matches!(check(url, false), Err(InvalidRemoteUri::Form)), "{url}");
        }
        assert!(check("https://id.example:8443/jwks?a=b", false).is_ok());
        // For tests: plain http, but to loopback only.
        assert!(check("http://localhost:1/", true).is_ok());
        assert!(check("http://127.0.0.1:1/", true).is_ok());
        assert!(check("http://10.0.0.1/", true).is_err());
        assert!(check("http://id.example/", true).is_err());
    }

    #[test]
    fn an_address_in_the_url_is_checked_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0x7f.1",
            "0",
            "10.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
            "[fe80::1]",
        ] {
            let url = format!("https://{host}/");
            assert!(matches!(check(&url, false), Err(InvalidRemoteUri::Private(_))), "{url}");
        }
        assert!(check("https://1.1.1.1/", false).is_ok());
    }
}
