//! The issuer identifier, checked once.

use std::fmt;
use std::sync::Arc;

use url::{Host, Url};

use super::reader::Refusal;

/// The issuer identifier: an https URL without query and fragment (RFC 8414 2), byte for byte as it
/// appears in `iss` and in the discovery document. Plain http is accepted for a loopback host only,
/// for trying things out.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    text: Arc<str>,
    origin_length: usize,
    place: Arc<str>,
}

impl Issuer {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let example = || "write it like https://id.example.com or https://example.com/auth".to_owned();
        let url = Url::parse(text).map_err(|error| (format!("it is not a URL: {error}"), example()))?;
        check_scheme(&url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(("it holds a user name or password".to_owned(), example()));
        }
        // RFC 8414 2: no query or fragment components
        if url.query().is_some() || url.fragment().is_some() {
            return Err(("it holds a query or a fragment".to_owned(), example()));
        }
        check_path(url.path())?;
        // Clients compare issuers as strings (RFC 8414 3.3, RFC 9207 2.4): one spelling, the normal one.
        let normal = url.as_str().trim_end_matches('/');
        if normal != text {
            return Err((format!("\"{text}\" is not its normal form"), format!("write it as {normal}")));
        }
        let origin_length = url.origin().ascii_serialization().len();
        let place = place(&url, &text[origin_length..]);
        Ok(Self { text: Arc::from(text), origin_length, place: Arc::from(place) })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https://example.com` of `https://example.com/auth`, as browsers write it in `Origin`.
    #[cfg(test)]
    fn origin(&self) -> &str {
        &self.text[..self.origin_length]
    }

    /// `example.com` of `https://example.com:8443/auth`; an IP address without its brackets.
    pub fn host(&self) -> String {
        match Url::parse(&self.text).ok().as_ref().and_then(Url::host) {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    /// `/auth` of `https://example.com/auth`, empty without a path.
    pub fn path_prefix(&self) -> &str {
        &self.text[self.origin_length..]
    }

    /// What tells it from others on its host, in the characters of a cookie's name (RFC 6265 4.1.1): `-8443.auth` of
    /// `https://example.com:8443/auth`, empty with neither port nor path.
    pub fn place_on_host(&self) -> &str {
        &self.place
    }

    /// The absolute URL of an endpoint: `join("/token")`.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether this is the plain-http exception for trying things out on one machine.
    pub fn is_loopback_http(&self) -> bool {
        self.text.starts_with("http:")
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.text)
    }
}

fn check_scheme(url: &Url) -> Result<(), Refusal> {
    let https = || "use an https URL; plain http is for localhost, 127.0.0.1 and [::1]".to_owned();
    match url.scheme() {
        "https" => Ok(()),
        // RFC 8414 2: the issuer identifier is a URL that uses the "https" scheme
        "http" if is_loopback(url) => Ok(()),
        "http" => Err(("it is plain http, so tokens and passwords would be readable".to_owned(), https())),
        other => Err((format!("its scheme is {other}"), https())),
    }
}

fn place(url: &Url, path: &str) -> String {
    let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
    format!("{port}{}", path.replace('/', "."))
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// The prefix becomes part of every route, so it holds nothing that a router or a proxy could read in
/// two ways.
fn check_path(path: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | '~');
    if path.chars().all(plain) && !path.contains("//") {
        return Ok(());
    }
    let remedy = "use letters, digits, - . _ ~ and single slashes in the path".to_owned();
    Err((format!("its path {path} is not plain"), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_knows_its_origin_and_prefix() {
        let plain = Issuer::parse("https://id.example.com").unwrap();
        assert_eq!((plain.origin(), plain.path_prefix()), ("https://id.example.com", ""));
        let nested = Issuer::parse("https://example.com:8443/auth").unwrap();
        assert_eq!((nested.origin(), nested.path_prefix()), ("https://example.com:8443", "/auth"));
        assert_eq!((plain.place_on_host(), nested.place_on_host()), ("", "-8443.auth"));
        assert_eq!((plain.host().as_str(), nested.host().as_str()), ("id.example.com", "example.com"));
        assert_eq!(Issuer::parse("https://[2001:db8::1]:8443").unwrap().host(), "2001:db8::1");
        assert_eq!(nested.join("/token"), "https://example.com:8443/auth/token");
        assert!(!nested.is_loopback_http());
    }

    #[test]
    fn plain_http_is_refused_unless_the_host_is_loopback() {
        for text in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080/auth"] {
            assert!(Issuer::parse(text).unwrap().is_loopback_http(), "{text}");
        }
        for text in ["http://example.com", "http://192.168.0.1", "http://localhost.example.com"] {
            assert!(Issuer::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_issuer_is_refused_unless_it_is_one_plain_spelling() {
        for text in [
            "",
            "id.example.com",
            "ftp://example.com",
            "https://example.com/",
            "https://example.com/auth/",
            "https://example.com?",
            "https://example.com?a=b",
            "https://example.com#f",
            "https://user@example.com",
            "https://EXAMPLE.com",
            "https://example.com:443",
            "https://example.com/a/../b",
            "https://example.com//b",
            "https://example.com/%61",
            "https://example.com/{id}",
            " https://example.com",
        ] {
            assert!(Issuer::parse(text).is_err(), "{text}");
        }
    }
}
