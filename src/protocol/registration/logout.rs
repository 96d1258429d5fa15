//! How a client learns that a session has ended (OpenID Connect Back-Channel Logout 2.2, Front-Channel Logout 2).

use crate::model::Client;
use crate::protocol::redirect_uri;

/// Every problem of these members.
pub fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let logout = &client.logout;
    match &logout.backchannel_logout_uri {
        Some(uri) => check_uri("backchannel_logout_uri", uri, complain),
        None if logout.backchannel_logout_session_required => {
            complain("backchannel_logout_session_required", "it goes with backchannel_logout_uri".into());
        }
        None => {}
    }
}

/// An absolute URI without a fragment. Whether it can be reached at all depends on the settings.
fn check_uri(member: &'static str, uri: &str, complain: &mut impl FnMut(&'static str, String)) {
    match redirect_uri::check(uri) {
        Err(error) => complain(member, error.to_string()),
        Ok(()) if !uri.starts_with("https://") && !redirect_uri::is_loopback_uri(uri) => {
            complain(member, "use an https URI".into());
        }
        Ok(()) => {}
    }
}
