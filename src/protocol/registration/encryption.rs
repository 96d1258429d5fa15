//! What a client registers to have its answers encrypted (OpenID Connect Registration 2, JARM 3).

use crate::crypto::jwks::KeySet;
use crate::model::{Client, ContentEncryption, KeyManagement};

/// Every problem of a pair of members about one kind of answer.
pub(super) fn check(
    client: &Client,
    (alg_member, alg): (&'static str, Option<KeyManagement>),
    (enc_member, enc): (&'static str, Option<ContentEncryption>),
    complain: &mut impl FnMut(&'static str, String),
) {
    let Some(alg) = alg else {
        // OpenID Connect Registration 2: the alg MUST also be provided.
        if enc.is_some() {
            complain(enc_member, format!("it needs {alg_member} beside it"));
        }
        return;
    };
    if alg.is_symmetric() {
        if !client.token_endpoint_auth_method.has_secret() {
            complain(alg_member, format!("{alg} is for clients with a secret"));
        }
        return;
    }
    // A set that cannot be read at all has been complained about.
    let inline = client.jwks().and_then(|jwks| KeySet::read(jwks).ok());
    match inline {
        Some(keys) if keys.encryption_key(alg).is_none() => {
            complain(alg_member, format!("jwks holds no key that one can encrypt to with {alg}"));
        }
        None if client.keys.is_none() => {
            complain(alg_member, format!("{alg} needs jwks or jwks_uri"));
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::check;

    const EC: &str = r#"{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

    fn problems(change: Value) -> Vec<&'static str> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        check(&crate::model::strict(metadata)).iter().map(|problem| problem.member).collect()
    }

    fn ec() -> Value {
        json!({"keys": [serde_json::from_str::<Value>(EC).unwrap()]})
    }

    #[test]
    fn encryption_needs_a_key_that_goes_with_it() {
        for what in ["id_token", "userinfo", "authorization"] {
            let alg = format!("{what}_encrypted_response_alg");
            let enc = format!("{what}_encrypted_response_enc");
            let fine = [
                json!({&alg: "ECDH-ES", "jwks": ec()}),
                json!({&alg: "RSA-OAEP", "jwks_uri": "https://app.example/jwks", &enc: "A256GCM"}),
                json!({&alg: "dir", &enc: "A128GCM"}),
            ];
            for fine in fine {
                assert_eq!(problems(fine.clone()), [""; 0], "{fine}");
            }
            assert_eq!(problems(json!({&enc: "A256GCM"})), [enc.as_str()]);
            for wrong in [
                json!({&alg: "ECDH-ES"}),
                json!({&alg: "RSA-OAEP-256", "jwks": ec()}),
                json!({&alg: "A256KW", "token_endpoint_auth_method": "none"}),
            ] {
                assert_eq!(problems(wrong.clone()), [alg.as_str()], "{wrong}");
            }
        }
    }
}
