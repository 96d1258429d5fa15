//! The command line: clients with keys, and trusted issuers.

use std::fs;

use serde_json::{Value, json};

use crate::cli::Place;
use crate::support::{JWT_BEARER, Signer, dear_rsa_keys, merged};

impl Place {
    /// A file of the test's own.
    fn file(&self, name: &str, content: &Value) -> String {
        let path = self.0.join(name);
        fs::write(&path, content.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

const MACHINE: [&str; 6] = ["client", "create", "--name", "M", "--grant-type", "client_credentials"];

#[test]
fn a_client_is_registered_with_its_public_keys_and_has_no_secret() {
    let (place, signer) = (Place::new(), Signer::new("ES256"));
    for (name, content) in [("set.json", signer.jwks()), ("one.json", signer.jwk())] {
        let file = place.file(name, &content);
        let keys = ["--auth-method", "private_key_jwt", "--jwks", &file, "--id", &name[..3]];
        let created = place.json(&[&MACHINE[..], &keys].concat());
        assert_eq!(created["jwks"], signer.jwks());
        assert_eq!(created["token_endpoint_auth_method"], "private_key_jwt");
        assert!(created["client_secret"].is_null());
    }
    assert!(place.refusal(&["client", "rotate-secret", "set"]).contains("has no secret"));
    let moved = place.json(&["client", "update", "set", "--jwks-uri", "https://m.example/jwks"]);
    assert_eq!((&moved["jwks"], &moved["jwks_uri"]), (&Value::Null, &json!("https://m.example/jwks")));
    let line = ["client", "update", "set", "--token-endpoint-auth-signing-alg", "PS256"];
    assert_eq!(place.json(&line)["token_endpoint_auth_signing_alg"], "PS256");
    let basic = place.json(&["client", "update", "set", "--auth-method", "client_secret_basic"]);
    assert!(basic["client_secret"].is_string() && basic["token_endpoint_auth_signing_alg"].is_null());
}

#[test]
fn keys_that_are_private_missing_or_out_of_reach_are_refused() {
    let (place, signer) = (Place::new(), Signer::new("ES256"));
    let private = place.file("private.json", &merged(signer.jwk(), &json!({"d": "AAAA"})));
    let broken = place.file("broken.json", &json!("x"));
    let dear = place.file("dear.json", &json!({"keys": [signer.jwk(), dear_rsa_keys()[3]]}));
    for (keys, complaint) in [
        (vec![], "private_key_jwt needs jwks or jwks_uri"),
        (vec!["--jwks", private.as_str()], "private member \"d\""),
        (vec!["--jwks", broken.as_str()], "not a JWK Set"),
        (vec!["--jwks", dear.as_str()], "2048 to 4096 bits with the exponent 65537"),
        (vec!["--jwks", "/no/such/file"], "No such file"),
        (vec!["--jwks-uri", "http://m.example/jwks"], "use https"),
        (vec!["--jwks-uri", "https://10.0.0.1/jwks"], "10.0.0.1 is not a public address"),
    ] {
        let line = [&MACHINE[..], &["--auth-method", "private_key_jwt"], &keys].concat();
        let refusal = place.refusal(&line);
        assert!(refusal.contains(complaint), "{keys:?}: {refusal}");
        assert!(!refusal.contains("AAAA"), "{refusal}");
    }
    let both = ["--jwks", "x", "--jwks-uri", "https://m.example/jwks"];
    assert_eq!(place.run(&[&MACHINE[..], &both].concat()).status.code(), Some(2));
    assert!(place.json(&["client", "list"]).as_array().unwrap().is_empty());
}

#[test]
fn a_secret_to_compute_with_is_long_and_is_made_when_only_a_digest_is_there() {
    let place = Place::new();
    let line = [&MACHINE[..], &["--id", "m", "--auth-method", "client_secret_jwt"]].concat();
    let first = place.json(&line)["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(first.len(), 64);
    for file in ["chancery.db", "chancery.db-wal"] {
        let bytes = fs::read(place.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(first.len()).any(|window| window == first.as_bytes()), "{file}");
    }
    // To the digest, no new secret; back, one is needed.
    let basic = place.json(&["client", "update", "m", "--auth-method", "client_secret_basic"]);
    assert!(basic["client_secret"].is_null());
    let again = place.json(&["client", "update", "m", "--auth-method", "client_secret_jwt"]);
    assert!(again["client_secret"].is_string() && again["client_secret"] != first.as_str());
    assert!(place.json(&["client", "update", "m", "--name", "N"])["client_secret"].is_null());
    assert_eq!(place.json(&["client", "rotate-secret", "m"])["client_secret"].as_str().unwrap().len(), 64);
}

#[test]
fn an_issuer_is_trusted_once_listed_and_removed() {
    let (place, signer) = (Place::new(), Signer::new("ES256"));
    let file = place.file("keys.json", &signer.jwks());
    let add = ["issuer", "add", "--issuer", "https://partner.example"];
    let added = place.json(&[&add[..], &["--jwks", &file, "--subject-claim", "email"]].concat());
    assert_eq!((&added["jwks"], &added["subject_claim"]), (&signer.jwks(), &json!("email")));
    let again = place.refusal(&[&add[..], &["--jwks", &file]].concat());
    assert!(again.contains("is trusted already"));
    let uri = ["issuer", "add", "--issuer", "other", "--jwks-uri", "https://other.example/jwks"];
    assert_eq!(place.json(&uri)["subject_claim"], "sub");
    assert_eq!(place.json(&["issuer", "list"]).as_array().unwrap().len(), 2);
    assert!(place.text(&["issuer", "list"]).contains("https://partner.example"));
    assert!(place.text(&["issuer", "remove", "--issuer", "other"]).contains("trusted no more"));
    assert!(place.refusal(&["issuer", "remove", "--issuer", "other"]).contains("is not trusted"));
}

#[test]
fn an_issuer_without_usable_keys_is_refused() {
    let (place, signer) = (Place::new(), Signer::new("ES256"));
    let private = place.file("private.json", &merged(signer.jwk(), &json!({"d": "AAAA"})));
    let keys = place.file("keys.json", &signer.jwks());
    let dear = place.file("dear.json", &json!({"keys": [signer.jwk(), dear_rsa_keys()[0]]}));
    for (line, complaint) in [
        (["--issuer", "i", "--jwks", private.as_str()], "private member"),
        (["--issuer", "i", "--jwks", dear.as_str()], "2048 to 4096 bits with the exponent 65537"),
        (["--issuer", "i", "--jwks-uri", "http://i.example/jwks"], "not an https URL"),
        (["--issuer", "i", "--jwks-uri", "https://127.0.0.1/jwks"], "not a public address"),
        (["--issuer", "http://localhost:8080", "--jwks", keys.as_str()], "this server's own tokens"),
    ] {
        let refusal = place.refusal(&[&["issuer", "add"][..], &line].concat());
        assert!(refusal.contains(complaint), "{line:?}: {refusal}");
    }
    let statements =
        ["issuer", "add", "--issuer", "i", "--for", "software-statements", "--jwks", dear.as_str()];
    assert!(place.refusal(&statements).contains("2048 to 4096 bits"));
    assert_eq!(place.run(&["issuer", "add", "--issuer", "i"]).status.code(), Some(2));
}

#[test]
fn what_a_client_may_exchange_is_set_shown_and_cleared() {
    let place = Place::new();
    let create = ["client", "create", "--name", "B", "--id", "b", "--grant-type", "token-exchange"];
    let members = ["--token-exchange-policy", "any", "--token-exchange-client", "web", "--may-act", "c"];
    let created = place.json(&[&create[..], &members].concat());
    assert_eq!(created["grant_types"], json!([crate::token_exchange::TOKEN_EXCHANGE]));
    assert_eq!(
        (&created["token_exchange_policy"], &created["token_exchange_clients"], &created["may_act"]),
        (&json!("any"), &json!(["web"]), &json!("c"))
    );
    let shown = place.text(&["client", "show", "b"]);
    assert!(
        shown.contains("any, tokens of web") && shown.contains("impersonation by token exchange"),
        "{shown}"
    );
    let clear = ["client", "update", "b", "--token-exchange-client", "", "--may-act", ""];
    let cleared = place.json(&clear);
    assert!(cleared.get("token_exchange_clients").is_none() && cleared.get("may_act").is_none());
    let every = ["client", "update", "b", "--token-exchange-client", "*"];
    assert!(place.refusal(&every).contains("first_party"));
    place.text(&[&every[..], &["--first-party"]].concat());
}

#[test]
fn the_jwt_bearer_grant_is_named_in_full_or_short() {
    let place = Place::new();
    for name in [JWT_BEARER, "jwt-bearer"] {
        let created = place.json(&["client", "create", "--name", "B", "--grant-type", name]);
        assert_eq!(created["grant_types"], json!([JWT_BEARER]));
        assert!(
            place
                .text(&["client", "show", "--", created["client_id"].as_str().unwrap()])
                .contains(JWT_BEARER)
        );
    }
}

#[test]
fn a_logout_uri_that_cannot_be_reached_is_refused() {
    let place = Place::new();
    place.json(&[&MACHINE[..], &["--id", "m"]].concat());
    for (uri, complaint) in [
        ("http://m.example/logout", "use https"),
        ("https://m.example/logout#x", "fragment"),
        ("/logout", "not an absolute URI"),
        ("com.example.m:/logout", "use an https URI"),
        ("https://10.0.0.1/logout", "10.0.0.1 is not a public address"),
        ("https://127.0.0.1/logout", "127.0.0.1 is not a public address"),
    ] {
        let refusal = place.refusal(&["client", "update", "m", "--backchannel-logout-uri", uri]);
        assert!(refusal.contains("backchannel_logout_uri") && refusal.contains(complaint), "{refusal}");
    }
    let refusal = place.refusal(&["client", "update", "m", "--backchannel-logout-session-required"]);
    assert!(refusal.contains("backchannel_logout_session_required: it goes with"), "{refusal}");
    let uri = ["--backchannel-logout-uri", "https://m.example/logout?a=b"];
    let required = ["--backchannel-logout-session-required"];
    let set = place.json(&[&["client", "update", "m"], &uri[..], &required].concat());
    assert_eq!(set["backchannel_logout_uri"], uri[1]);
    assert_eq!(set["backchannel_logout_session_required"], true);
    let cleared = place.json(&["client", "update", "m", "--backchannel-logout-uri", ""]);
    assert!(cleared["backchannel_logout_uri"].is_null(), "{cleared}");
    assert!(cleared["backchannel_logout_session_required"].is_null(), "{cleared}");
    let page = ["--frontchannel-logout-uri", "https://m.example/out"];
    let refusal = place.refusal(&[&["client", "update", "m"], &page[..]].concat());
    assert!(
        refusal.contains("frontchannel_logout_uri: use scheme, host and port of a redirect URI"),
        "{refusal}"
    );
    let set = place
        .json(&[&["client", "update", "m", "--redirect-uri", "https://m.example/cb"], &page[..]].concat());
    assert_eq!(set["frontchannel_logout_uri"], page[1]);
}
