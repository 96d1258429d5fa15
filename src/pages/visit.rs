//! Who is at the browser: what its request says about it, before anything of it is believed.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::answer::Failure;
use super::cookies::{Cookie, Cookies};
use super::csrf;
use crate::app::App;
use crate::crypto::known_browser::KnownBrowser;
use crate::crypto::{digest, random};
use crate::http::extract;
use crate::model::{Client, NetworkAddress, SessionId};
use crate::request;
use crate::site::Frame;
use crate::site::i18n::{self, Messages};

/// A browser's request for a page. It is read once: what goes around a handler leaves it there for the handler.
#[derive(Clone)]
pub(crate) struct Visit {
    pub app: Arc<App>,
    /// The browser's random name, and whether it has yet to be told.
    pub browser: String,
    pub browser_is_new: bool,
    /// Whether the answer may tell it. A POST from another site carries no SameSite cookie: the name that the browser
    /// has, and did not send, would be lost.
    pub may_name_browser: bool,
    /// The cookies of the current session and of the other accounts as sent.
    pub session_cookie: Option<String>,
    /// The browser state as sent.
    pub browser_state_cookie: Option<String>,
    pub accounts_cookie: Option<String>,
    /// Who has signed in here before, if it is genuine.
    pub known: Option<KnownBrowser>,
    pub user_agent: String,
    pub address: NetworkAddress,
    pub request_id: String,
    accept_language: Option<String>,
    /// The browser says that the request came from another site (Fetch Metadata).
    from_elsewhere: bool,
    /// The browser says that the answer goes into a frame of another page, so that its own address stays.
    in_frame: bool,
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        if let Some(seen) = parts.extensions.remove::<Self>() {
            return Ok(seen);
        }
        let headers = &parts.headers;
        let cookies = Cookies::read(headers, &app.settings.server.issuer);
        let cookie = |cookie| cookies.get(cookie).map(str::to_owned);
        let known = cookies.get(Cookie::Browser).filter(|name| is_browser_name(name));
        let from_elsewhere = matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site"));
        Ok(Self {
            app: Arc::clone(app),
            browser: known.map_or_else(random::id, str::to_owned),
            browser_is_new: known.is_none(),
            may_name_browser: known.is_none() && !(from_elsewhere && parts.method == Method::POST),
            session_cookie: cookie(Cookie::Session),
            browser_state_cookie: cookie(Cookie::BrowserState),
            accounts_cookie: cookie(Cookie::Accounts),
            known: cookies.get(Cookie::Known).and_then(KnownBrowser::parse),
            user_agent: extract::user_agent(headers),
            address: extract::address(&parts.extensions),
            request_id: request::with(|facts| facts.map(|facts| facts.id.to_string())).unwrap_or_default(),
            accept_language: text(headers, header::ACCEPT_LANGUAGE).map(str::to_owned),
            from_elsewhere,
            in_frame: matches!(text(headers, "sec-fetch-dest"), Some("iframe" | "frame")),
        })
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_browser_name(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl Visit {
    /// What a waiting request is bound to.
    pub(crate) fn browser_digest(&self) -> String {
        digest::sha256_base64url(&self.browser)
    }

    /// Whether the browser may be led to an application without a person's doing (RFC 9700 4.11.2): the operator knows it, one
    /// of those who are signed in here has allowed it, or nobody sees where the answer leads.
    pub(crate) async fn may_be_led_to(&self, client: &Client) -> Result<bool, Failure> {
        if !client.is_self_registered() || self.in_frame {
            return Ok(true);
        }
        for person in self.accounts().await?.all() {
            if self.app.storage.consent(&person.user.id, &client.id, self.app.now()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn messages(&self, ui_locales: Option<&str>) -> &'static Messages {
        i18n::choose(ui_locales, self.accept_language.as_deref())
    }

    pub(crate) fn frame(&self, ui_locales: Option<&str>) -> Frame<'_> {
        self.app.site.frame(self.messages(ui_locales))
    }

    pub(crate) fn csrf(&self, session: Option<&SessionId>) -> String {
        csrf::token(&self.app.master_key, &self.browser, session)
    }

    /// Whether a form was sent from one of our own pages in this browser.
    pub(crate) fn sent_by_us(&self, session: Option<&SessionId>, token: Option<&str>) -> bool {
        !self.browser_is_new
            && !self.from_elsewhere
            && csrf::is_right(&self.app.master_key, &self.browser, session, token)
    }
}
