use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Assertion, Expected, Purpose};
use crate::model::{AssertionAlgorithm, Timestamp};

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

fn read(purpose: Purpose, header: &str, claims: &str) -> Result<Assertion, super::Refusal> {
    let jwt = format!("{}.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    Assertion::read(&jwt, purpose, &Expected { issuer: "https://id.example", endpoints: &[], now: NOW })
}

fn claims() -> Value {
    json!({"iss": "c", "sub": "c", "aud": "https://id.example", "exp": NOW.unix() + 60, "jti": "1"})
}

#[test]
fn the_same_jti_for_another_purpose_or_of_another_issuer_is_another_assertion() {
    let id = |purpose, claims: Value| read(purpose, r#"{"alg":"ES256"}"#, &claims.to_string()).unwrap().id();
    let mut other = claims();
    other["iss"] = json!("d");
    let ids = [
        id(Purpose::ClientAuthentication, claims()),
        id(Purpose::AuthorizationGrant, claims()),
        id(Purpose::ClientAuthentication, other),
    ];
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
    assert_eq!(ids[0], id(Purpose::ClientAuthentication, claims()));
}

#[test]
fn its_use_is_remembered_as_long_as_it_would_be_accepted() {
    let read = read(Purpose::ClientAuthentication, r#"{"alg":"ES256"}"#, &claims().to_string()).unwrap();
    assert_eq!(read.remembered_until(), NOW.plus(90));
}

#[test]
fn a_member_that_comes_twice_is_refused() {
    let twice = claims().to_string().replacen('{', r#"{"aud":"https://id.example","#, 1);
    assert!(read(Purpose::ClientAuthentication, r#"{"alg":"ES256"}"#, &twice).is_err());
    let header = r#"{"alg":"ES256","alg":"none"}"#;
    assert!(read(Purpose::ClientAuthentication, header, &claims().to_string()).is_err());
}

#[test]
fn every_registered_algorithm_is_read_and_none_is_not() {
    for algorithm in AssertionAlgorithm::ALL {
        let header = json!({"alg": algorithm.as_str()}).to_string();
        let found = read(Purpose::ClientAuthentication, &header, &claims().to_string()).unwrap();
        assert_eq!(found.algorithm, algorithm);
        assert_eq!(json!(algorithm), algorithm.as_str());
    }
    for name in ["none", "NONE", "hs256", "ES512", "Ed25519", ""] {
        let header = json!({"alg": name}).to_string();
        assert!(read(Purpose::ClientAuthentication, &header, &claims().to_string()).is_err(), "{name}");
    }
}
