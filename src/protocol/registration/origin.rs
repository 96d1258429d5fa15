//! Where a registration comes from and what it says of the software (RFC 7591 2).

use crate::model::{ApplicationType, Client};
use crate::protocol::redirect_uri;

/// Every problem of these members.
pub(super) fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    if let Some(application_type) = client.origin.application_type {
        check_redirect_uris(application_type, &client.redirect_uris, complain);
    }
    if client.is_self_registered() {
        check_trust(client, complain);
    }
}

/// OpenID Connect Registration 2: a web client has https only, a native one its own scheme or loopback; RFC 8252 7.2
/// lets that one claim an https URI as well.
fn check_redirect_uris(
    application_type: ApplicationType,
    uris: &[String],
    complain: &mut impl FnMut(&'static str, String),
) {
    if application_type != ApplicationType::Web {
        return;
    }
    let others = uris.iter().filter(|uri| !uri.starts_with("https:"));
    for uri in others.filter(|uri| redirect_uri::check(uri).is_ok()) {
        complain(
            "redirect_uris",
            format!("{uri}: a web application has https URIs only; is it a native one?"),
        );
    }
}

/// What is for applications that the operator knows. RFC 9700 2.4 and 4.16: nobody is handed over in silence to one that
/// anybody may have registered.
fn check_trust(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let known_only = "not for an application that registered itself";
    if client.skip_consent {
        complain("skip_consent", known_only.into());
    }
    if client.switches.first_party == Some(true) {
        complain("first_party", known_only.into());
    }
    for grant_type in client.grant_types.iter().filter(|asked| !asked.is_for_self_registered()) {
        complain("grant_types", format!("{} is {known_only}", grant_type.as_str()));
    }
}
