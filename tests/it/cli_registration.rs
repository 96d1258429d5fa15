//! The command line: who may register clients, who vouches for software, and what is seen of clients that came so.

use std::fs;

use serde_json::{Value, json};

use crate::cli::Place;

#[test]
fn a_registration_token_is_made_listed_and_deleted() {
    let place = Place::new();
    assert!(place.text(&["registration-token", "list"]).contains("there is no token"));
    let made = place.json(&["registration-token", "create", "--name", "Partner"]);
    assert!(made["token"].as_str().unwrap().starts_with("cy_ia_"), "{made}");
    assert_eq!(made["uses_left"], 1);
    let week = made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap();
    assert_eq!(week, 7 * 86_400);
    let any = ["registration-token", "create", "--name", "CI", "--uses", "-1", "--lifetime", "-1"];
    let text = place.text(&any);
    assert!(
        text.contains("any number") && text.contains("never") && text.contains("shown this once"),
        "{text}"
    );
    let listed = place.json(&["registration-token", "list"]);
    let partner = listed.as_array().unwrap().iter().find(|token| token["name"] == "Partner").unwrap();
    assert_eq!((&partner["id"], &partner["token"]), (&made["id"], &Value::Null));
    assert!(!place.text(&["registration-token", "list"]).contains("cy_ia_"));
    let id = made["id"].as_str().unwrap();
    assert_eq!(place.json(&["registration-token", "delete", id])["deleted"], true);
    assert!(place.refusal(&["registration-token", "delete", id]).contains("there is no token"));
    for wrong in [["--uses", "0"], ["--lifetime", "0"]] {
        let line = [&["registration-token", "create", "--name", "x"][..], &wrong].concat();
        assert!(place.refusal(&line).contains("not 0"));
    }
}

#[test]
fn an_issuer_is_trusted_for_one_thing_at_a_time() {
    let place = Place::new();
    let keys = place.0.join("keys.json");
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    fs::write(&keys, jwks.to_string()).unwrap();
    let software = ["--for", "software-statements"];
    let add = ["issuer", "add", "--issuer", "https://vouch.example", "--jwks", keys.to_str().unwrap()];
    let added = place.json(&[&add[..], &software].concat());
    assert_eq!((&added["issuer"], &added["subject_claim"]), (&json!("https://vouch.example"), &Value::Null));
    assert!(place.refusal(&[&add[..], &software].concat()).contains("already"));
    assert_eq!(place.json(&["issuer", "list"]), json!([]));
    assert_eq!(place.json(&[&["issuer", "list"][..], &software].concat()), json!([added]));
    let remove = ["issuer", "remove", "--issuer", "https://vouch.example"];
    assert!(place.refusal(&remove).contains("is not trusted with assertions"));
    assert!(place.text(&[&remove[..], &software].concat()).contains("trusted no more"));
}

#[test]
fn what_a_client_says_of_its_software_is_set_and_cleared() {
    let place = Place::new();
    let uri = ["--redirect-uri", "http://127.0.0.1/cb"];
    let about = ["--contact", "ops@app.example", "--software-id", "acme", "--software-version", "2"];
    let create = ["client", "create", "--name", "App", "--id", "app", "--application-type"];
    let refusal = place.refusal(&[&create[..], &["web"], &uri, &about].concat());
    assert!(refusal.contains("redirect_uris: "), "{refusal}");
    let created = place.json(&[&create[..], &["native"], &uri, &about].concat());
    assert_eq!((&created["application_type"], &created["software_id"]), (&json!("native"), &json!("acme")));
    assert_eq!(created["contacts"], json!(["ops@app.example"]));
    let shown = place.text(&["client", "show", "app"]);
    assert!(shown.contains("acme 2") && shown.contains("ops@app.example"), "{shown}");
    assert!(place.text(&["client", "list"]).contains("operator"));
    let clear = ["--contact", "", "--software-id", "", "--application-type", ""];
    let cleared = place.json(&[&["client", "update", "app"][..], &clear].concat());
    for member in ["contacts", "software_id", "application_type"] {
        assert_eq!(cleared[member], Value::Null, "{member}");
    }
}
