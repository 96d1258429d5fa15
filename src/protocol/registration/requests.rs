//! How a client asks: response types and modes (OAuth 2.0 Multiple Response Types), request objects (RFC 9101) and pushed requests (RFC 9126).

use crate::model::{Client, GrantType, RequestObjectAlgorithm};
use crate::protocol::redirect_uri;

/// Every problem of these members.
pub fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    check_response_types(client, complain);
    check_request_objects(client, complain);
}

/// OpenID Connect Registration 2: a response type goes with the grant types that it uses.
fn check_response_types(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    for response_type in &client.requests.response_types {
        for (uses, grant_type) in [
            (response_type.has_code(), GrantType::AuthorizationCode),
            (response_type.is_implicit(), GrantType::Implicit),
        ] {
            if uses && !client.may_use(grant_type) {
                let problem = format!("{response_type} needs the grant type {}", grant_type.as_str());
                complain("response_types", problem);
            }
        }
    }
}

fn check_request_objects(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let own = &client.requests;
    let unsigned = own.request_object_signing_alg == Some(RequestObjectAlgorithm::None);
    let has_keys = client.jwks.is_some() || client.jwks_uri.is_some();
    if own.require_signed_request_object && unsigned {
        complain("request_object_signing_alg", "none contradicts require_signed_request_object".into());
    }
    let signs = matches!(own.request_object_signing_alg, Some(RequestObjectAlgorithm::Signed(_)));
    if signs && !has_keys {
        complain("request_object_signing_alg", "it needs jwks or jwks_uri to verify with".into());
    }
    if own.require_signed_request_object && !has_keys {
        complain("require_signed_request_object", "it needs jwks or jwks_uri to verify with".into());
    }
    // Whether it can be fetched at all depends on the settings, which are not known here.
    let web = |uri: &&String| !(uri.starts_with("https://") || redirect_uri::is_loopback_uri(uri));
    for uri in own.request_uris.iter().filter(web) {
        complain("request_uris", format!("{uri}: use an https URI"));
    }
}
