//! What a client expects of a sign-in: its age, its strength, who may begin it (OpenID Connect Registration 2).

use crate::model::Client;
use crate::protocol::redirect_uri;

/// Every problem of these members.
pub fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    // OpenID Connect Registration 2: a URI using the https scheme.
    let wrong = |uri: &String| redirect_uri::check(uri).is_err() || !uri.starts_with("https://");
    if client.sign_in.initiate_login_uri.as_ref().is_some_and(wrong) {
        complain("initiate_login_uri", "use an https URI".into());
    }
}
