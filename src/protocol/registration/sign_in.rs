//! What a client expects of a sign-in: its age, its strength, who may begin it (OpenID Connect Registration 2).

use crate::model::Client;
use crate::protocol::redirect_uri;

const MOST_ACRS: usize = 10;
const MAX_ACR: usize = 100;

/// Every problem of these members.
pub(super) fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    // OpenID Connect Registration 2: a URI using the https scheme.
    let wrong = |uri: &str| redirect_uri::check_web(uri).is_ok() && !uri.starts_with("https://");
    if client.sign_in.initiate_login_uri.as_deref().is_some_and(wrong) {
        complain("initiate_login_uri", "use an https URI".into());
    }
    if client.sign_in.default_max_age.is_some_and(|seconds| seconds < 0) {
        complain("default_max_age", "use a number of seconds".into());
    }
    let word =
        |acr: &String| (1..=MAX_ACR).contains(&acr.len()) && acr.bytes().all(|byte| byte.is_ascii_graphic());
    if client.sign_in.default_acr_values.len() > MOST_ACRS
        || !client.sign_in.default_acr_values.iter().all(word)
    {
        complain("default_acr_values", format!("use at most {MOST_ACRS} words of at most {MAX_ACR} bytes"));
    }
}
