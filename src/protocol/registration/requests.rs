//! How a client asks: response types and modes (OAuth 2.0 Multiple Response Types), request objects (RFC 9101) and pushed requests (RFC 9126).

use super::encryption;
use crate::model::{Client, ClientRequests, GrantType, KeyManagement, RequestObjectAlgorithm};

/// Every problem of these members.
pub(super) fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    check_response_types(client, complain);
    let own = &client.requests;
    encryption::check(
        client,
        ("authorization_encrypted_response_alg", own.authorization_encrypted_response_alg),
        ("authorization_encrypted_response_enc", own.authorization_encrypted_response_enc),
        complain,
    );
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
    let has_keys = client.keys.is_some();
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
    check_encryption(own, has_keys, complain);
}

/// OpenID Connect Registration 2: what is encrypted to this server is signed first (RFC 9101 6.1).
fn check_encryption(own: &ClientRequests, has_keys: bool, complain: &mut impl FnMut(&'static str, String)) {
    let Some(alg) = own.request_object_encryption_alg else {
        if own.request_object_encryption_enc.is_some() {
            complain(
                "request_object_encryption_enc",
                "it needs request_object_encryption_alg beside it".into(),
            );
        }
        return;
    };
    if !KeyManagement::AGREEMENT.contains(&alg) {
        let names = KeyManagement::AGREEMENT.map(KeyManagement::as_str).join(", ");
        complain("request_object_encryption_alg", format!("the server's key is for {names}"));
    }
    if own.request_object_signing_alg == Some(RequestObjectAlgorithm::None) {
        let problem = "an encrypted request object is signed, so request_object_signing_alg is not none";
        complain("request_object_encryption_alg", problem.into());
    }
    if !has_keys {
        complain("request_object_encryption_alg", "it needs jwks or jwks_uri to verify with".into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    /// The members that are complained about when a client has these.
    fn problems(change: Value) -> Vec<&'static str> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut problems = Vec::new();
        super::check(&crate::model::strict(metadata), &mut |member, _| problems.push(member));
        problems
    }

    #[test]
    fn a_response_type_goes_with_its_grant_types() {
        assert_eq!(problems(json!({"response_types": ["code", "code id_token"]})), [""; 0]);
        for response_type in ["id_token", "token", "code token"] {
            assert_eq!(problems(json!({"response_types": [response_type]})), ["response_types"]);
            let both = ["authorization_code", "implicit"];
            assert_eq!(problems(json!({"response_types": [response_type], "grant_types": both})), [""; 0]);
        }
        let implicit = json!({"response_types": ["code"], "grant_types": ["implicit"]});
        assert_eq!(problems(implicit), ["response_types"]);
    }

    #[test]
    fn request_objects_need_a_key() {
        let uri = "https://app.example/jwks";
        let alg = |name: &str| json!({"request_object_signing_alg": name});
        assert_eq!(problems(alg("none")), [""; 0]);
        assert_eq!(problems(alg("ES256")), ["request_object_signing_alg"]);
        assert_eq!(problems(json!({"request_object_signing_alg": "ES256", "jwks_uri": uri})), [""; 0]);
        let contradiction = json!({"request_object_signing_alg": "none", "require_signed_request_object": true, "jwks_uri": uri});
        assert_eq!(problems(contradiction), ["request_object_signing_alg"]);
        assert_eq!(
            problems(json!({"require_signed_request_object": true})),
            ["require_signed_request_object"]
        );
    }

    #[test]
    fn an_encrypted_request_object_is_for_the_key_of_this_server_and_signed() {
        let alg = |name: &str, more: Value| {
            let mut all =
                json!({"request_object_encryption_alg": name, "jwks_uri": "https://app.example/jwks"});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            problems(all)
        };
        for name in ["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"] {
            assert_eq!(alg(name, json!({"request_object_encryption_enc": "A256GCM"})), [""; 0]);
        }
        for name in ["RSA-OAEP", "RSA-OAEP-256", "A128KW", "A256KW", "dir"] {
            assert_eq!(alg(name, json!({})), ["request_object_encryption_alg"], "{name}");
        }
        for wrong in [json!({"request_object_signing_alg": "none"}), json!({"jwks_uri": null})] {
            assert_eq!(alg("ECDH-ES", wrong), ["request_object_encryption_alg"]);
        }
        let alone = json!({"request_object_encryption_enc": "A256GCM"});
        assert_eq!(problems(alone), ["request_object_encryption_enc"]);
    }
}
