//! The admin listener, and the login and consent pages of somebody else.

use std::net::SocketAddr;

use url::Url;

use super::issuer::is_loopback;
use super::reader::{Reader, Refusal};
use super::table::{admin, ui};
use crate::model::{Client, Secret, Ui};

/// 32 characters of base64 are 192 bits.
const SHORTEST_TOKEN: usize = 32;

#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// None: there is no admin listener.
    pub listen: Option<SocketAddr>,
    pub token: Option<Secret>,
}

#[derive(Clone, Debug)]
pub struct UiSettings {
    pub external: Option<ExternalUi>,
    pub default: Ui,
}

/// Where the login and consent pages of somebody else are.
#[derive(Clone, Debug)]
pub struct ExternalUi {
    pub login_url: Url,
    pub consent_url: Url,
}

impl UiSettings {
    /// The external pages, if this client uses them.
    pub fn external_for(&self, client: &Client) -> Option<&ExternalUi> {
        let whose = client.ui.unwrap_or(self.default);
        self.external.as_ref().filter(|_| whose == Ui::External)
    }
}

pub(super) fn admin(reader: &mut Reader) -> Option<AdminSettings> {
    let listen = reader.parsed(admin::listen, |text| listener(text, "127.0.0.1:8090"));
    let token = reader.secret(admin::token, admin::token_file);
    let (listen, token): (Option<SocketAddr>, _) = (listen?, token?);
    let remedy = || "make one with `openssl rand -base64 32`".to_owned();
    if !token.text.is_empty() {
        let visible = token.text.bytes().all(|byte| byte.is_ascii_graphic());
        if token.text.len() < SHORTEST_TOKEN || !visible {
            let problem = format!("it is shorter than {SHORTEST_TOKEN} characters, or holds white space");
            reader.refuse(token.key, problem, remedy());
            return None;
        }
    } else if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
        let problem = "admin.listen can be reached from other machines, so a token is required".to_owned();
        reader.refuse(token.key, problem, remedy());
        return None;
    }
    let token = Some(token.text).filter(|text| !text.is_empty()).map(Secret::new);
    Some(AdminSettings { listen, token })
}

/// The address of a listener that there need not be.
pub(super) fn listener(text: &str, example: &str) -> Result<Option<SocketAddr>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let remedy = || format!("write an address and a port like {example}, or leave it empty");
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| (format!("\"{text}\" is not an address with a port"), remedy()))
}

pub(super) fn ui(reader: &mut Reader, admin: Option<&AdminSettings>) -> Option<UiSettings> {
    let login_url = reader.parsed(ui::login_url, page);
    let consent_url = reader.parsed(ui::consent_url, page);
    let default = reader.choice(ui::default);
    let (login_url, consent_url, default): (_, _, Ui) = (login_url?, consent_url?, default?);
    let external = match (login_url, consent_url) {
        (Some(login_url), Some(consent_url)) => Some(ExternalUi { login_url, consent_url }),
        (None, None) => None,
        (given, _) => {
            let key = if given.is_some() { ui::consent_url.key } else { ui::login_url.key };
            reader.refuse(
                key,
                "the other one of the two pages is set".to_owned(),
                "set both, or none".to_owned(),
            );
            return None;
        }
    };
    if default == Ui::External && external.is_none() {
        let remedy = "set ui.login_url and ui.consent_url, or write own".to_owned();
        reader.refuse(ui::default.key, "there are no external pages".to_owned(), remedy);
        return None;
    }
    if external.is_some() && admin.is_some_and(|admin| admin.listen.is_none()) {
        let problem = "external pages answer over the admin listener, which is off".to_owned();
        reader.refuse(ui::login_url.key, problem, "set admin.listen".to_owned());
        return None;
    }
    Some(UiSettings { external, default })
}

fn page(text: &str) -> Result<Option<Url>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let good = |url: &Url| {
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        scheme && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
    };
    Url::parse(text).ok().filter(good).map(Some).ok_or_else(|| {
        let remedy =
            "write a URL that starts with https://; plain http is for localhost, 127.0.0.1 and [::1]";
        (format!("\"{text}\" is not the address of a page"), remedy.to_owned())
    })
}
