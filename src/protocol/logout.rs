//! Sign-out that an application asks for (OpenID Connect RP-Initiated Logout 1.0): whose session is meant, and where one
//! may return to; and what the applications' own pages are called with (OpenID Connect Front-Channel Logout 1.0).

use url::Url;

use super::authorize::MAX_STATE;
use super::claims::IdTokenClaims;
use super::error::OAuthError;
use super::parameters::Parameters;
use crate::model::{Client, Session, SessionId, User};

/// What `id_token_hint` is worth.
#[derive(Debug)]
pub enum Hint {
    Absent,
    /// An ID token of this server, expired or not (section 2).
    Genuine(Box<IdTokenClaims>),
    /// Something else: section 4: what depends on it MUST NOT be done.
    Bad,
}

impl Hint {
    /// What was sent, and the claims if the signature is one of this server's.
    pub fn new(sent: Option<&str>, verified: Option<IdTokenClaims>, issuer: &str) -> Self {
        match (sent, verified) {
            (None, _) => Self::Absent,
            (Some(_), Some(claims)) if claims.iss == issuer => Self::Genuine(Box::new(claims)),
            (Some(_), _) => Self::Bad,
        }
    }

    /// Whether it shows that this very session is meant, of the user whom its client knows by `subject`. Then nobody has to
    /// be asked (section 2).
    pub fn means(&self, session: &Session, subject: &str) -> bool {
        match self {
            Self::Genuine(claims) => claims.sub == subject && claims.sid.as_ref() == Some(&session.id),
            Self::Absent | Self::Bad => false,
        }
    }
}

/// What is wrong with a request before anything else is looked at.
pub fn check(parameters: &Parameters<'_>) -> Result<(), OAuthError> {
    parameters.refuse_repeated()?;
    if parameters.get("state").is_some_and(|state| state.len() > MAX_STATE) {
        return Err(OAuthError::invalid_request(format!(
            "The parameter state is longer than {MAX_STATE} bytes."
        )));
    }
    Ok(())
}

/// Whether `logout_hint` (section 2) says nothing against this user: it is what they sign in with, or their `sub`.
pub fn hints_at(logout_hint: Option<&str>, user: &User, subject: &str) -> bool {
    let names = [Some(subject), Some(user.username.as_str()), user.email.as_deref()];
    logout_hint.is_none_or(|hint| names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(hint)))
}

/// Where one returns to after sign-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnTo {
    /// Nothing was asked for.
    Nowhere,
    /// Not where was asked for.
    Refused,
    To(String),
}

/// The address to return to (section 3): MUST NOT be followed unless it is exactly one that the client registered.
/// `client` is none where nobody proved to be one.
pub fn return_to(client: Option<&Client>, requested: Option<&str>, state: Option<&str>) -> ReturnTo {
    let Some(requested) = requested else { return ReturnTo::Nowhere };
    let is_registered = |client: &Client| client.post_logout_redirect_uris.iter().any(|uri| uri == requested);
    if !client.is_some_and(is_registered) {
        return ReturnTo::Refused;
    }
    let Some(state) = state else { return ReturnTo::To(requested.to_owned()) };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state);
    let separator = if requested.contains('?') { '&' } else { '?' };
    ReturnTo::To(format!("{requested}{separator}{}", query.finish()))
}

/// The page of a client that is to be shown (Front-Channel Logout 3): its URI, with `iss` and `sid` added to its query.
pub fn frontchannel_page(client: &Client, issuer: &str, session: &SessionId) -> Option<Url> {
    let mut page = Url::parse(client.logout.frontchannel_logout_uri.as_deref()?).ok()?;
    page.query_pairs_mut().append_pair("iss", issuer).append_pair("sid", session.as_str());
    frame_source(&page).map(|_| page)
}

/// The origin of a page as a policy names it (Content Security Policy 3, 2.3.1, `host-source`). None where its host has a
/// character that no host name has: the URL standard lets some through, and `;` or `,` would end the directive.
pub fn frame_source(page: &Url) -> Option<String> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let is_web = matches!(page.scheme(), "https" | "http");
    let origin = page.origin().ascii_serialization();
    (is_web && page.host_str()?.bytes().all(is_plain)).then_some(origin)
}
