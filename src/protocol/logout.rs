//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): whose session is meant, and where one may return to.

use super::claims::IdTokenClaims;
use crate::model::{Client, Session};

/// Whether an ID token shows that this very session is meant, of the user whom its client knows by `subject`. Then nobody
/// has to be asked (section 2).
pub fn means(hint: &IdTokenClaims, session: &Session, subject: &str) -> bool {
    hint.sub == subject && hint.sid.as_ref() == Some(&session.id)
}

/// The address to return to (section 3): MUST NOT be followed unless it is exactly one that the client registered.
pub fn return_to(client: Option<&Client>, requested: Option<&str>, state: Option<&str>) -> Option<String> {
    let requested = requested?;
    let registered = client?.post_logout_redirect_uris.iter().any(|registered| registered == requested);
    if !registered {
        return None;
    }
    let Some(state) = state else { return Some(requested.to_owned()) };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state);
    let separator = if requested.contains('?') { '&' } else { '?' };
    Some(format!("{requested}{separator}{}", query.finish()))
}
