//! The service that has a say in tokens.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::reader::Reader;
use super::table::token_hook;
use crate::crypto::webhook::WebhookKey;
use crate::model::Secret;
use crate::protocol::remote_uri;

#[derive(Clone, Debug)]
pub struct TokenHookSettings {
    pub url: Url,
    pub secret: Secret,
    pub timeout: Duration,
    pub on_failure: OnFailure,
    /// Whether it is asked about a client that does not say so itself.
    pub default: bool,
    pub allow_private: bool,
}

/// What happens to tokens while the service does not answer as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    Refuse,
    /// They are issued without its claims.
    Issue,
}

/// The outer `None` is a refused value, the inner one is that there is no such service.
pub(super) fn read(reader: &mut Reader, outbound_private: bool) -> Option<Option<TokenHookSettings>> {
    let allow_private = reader.boolean(token_hook::allow_private);
    let may_be_private = outbound_private || allow_private.unwrap_or(false);
    let url = reader.parsed(token_hook::url, |text| {
        if text.is_empty() {
            return Ok(None);
        }
        let remedy =
            "write a URL that starts with https://; token_hook.allow_private opens private addresses";
        let refuse = |problem: String| (problem, remedy.to_owned());
        let url = remote_uri::check(text, may_be_private).map_err(|error| refuse(error.to_string()))?;
        // Plain http is for tests, as everywhere.
        let secure = url.scheme() == "https" || outbound_private;
        secure.then_some(Some(url)).ok_or_else(|| refuse("it is not https".to_owned()))
    });
    let secret = reader.secret(token_hook::secret, token_hook::secret_file);
    let timeout = reader.duration(token_hook::timeout_ms);
    let on_failure = reader.choice(token_hook::on_failure);
    let default = reader.boolean(token_hook::default);
    let (url, given, timeout, on_failure) = (url?, secret?, timeout?, on_failure?);
    let (default, allow_private) = (default?, allow_private?);
    let Some(url) = url else { return Some(None) };
    let secret = Secret::new(given.text);
    if let Err(error) = WebhookKey::parse(&secret) {
        let remedy = "make one with `openssl rand -base64 32`, and give the service the same".to_owned();
        reader.refuse(given.key, error.to_string(), remedy);
        return None;
    }
    Some(Some(TokenHookSettings { url, secret, timeout, on_failure, default, allow_private }))
}
