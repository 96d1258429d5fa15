//! Addresses that others gave us and a page shows: only such as are safe to show or to follow.

use url::Url;

use crate::protocol::redirect_uri;

/// A link to a web page. Nothing but http and https: a client's metadata must not bring `javascript:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebLink {
    pub href: String,
    /// Host and port as a person reads them; a name in another script stays in its ASCII form, so
    /// that it cannot look like somebody else's.
    pub host: String,
}

impl WebLink {
    pub(crate) fn parse(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok()?;
        let web = matches!(url.scheme(), "https" | "http");
        web.then(|| Self { host: host(&url), href: url.into() })
    }
}

/// The address of a picture: https only, the Content-Security-Policy lets nothing else in.
pub(crate) fn picture(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    (url.scheme() == "https").then(|| url.into())
}

/// Where a redirect URI leads, as a person understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnTo {
    /// The host, or the scheme of an app.
    pub place: String,
    pub kind: ReturnKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnKind {
    /// A web site.
    Web,
    /// A program on this very computer (RFC 8252 7.3).
    ThisComputer,
    /// An app with a scheme of its own (RFC 8252 7.1).
    App,
}

impl ReturnTo {
    pub(crate) fn parse(redirect_uri: &str) -> Option<Self> {
        let url = Url::parse(redirect_uri).ok()?;
        Some(match url.scheme() {
            "http" | "https" if redirect_uri::is_loopback(&url) => {
                Self { place: host(&url), kind: ReturnKind::ThisComputer }
            }
            "http" | "https" => Self { place: host(&url), kind: ReturnKind::Web },
            scheme => Self { place: scheme.to_owned(), kind: ReturnKind::App },
        })
    }

    /// The message that says where one will return to.
    pub(crate) fn key(&self) -> &'static str {
        match self.kind {
            ReturnKind::Web => "return.web",
            ReturnKind::ThisComputer => "return.this_computer",
            ReturnKind::App => "return.app",
        }
    }

    pub(crate) fn is_this_computer(&self) -> bool {
        self.kind == ReturnKind::ThisComputer
    }
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(WebLink::parse("https://acme.example/a").unwrap().host, "acme.example");
        assert_eq!(WebLink::parse("http://localhost:81/").unwrap().host, "localhost:81");
        assert_eq!(WebLink::parse("https://аcme.example/").unwrap().host, "xn--cme-5cd.example");
        for bad in ["javascript:alert(1)", "data:text/html,x", "//acme.example", "", "mailto:a@b.example"] {
            assert_eq!(WebLink::parse(bad), None, "{bad}");
        }
        assert_eq!(picture("http://acme.example/logo.png"), None);
    }

    #[test]
    fn a_redirect_uri_tells_where_it_leads() {
        let kind = |uri| ReturnTo::parse(uri).unwrap().kind;
        assert_eq!(kind("https://acme.example/cb"), ReturnKind::Web);
        for local in
            ["http://127.0.0.1:9/cb", "http://[::1]/cb", "https://localhost/cb", "http://a.localhost/"]
        {
            assert_eq!(kind(local), ReturnKind::ThisComputer, "{local}");
        }
        assert_eq!(kind("https://localhost.evil.example/cb"), ReturnKind::Web);
        let app = ReturnTo::parse("com.acme.app:/cb").unwrap();
        assert_eq!((app.place.as_str(), app.kind), ("com.acme.app", ReturnKind::App));
    }
}
