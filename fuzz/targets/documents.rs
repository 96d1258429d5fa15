//! JSON documents: of clients that register themselves, from behind a `jwks_uri`, from the token hook.

use chancery::crypto::jwks::KeySet;
use chancery::model::{Algorithm, AssertionAlgorithm, ClientMetadata, GrantType, Profiles};
use chancery::protocol::registration::request::{self, Members, Terms};
use chancery::protocol::{redirect_uri, registration as rules, token_hook};
use serde_json::json;

/// RFC 7517: a set that is accepted holds a key, and verifies nothing that nobody signed.
pub fn jwks(data: &[u8]) {
    let Ok(set) = KeySet::parse(data) else { return };
    for algorithm in AssertionAlgorithm::ALL {
        for signature in ["", "AAAA", &"A".repeat(86), &"A".repeat(342)] {
            assert!(set.verify(algorithm, None, "e30.e30", signature).is_err());
        }
    }
}

/// RFC 7591: a client that is accepted keeps every rule of registration, and is the same when it is written and read.
pub fn registration(data: &[u8]) {
    let Ok(members) = request::read(data) else { return };
    let terms = Terms {
        scope: "openid profile email offline_access".parse().unwrap(),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        id_token_alg: Algorithm::RS256,
        same_host: true,
        profiles: Profiles::default(),
    };
    let mut kept = Members::new();
    kept.insert("client_id".to_owned(), json!("app"));
    kept.insert("client_id_issued_at".to_owned(), json!(1_800_000_000));
    let Ok(client) = request::client(&members, kept, &terms) else { return };
    let client = terms.profiles.resolve(client).unwrap();
    assert!(rules::check(&client).is_empty());
    assert!(client.redirect_uris.iter().all(|uri| redirect_uri::check(uri).is_ok()));
    assert!(client.scope.is_subset(&terms.scope), "{:?}", client.scope);
    let stored = serde_json::to_value(&*client).unwrap();
    let again = serde_json::from_value::<ClientMetadata>(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), stored);
    assert!(rules::document(&client).is_object());
}

/// The answer of the operator's own service.
pub fn hook(data: &[u8]) {
    for status in [200, 204, 403, 500] {
        let _ = token_hook::read(status, data);
    }
}
