//! How a client asks: response types and modes (OAuth 2.0 Multiple Response Types), request objects (RFC 9101) and pushed requests (RFC 9126).

use crate::model::{Client, GrantType};

/// Every problem of these members.
pub fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    check_response_types(client, complain);
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
