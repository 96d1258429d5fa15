//! How a client learns that a session has ended (OpenID Connect Back-Channel Logout 2.2, Front-Channel Logout 2).

use url::Url;

use crate::model::Client;
use crate::protocol::logout::frame_source;

/// Every problem of these members.
pub(super) fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let logout = &client.logout;
    if logout.backchannel_logout_uri.is_none() && logout.backchannel_logout_session_required {
        complain("backchannel_logout_session_required", "it goes with backchannel_logout_uri".into());
    }
    match &logout.frontchannel_logout_uri {
        Some(uri) => {
            // Front-Channel Logout 2: MUST have the scheme, host and port of one of the redirect URIs.
            let origin = |uri: &str| Url::parse(uri).map(|url| url.origin()).ok();
            if !client.redirect_uris.iter().any(|redirect| origin(redirect) == origin(uri)) {
                complain("frontchannel_logout_uri", "use scheme, host and port of a redirect URI".into());
            }
            if Url::parse(uri).is_ok_and(|url| frame_source(&url).is_none()) {
                complain("frontchannel_logout_uri", "its host has a character that no host name has".into());
            }
        }
        None if logout.frontchannel_logout_session_required => {
            complain("frontchannel_logout_session_required", "it goes with frontchannel_logout_uri".into());
        }
        None => {}
    }
}
