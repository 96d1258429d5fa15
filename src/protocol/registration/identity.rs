//! How a client is told who the user is: pairwise subjects, signed and encrypted ID tokens and UserInfo (OpenID Connect Registration 2).

use crate::model::Client;

/// Every problem of these members.
pub fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    // RFC 9701 5: the answer is for an authenticated resource server.
    if client.identity.introspection_signed_response_alg.is_some() && !client.is_confidential() {
        complain(
            "introspection_signed_response_alg",
            "only a client with a secret can ask about tokens".into(),
        );
    }
}
