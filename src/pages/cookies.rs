//! The cookies: the handle of the current session, the handles of other accounts' sessions, a random name of the browser
//! that forms and waiting requests are bound to, what shows who has signed in here before, and a state that a script in a
//! frame compares.
//!
//! Browsers share cookies between the ports of a host, so the names are the installation's own: what tells the issuer from
//! others on its host is in them (`docs/adr/0049`). At the root of a host they have the `__Host-` prefix; below a path, to
//! which they are sent alone, `__Secure-`; a plain-http loopback issuer, where browsers refuse both, says whose they are.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Issuer;

/// Between two handles; no handle has it, and a cookie may (RFC 6265 4.1.1).
pub(super) const SEPARATOR: &str = ":";

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    Session,
    Accounts,
    Browser,
    /// Who has signed in in this browser before (`crypto/known_browser.rs`).
    Known,
    /// No secret: the page for frames reads it (`session_state.rs`).
    BrowserState,
}

/// The values of the cookies in a request (RFC 6265 4.2); of each the first.
#[derive(Debug, Default)]
pub(super) struct Cookies<'h>([Option<&'h str>; Cookie::ALL.len()]);

impl<'h> Cookies<'h> {
    /// Where there is none of the installation's own name, that of the name it had before.
    pub(super) fn read(headers: &'h HeaderMap, issuer: &Issuer) -> Self {
        let (prefix, suffix) = (prefix(issuer), issuer.place_on_host());
        let had_another = !suffix.is_empty() && !issuer.is_loopback_http();
        let (mut own, mut before) = (Self::default(), Self::default());
        for (name, value) in pairs(headers) {
            if let Some(cookie) = Cookie::named(name, prefix, suffix) {
                own.keep(cookie, value);
            } else if had_another && let Some(cookie) = Cookie::named(name, EVERYBODYS, "") {
                before.keep(cookie, value);
            }
        }
        for (value, before) in own.0.iter_mut().zip(before.0) {
            *value = value.or(before);
        }
        own
    }

    fn keep(&mut self, cookie: Cookie, value: &'h str) {
        self.0[cookie as usize].get_or_insert(value);
    }

    pub(super) fn get(&self, cookie: Cookie) -> Option<&'h str> {
        self.0[cookie as usize]
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// What every https issuer's cookies had before the installation's own names.
const EVERYBODYS: &str = "__Host-";

impl Cookie {
    const ALL: [Self; 5] = [Self::Session, Self::Accounts, Self::Browser, Self::Known, Self::BrowserState];

    pub(super) fn name(self, issuer: &Issuer) -> String {
        format!("{}{}{}", prefix(issuer), self.word(), issuer.place_on_host())
    }

    fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Accounts => "accounts",
            Self::Browser => "browser",
            Self::Known => "known",
            Self::BrowserState => "state",
        }
    }

    /// The one with this name, which begins and ends like all of its installation.
    fn named(name: &str, prefix: &str, suffix: &str) -> Option<Self> {
        let word = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
        Self::ALL.into_iter().find(|cookie| cookie.word() == word)
    }

    /// A `Set-Cookie` value. `max_age` in seconds: none lasts as long as the browser runs, zero removes it.
    pub(super) fn write(self, issuer: &Issuer, value: &str, max_age: Option<i64>) -> Option<HeaderValue> {
        let (name, loopback) = (self.name(issuer), issuer.is_loopback_http());
        let path = if issuer.path_prefix().is_empty() { "/" } else { issuer.path_prefix() };
        let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let readable = match (self, loopback) {
            // Lax: the way back from an application is a cross-site navigation, and has to find the session.
            (Self::Session | Self::Accounts | Self::Browser | Self::Known, false) => {
                "HttpOnly; SameSite=Lax; Secure"
            }
            (Self::Session | Self::Accounts | Self::Browser | Self::Known, true) => "HttpOnly; SameSite=Lax",
            // It is read in a frame on pages of other sites.
            (Self::BrowserState, false) => "SameSite=None; Secure",
            // Without Secure browsers refuse None; the applications beside it are of the same site.
            (Self::BrowserState, true) => "SameSite=Lax",
        };
        HeaderValue::try_from(format!("{name}={value}; Path={path}; {readable}{max_age}")).ok()
    }
}

fn prefix(issuer: &Issuer) -> &'static str {
    match (issuer.is_loopback_http(), issuer.path_prefix().is_empty()) {
        // No name that the applications of a developer have, such as `session` of Flask and Starlette.
        (true, _) => "chancery-",
        // RFC 6265bis 4.1.3.2: with Path=/ only.
        (false, true) => "__Host-",
        (false, false) => "__Secure-",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Cookie, Cookies};
    use crate::config::Issuer;

    fn issuer(text: &str) -> Issuer {
        Issuer::parse(text).unwrap()
    }

    fn read(issuer_text: &str, cookies: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookies).unwrap());
        Cookies::read(&headers, &issuer(issuer_text)).get(Cookie::Session).map(str::to_owned)
    }

    #[test]
    fn the_names_are_the_installations_own() {
        for (text, name, path) in [
            ("https://id.example", "__Host-session", "/"),
            ("https://id.example:8443", "__Host-session-8443", "/"),
            ("https://id.example/auth", "__Secure-session.auth", "/auth"),
            ("https://id.example:8443/a/b", "__Secure-session-8443.a.b", "/a/b"),
            ("http://localhost:8080", "chancery-session-8080", "/"),
            ("http://127.0.0.1:8080/auth", "chancery-session-8080.auth", "/auth"),
        ] {
            assert_eq!(Cookie::Session.name(&issuer(text)), name, "{text}");
            let set = Cookie::Session.write(&issuer(text), "v", None).unwrap();
            assert!(set.to_str().unwrap().starts_with(&format!("{name}=v; Path={path}; ")), "{set:?}");
            assert_eq!(read(text, &format!("a=b; {name}=v; {name}x=w")).as_deref(), Some("v"), "{text}");
        }
    }

    #[test]
    fn the_cookies_of_other_installations_on_the_host_are_not_read() {
        let others = "session=a; chancery-session=b; chancery-session-8081=c; chancery-session-8080.auth=d";
        assert_eq!(read("http://localhost:8080", others), None);
        assert_eq!(
            read("https://id.example", "__Host-session-8443=a; __Secure-session.auth=b; session=c"),
            None
        );
        assert_eq!(read("https://id.example/auth", "__Secure-session.auth.b=a; __Secure-session=b"), None);
    }

    #[test]
    fn who_was_signed_in_before_the_names_changed_stays_so() {
        for text in ["https://id.example/auth", "https://id.example:8443"] {
            assert_eq!(read(text, "__Host-session=old").as_deref(), Some("old"), "{text}");
            let own = Cookie::Session.name(&issuer(text));
            assert_eq!(
                read(text, &format!("__Host-session=old; {own}=new")).as_deref(),
                Some("new"),
                "{text}"
            );
        }
        assert_eq!(read("http://localhost:8080", "session=old; __Host-session=old"), None);
    }
}
