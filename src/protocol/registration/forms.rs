//! How names and URIs are written: names so that people can read them, URIs so that one place is one text.
//!
//! Apart from the rest, because clients that were registered before these rules keep what they have.

use super::InvalidMetadata;
use crate::model::{ClientMetadata, text};
use crate::protocol::redirect_uri::{self, InvalidRedirectUri};

/// Bytes of a name that people read.
const LONGEST_NAME: usize = 200;
/// Bytes of a text for the operator, and how many contacts there may be.
const LONGEST_TEXT: usize = 255;
const MOST_CONTACTS: usize = 10;

/// Every problem of this kind.
pub(crate) fn problems(client: &ClientMetadata) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    check(client, &mut |member, problem| problems.push(InvalidMetadata { member, problem }));
    problems
}

pub(super) fn check(client: &ClientMetadata, complain: &mut impl FnMut(&'static str, String)) {
    check_names(client, complain);
    let of = |uri: &str, checked: Result<(), InvalidRedirectUri>| {
        checked.err().map(|error| format!("{uri}: {error}"))
    };
    for (member, uris) in [
        ("redirect_uris", &client.redirect_uris),
        ("post_logout_redirect_uris", &client.post_logout_redirect_uris),
    ] {
        for problem in uris.iter().filter_map(|uri| of(uri, redirect_uri::check(uri))) {
            complain(member, problem);
        }
    }
    for uri in &client.requests.request_uris {
        // OpenID Connect Registration 2: a fragment is the digest of what is there.
        let address = uri.split_once('#').map_or(uri.as_str(), |(address, _)| address);
        if let Some(problem) = of(uri, redirect_uri::check_web(address)) {
            complain("request_uris", problem);
        }
    }
    // Whether what is fetched can be had at all depends on the settings, which are not known here.
    for (member, uri) in [
        ("client_uri", client.client_uri.as_ref()),
        ("logo_uri", client.logo_uri.as_ref()),
        ("policy_uri", client.policy_uri.as_ref()),
        ("tos_uri", client.tos_uri.as_ref()),
        ("jwks_uri", client.jwks_uri()),
        ("sector_identifier_uri", client.identity.sector_identifier_uri.as_ref()),
        ("initiate_login_uri", client.sign_in.initiate_login_uri.as_ref()),
        ("backchannel_logout_uri", client.logout.backchannel_logout_uri.as_ref()),
        ("frontchannel_logout_uri", client.logout.frontchannel_logout_uri.as_ref()),
    ] {
        if let Some(Err(error)) = uri.map(|uri| redirect_uri::check_web(uri)) {
            complain(member, error.to_string());
        }
    }
}

fn check_names(client: &ClientMetadata, complain: &mut impl FnMut(&'static str, String)) {
    if let Err(problem) = check_name(&client.name) {
        complain("client_name", problem);
    }
    let origin = &client.origin;
    for name in origin.localized.iter().filter(|(member, _)| is_name(member)).map(|(_, name)| name) {
        if let Err(problem) = check_name(name) {
            complain("client_name", problem);
        }
    }
    let wrong = |text: &String| text.len() > LONGEST_TEXT || text::check_readable(text).is_err();
    if origin.contacts.len() > MOST_CONTACTS || origin.contacts.iter().any(wrong) {
        complain(
            "contacts",
            format!("at most {MOST_CONTACTS} texts of 1 to {LONGEST_TEXT} bytes that can be read"),
        );
    }
    for (member, text) in
        [("software_id", &origin.software_id), ("software_version", &origin.software_version)]
    {
        if text.as_ref().is_some_and(wrong) {
            complain(member, format!("1 to {LONGEST_TEXT} bytes that can be read"));
        }
    }
}

/// Whether this is a name for people, in some language.
pub(super) fn is_name(member: &str) -> bool {
    member.split_once('#').is_some_and(|(base, _)| base == "client_name")
}

/// Whether people can read a name when they are asked for consent.
fn check_name(name: &str) -> Result<(), String> {
    if name.len() > LONGEST_NAME {
        return Err(format!("people read it when they are asked for consent; 1 to {LONGEST_NAME} bytes"));
    }
    text::check_readable(name)
        .map_err(|error| format!("people read it when they are asked for consent: {error}"))
}

/// Why a client's names may be taken for those of others. Where nobody has looked at the client, that is refused.
pub(crate) fn misleading(client: &ClientMetadata) -> Vec<InvalidMetadata> {
    let localized = client.origin.localized.iter().filter(|(member, _)| is_name(member));
    let names = std::iter::once(&client.name).chain(localized.map(|(_, name)| name));
    let problem =
        |error: text::Misleading| InvalidMetadata { member: "client_name", problem: error.to_string() };
    names.filter_map(|name| text::check_script(name).err()).map(problem).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{misleading, problems};
    use crate::model::ClientMetadata;

    fn client(change: Value) -> ClientMetadata {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(metadata).unwrap()
    }

    #[test]
    fn every_uri_of_a_client_is_written_as_browsers_write_it() {
        for (member, many) in [
            ("redirect_uris", true),
            ("post_logout_redirect_uris", true),
            ("request_uris", true),
            ("client_uri", false),
            ("logo_uri", false),
            ("policy_uri", false),
            ("tos_uri", false),
            ("jwks_uri", false),
            ("sector_identifier_uri", false),
            ("initiate_login_uri", false),
            ("backchannel_logout_uri", false),
            ("frontchannel_logout_uri", false),
        ] {
            for (uri, fits) in [
                ("https://app.example/cb", true),
                ("https:app.example/cb", false),
                ("https://App.example/cb", false),
                ("https://app.example:443/cb", false),
                ("https://@app.example/cb", false),
                ("https://app.example;x/cb", false),
            ] {
                let value = if many { json!([uri]) } else { json!(uri) };
                let found = problems(&client(json!({member: value})));
                assert_eq!(
                    found.iter().map(|problem| problem.member).next(),
                    (!fits).then_some(member),
                    "{uri}"
                );
            }
        }
        let digest = "https://app.example/r#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM";
        assert_eq!(problems(&client(json!({"request_uris": [digest]}))), []);
    }

    #[test]
    fn names_in_every_language_are_readable_and_no_trick() {
        let german = |name: &str| client(json!({"localized": {"client_name#de": name}}));
        for (name, readable) in [("Anwendung", true), ("A\u{202e}B", false), ("\u{200b}", false)] {
            assert_eq!(problems(&client(json!({"client_name": name}))).is_empty(), readable);
            assert_eq!(problems(&german(name)).is_empty(), readable);
        }
        assert!(misleading(&client(json!({}))).is_empty());
        assert_eq!(misleading(&client(json!({"client_name": "Gооgle"}))).len(), 1);
        assert_eq!(misleading(&german("Gооgle")).len(), 1);
    }

    #[test]
    fn what_the_operator_reads_can_be_read() {
        for wrong in [
            json!({"contacts": ["a@b\u{202e}"]}),
            json!({"contacts": [" "]}),
            json!({"software_id": "\u{200b}"}),
            json!({"software_version": "1\n2"}),
        ] {
            assert_eq!(problems(&client(wrong)).len(), 1);
        }
    }
}
