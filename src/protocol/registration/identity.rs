//! How a client is told who the user is: pairwise subjects, signed and encrypted ID tokens and UserInfo (OpenID Connect Registration 2).

use super::encryption;
use crate::model::{ClaimSource, Client, UserinfoProfile, sector};

/// Every problem of these members.
pub(super) fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    // RFC 9701 5: the answer is for an authenticated resource server.
    if client.identity.introspection_signed_response_alg.is_some() && !client.is_confidential() {
        complain(
            "introspection_signed_response_alg",
            "only a client with a secret can ask about tokens".into(),
        );
    }
    let own = &client.identity;
    encryption::check(
        client,
        ("id_token_encrypted_response_alg", own.id_token_encrypted_response_alg),
        ("id_token_encrypted_response_enc", own.id_token_encrypted_response_enc),
        complain,
    );
    encryption::check(
        client,
        ("userinfo_encrypted_response_alg", own.userinfo_encrypted_response_alg),
        ("userinfo_encrypted_response_enc", own.userinfo_encrypted_response_enc),
        complain,
    );
    let legacy = client.policy().userinfo == UserinfoProfile::LegacyHs256;
    if legacy && (own.userinfo_signed_response_alg.is_some() || own.userinfo_encryption().is_some()) {
        complain("userinfo_profile", "legacy_hs256 has a form of its own for UserInfo".into());
    }
    check_subject(client, legacy, complain);
}

/// OpenID Connect Core 8.1
fn check_subject(client: &Client, legacy_userinfo: bool, complain: &mut impl FnMut(&'static str, String)) {
    let own = &client.identity;
    let uri = own.sector_identifier_uri.as_deref();
    if !own.is_pairwise() {
        return;
    }
    if sector(uri, &client.redirect_uris).is_none() {
        let problem = "pairwise needs sector_identifier_uri where the redirect URIs have several hosts, or none of \
             the client's own";
        complain("subject_type", problem.into());
    }
    // These would tell what pairwise subjects hide.
    let mappings = [&client.claims_mapping, &client.id_token_claims_mapping];
    if mappings.iter().any(|mapping| mapping.values().any(|source| *source == ClaimSource::Id)) {
        complain("subject_type", "pairwise does not go with a claim from user.id".into());
    }
    if legacy_userinfo {
        complain("subject_type", "pairwise does not go with userinfo_profile=legacy_hs256".into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::check;

    fn problems(change: Value) -> Vec<&'static str> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        check(&crate::model::strict(metadata)).iter().map(|problem| problem.member).collect()
    }

    #[test]
    fn rsa1_5_and_none_have_no_name() {
        for (member, value) in [
            ("id_token_encrypted_response_alg", "RSA1_5"),
            ("userinfo_encrypted_response_alg", "RSA1_5"),
            ("userinfo_signed_response_alg", "none"),
            ("userinfo_signed_response_alg", "HS256"),
        ] {
            assert!(serde_json::from_value::<crate::model::ClientIdentity>(json!({member: value})).is_err());
        }
        // ID tokens too (OpenID Connect Core 2 leaves it to the server).
        assert!(serde_json::from_value::<crate::model::Algorithm>(json!("none")).is_err());
    }

    #[test]
    fn pairwise_needs_one_sector_and_nothing_that_undoes_it() {
        let pairwise = |change: Value| {
            let mut all = json!({"subject_type": "pairwise"});
            all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            problems(all)
        };
        assert_eq!(pairwise(json!({})), [""; 0]);
        let two = json!(["https://a.example/cb", "https://b.example/cb"]);
        assert_eq!(pairwise(json!({"redirect_uris": two})), ["subject_type"]);
        let sector = json!({"redirect_uris": two, "sector_identifier_uri": "https://a.example/uris"});
        assert_eq!(pairwise(sector), [""; 0]);
        assert_eq!(
            problems(json!({"sector_identifier_uri": "http://a.example/x"})),
            ["sector_identifier_uri"]
        );
        assert_eq!(pairwise(json!({"claims_mapping": {"uid": "user.id"}})), ["subject_type"]);
        assert_eq!(pairwise(json!({"id_token_claims_mapping": {"uid": "user.id"}})), ["subject_type"]);
        assert_eq!(pairwise(json!({"userinfo_profile": "legacy_hs256"})), ["subject_type"]);
    }

    #[test]
    fn the_legacy_form_of_userinfo_is_neither_signed_otherwise_nor_encrypted() {
        let legacy =
            |member: &str, value: &str| problems(json!({"userinfo_profile": "legacy_hs256", member: value}));
        assert_eq!(legacy("userinfo_signed_response_alg", "ES256"), ["userinfo_profile"]);
        assert_eq!(legacy("userinfo_encrypted_response_alg", "dir"), ["userinfo_profile"]);
    }
}
