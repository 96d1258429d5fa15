//! `session_state` of authorization responses (OpenID Connect Session Management 1.0, 3 and 3.2): by it a client asks its
//! frame of ours (`templates/assets/check_session.js`) whether the browser's sign-in is still the same.

use url::Url;

use crate::crypto::digest;
use crate::model::ClientId;

/// What the frame computes again from its own cookie: the hash MUST depend on client, origin, browser state and salt, and
/// the salt follows it. None where no page of the client's can ask: its redirect URI is not that of a web page.
pub(crate) fn compute(
    client: &ClientId,
    redirect_uri: &str,
    browser_state: &str,
    salt: &str,
) -> Option<String> {
    let url = Url::parse(redirect_uri).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let origin = url.origin().ascii_serialization();
    let hash = digest::sha256_base64url(&[client.as_str(), &origin, browser_state, salt].join(" "));
    Some([&hash, salt].join("."))
}

#[cfg(test)]
mod tests {
    use super::compute;
    use crate::model::ClientId;

    fn state(client: &str, uri: &str, browser_state: &str, salt: &str) -> Option<String> {
        compute(&ClientId::new(client), uri, browser_state, salt)
    }

    #[test]
    fn it_depends_on_client_origin_browser_state_and_salt_and_on_nothing_else() {
        let one = state("app", "https://app.example/cb?x=1", "b", "s");
        assert_eq!(one.as_deref(), Some("h0Qx4LhASeGPRxRsU1MNCHjvMu-nYgmCuDrlhltrkR8.s"));
        assert_eq!(one, state("app", "https://app.example:443/other", "b", "s"));
        for other in [
            state("other", "https://app.example/cb", "b", "s"),
            state("app", "https://other.example/cb", "b", "s"),
            state("app", "https://app.example:8443/cb", "b", "s"),
            state("app", "https://app.example/cb", "c", "s"),
            state("app", "https://app.example/cb", "b", "t"),
        ] {
            assert!(other.is_some() && other != one, "{other:?}");
        }
    }

    #[test]
    fn an_app_without_web_pages_has_none() {
        assert_eq!(state("app", "com.example.app:/cb", "b", "s"), None);
    }
}
