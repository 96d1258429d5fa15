//! The cookies: the handle of the current session, the handles of other accounts' sessions, a random name of the browser
//! that forms and waiting requests are bound to, what shows who has signed in here before, and a state that a script in a
//! frame compares. All with the `__Host-`
//! prefix; a plain-http loopback issuer, where browsers refuse it, is the only exception.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Issuer;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    Session,
    Accounts,
    Browser,
    /// Who has signed in in this browser before (`crypto/known_browser.rs`).
    Known,
    /// No secret: the page for frames reads it (`session_state.rs`).
    BrowserState,
}

impl Cookie {
    pub fn name(self, issuer: &Issuer) -> &'static str {
        match (self, issuer.is_loopback_http()) {
            (Self::Session, false) => "__Host-session",
            (Self::Accounts, false) => "__Host-accounts",
            (Self::Browser, false) => "__Host-browser",
            (Self::Known, false) => "__Host-known",
            (Self::BrowserState, false) => "__Host-state",
            (Self::Session, true) => "session",
            (Self::Accounts, true) => "accounts",
            (Self::Browser, true) => "browser",
            (Self::Known, true) => "known",
            (Self::BrowserState, true) => "state",
        }
    }

    /// The value in a request (RFC 6265 4.2).
    pub fn read<'h>(self, headers: &'h HeaderMap, issuer: &Issuer) -> Option<&'h str> {
        let name = self.name(issuer);
        let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// A `Set-Cookie` value. `max_age` in seconds: none lasts as long as the browser runs, zero removes it.
    pub fn write(self, issuer: &Issuer, value: &str, max_age: Option<i64>) -> Option<HeaderValue> {
        let (name, loopback) = (self.name(issuer), issuer.is_loopback_http());
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
        HeaderValue::try_from(format!("{name}={value}; Path=/; {readable}{max_age}")).ok()
    }
}
