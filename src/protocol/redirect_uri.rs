//! Redirect URIs: which may be registered, and which match (RFC 6749 3.1.2, RFC 8252 7, RFC 9700 2.1).

use url::{Host, Position, Url};

/// What is wrong with a URI that somebody wants to register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    #[error("it is not an absolute URI")]
    NotAbsolute,
    #[error("it has a fragment (RFC 6749 3.1.2)")]
    Fragment,
    #[error("it holds a user name or password")]
    UserInfo,
    #[error("plain http is for loopback addresses only; use https")]
    PlainHttp,
    #[error("its scheme can run code in the browser")]
    DangerousScheme,
    #[error("a private-use scheme must contain a dot, as in com.example.app (RFC 8252 7.1)")]
    SchemeWithoutDot,
    #[error("it holds white space, a control character, a backslash or a character outside ASCII")]
    Characters,
    #[error(
        "it has a * in it, and there are no wildcards: each URI is compared to the letter (RFC 9700 2.1); register them all"
    )]
    Wildcard,
    #[error("its host is made of other characters than letters, digits, hyphens and dots")]
    Host,
    #[error("browsers write it as {0}, and URIs are compared to the letter; write it like that")]
    Form(String),
    #[error("use an https URI")]
    NotWeb,
}

/// Checks a redirect URI at registration, so that at the time of a request only equality is left to check.
pub fn check(uri: &str) -> Result<(), InvalidRedirectUri> {
    if uri.contains('*') {
        return Err(InvalidRedirectUri::Wildcard);
    }
    read(uri).map(|_| ())
}

/// Checks the address of something on the web: a page, a picture, a document.
pub fn check_web(uri: &str) -> Result<(), InvalidRedirectUri> {
    read_web(uri).map(|_| ())
}

fn read_web(uri: &str) -> Result<Url, InvalidRedirectUri> {
    let url = read(uri)?;
    let is_web = uri.starts_with("https://") || uri.starts_with("http://");
    if is_web { Ok(url) } else { Err(InvalidRedirectUri::NotWeb) }
}

/// Once: whoever registers a client may write hosts that are dear to read.
fn read(uri: &str) -> Result<Url, InvalidRedirectUri> {
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(InvalidRedirectUri::Characters);
    }
    let url = Url::parse(uri).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
    // RFC 6749 3.1.2: MUST NOT include a fragment component.
    if uri.contains('#') {
        return Err(InvalidRedirectUri::Fragment);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidRedirectUri::UserInfo);
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(InvalidRedirectUri::PlainHttp),
        "javascript" | "data" | "vbscript" | "file" | "blob" | "about" | "filesystem" => {
            return Err(InvalidRedirectUri::DangerousScheme);
        }
        scheme if scheme.contains('.') => {}
        _ => return Err(InvalidRedirectUri::SchemeWithoutDot),
    }
    // Others would end a host in a header, such as a source in a policy for content.
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if let Some(Host::Domain(name)) = url.host()
        && url.is_special()
        && !name.bytes().all(of_name)
    {
        return Err(InvalidRedirectUri::Host);
    }
    if is_as_written(uri, &url) { Ok(url) } else { Err(InvalidRedirectUri::Form(url.into())) }
}

/// Whether a URI is written as a browser would write it, so that two that lead to the same place are the same text (RFC 3986
/// 6.2). The path alone may be left out.
fn is_as_written(uri: &str, url: &Url) -> bool {
    let without_path = || (&url[..Position::BeforePath], &url[Position::AfterPath..]);
    uri == url.as_str() || url.path() == "/" && uri.strip_prefix(without_path().0) == Some(without_path().1)
}

/// The host of a URI on the web, or none.
pub fn host(uri: &str) -> Option<String> {
    read_web(uri).ok()?.host_str().map(str::to_owned)
}

/// Whether a URI on the web that was checked has this host.
pub fn is_at(uri: &str, host: &str) -> bool {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let rest = rest.and_then(|rest| rest.strip_prefix(host));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?']))
}

/// Where a URI leads, as people tell places apart: host and port, or a scheme of an app's own.
pub fn place(uri: &str) -> String {
    let Ok(url) = Url::parse(uri) else { return uri.to_owned() };
    let host = url.host_str().filter(|_| matches!(url.scheme(), "https" | "http"));
    let Some(host) = host else { return url.scheme().to_owned() };
    let port = url.port().filter(|_| !is_loopback(&url)).map(|port| format!(":{port}")).unwrap_or_default();
    format!("{host}{port}")
}

/// Whether a request's redirect URI is the registered one: the same text (RFC 9700 2.1), where only the port of a
/// loopback IP literal is free (RFC 8252 7.3).
pub fn matches(registered: &str, requested: &str) -> bool {
    if registered == requested {
        return true;
    }
    match (without_loopback_port(registered), without_loopback_port(requested)) {
        (Some(registered), Some(requested)) => registered == requested,
        _ => false,
    }
}

/// Whether any program of the computer could be at this address: a loopback address, or a private-use scheme, which more
/// than one can claim (RFC 8252 8.6). A claimed https address is somebody's own (RFC 8252 7.2).
pub fn is_anybodys(uri: &str) -> bool {
    Url::parse(uri).map_or(true, |url| !matches!(url.scheme(), "https" | "http") || is_loopback(&url))
}

/// Splits an `http` URI on a loopback IP literal into its host and what follows the port.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let (host, rest) = ["http://127.0.0.1", "http://[::1]"]
        .into_iter()
        .find_map(|host| uri.strip_prefix(host).map(|rest| (host, rest)))?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() || rest.starts_with(['/', '?']) => Some((host, rest)),
        None => None,
        Some(after) => {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let (port, path) = after.split_at(digits);
            port.parse::<u16>().ok()?;
            (path.is_empty() || path.starts_with(['/', '?'])).then_some((host, path))
        }
    }
}

/// Whether the host is this very computer.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        // RFC 6761 6.3: every name below localhost is this computer.
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidRedirectUri, check, check_web, is_at, matches};

    #[test]
    fn a_uri_is_at_its_whole_host_only() {
        for uri in [
            "https://app.example/cb",
            "https://app.example",
            "http://app.example:8080/",
            "https://app.example?x",
        ] {
            assert!(is_at(uri, "app.example"), "{uri}");
        }
        for uri in [
            "https://app.example.evil.example/",
            "https://an.app.example/",
            "com.example:/app.example",
            "app.example",
        ] {
            assert!(!is_at(uri, "app.example"), "{uri}");
        }
        assert!(is_at("http://[::1]:8080/cb", "[::1]"));
    }

    #[test]
    fn https_loopback_http_and_reverse_domain_schemes_can_be_registered() {
        for uri in [
            "https://app.example/callback?x=1",
            "http://127.0.0.1/callback",
            "http://[::1]:8080/",
            "http://localhost:3000/cb",
            "com.example.app:/callback",
            "com.example.app://host/callback",
            "com.example.app:callback",
            "https://app.example",
            "https://app.example?x=1",
            "https://app.example:8443/a%2Fb",
            "https://xn--pp-uia.example/",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn a_uri_that_browsers_write_otherwise_is_refused_with_the_form_they_write() {
        for (uri, form) in [
            ("https:evil.example/cb", "https://evil.example/cb"),
            ("https:/evil.example/cb", "https://evil.example/cb"),
            ("https:///evil.example/cb", "https://evil.example/cb"),
            ("https:/logout", "https://logout/"),
            ("HTTPS://app.example/cb", "https://app.example/cb"),
            ("https://App.Example/cb", "https://app.example/cb"),
            ("https://app.example:443/cb", "https://app.example/cb"),
            ("http://127.0.0.1:80/cb", "http://127.0.0.1/cb"),
            ("https://app.example:/cb", "https://app.example/cb"),
            ("https://@app.example/cb", "https://app.example/cb"),
            ("https://:@app.example/", "https://app.example/"),
            ("https://app.example/a/../cb", "https://app.example/cb"),
            ("https://app.example/./cb", "https://app.example/cb"),
            ("https://app.example/%2e%2E/cb", "https://app.example/cb"),
            ("https://app.example/\"x", "https://app.example/%22x"),
            ("https://app.example/?'", "https://app.example/?%27"),
            ("https://1/", "https://0.0.0.1/"),
            ("https://0x7f.1/", "https://127.0.0.1/"),
            ("http://[0:0::1]/", "http://[::1]/"),
            ("https://app%2Eexample/", "https://app.example/"),
            ("Com.Example.App:/cb", "com.example.app:/cb"),
            ("com.example.app:/a/../cb", "com.example.app:/cb"),
        ] {
            assert_eq!(check(uri), Err(InvalidRedirectUri::Form(form.into())), "{uri}");
        }
    }

    #[test]
    fn wildcards_are_refused_by_their_name() {
        for uri in ["https://*.app.example/cb", "https://app.example/*", "https://*/", "com.example.app:/*"] {
            assert_eq!(check(uri), Err(InvalidRedirectUri::Wildcard), "{uri}");
        }
    }

    #[test]
    fn a_host_holds_nothing_that_would_end_it_elsewhere() {
        for uri in [
            "https://evil.example;sandbox/",
            "https://x;script-src'unsafe-inline'.example/",
            "https://a,b.example/",
        ] {
            assert_eq!(check(uri), Err(InvalidRedirectUri::Host), "{uri}");
        }
    }

    #[test]
    fn what_is_fetched_or_shown_is_on_the_web() {
        assert_eq!(check_web("https://app.example/*.png"), Ok(()));
        assert_eq!(check_web("http://localhost:3000/logo.png"), Ok(()));
        assert_eq!(check_web("com.example.app:/logo"), Err(InvalidRedirectUri::NotWeb));
    }

    #[test]
    fn everything_else_cannot() {
        use InvalidRedirectUri::*;
        for (uri, why) in [
            ("/callback", NotAbsolute),
            ("https://app.example/#x", Fragment),
            ("https://app.example/#", Fragment),
            ("https://user@app.example/", UserInfo),
            ("http://app.example/", PlainHttp),
            ("http://127.0.0.1.evil.example/", PlainHttp),
            ("javascript:alert(1)", DangerousScheme),
            ("data:text/html,x", DangerousScheme),
            ("myapp:/callback", SchemeWithoutDot),
            ("https://app.example/a b", Characters),
            ("https://app.example\\@evil.example/", Characters),
            ("https://äpp.example/", Characters),
        ] {
            assert_eq!(check(uri), Err(why), "{uri}");
        }
    }

    #[test]
    fn only_the_same_text_matches() {
        let registered = "https://app.example/callback";
        assert!(matches(registered, registered));
        for other in [
            "https://app.example/callback/",
            "https://app.example/callback?",
            "https://APP.example/callback",
            "https://app.example:443/callback",
            "https://app.example/a/../callback",
            "https://app.example/%63allback",
            "https://app.example.evil.example/callback",
            "https://evil.example/https://app.example/callback",
            "https://app.example@evil.example/callback",
            "http://app.example/callback",
        ] {
            assert!(!matches(registered, other), "{other}");
        }
    }

    #[test]
    fn the_port_is_free_for_loopback_ip_literals_only() {
        assert!(matches("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"));
        assert!(matches("http://127.0.0.1:1/cb", "http://127.0.0.1/cb"));
        assert!(matches("http://[::1]/cb", "http://[::1]:49152/cb"));
        assert!(!matches("http://localhost/cb", "http://localhost:49152/cb"));
        assert!(!matches("http://127.0.0.1/cb", "http://127.0.0.1:49152/other"));
        assert!(!matches("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"));
        assert!(!matches("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb"));
        assert!(!matches("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"));
        assert!(!matches("http://127.0.0.1/cb", "https://127.0.0.1:49152/cb"));
    }
}
