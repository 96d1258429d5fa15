//! The command line: what clients are told of people, and what is known of people.

use serde_json::json;

use crate::cli::Place;
use crate::support::{Documents, output_of};

const CREATE: [&str; 7] =
    ["client", "create", "--name", "App", "--redirect-uri", "https://app.example/cb", "--id"];

#[test]
fn how_a_client_is_told_who_users_are_is_set_shown_and_cleared() {
    let place = Place::new();
    let set = [
        "--userinfo-signed-response-alg",
        "ES256",
        "--id-token-encrypted-response-alg",
        "A256KW",
        "--id-token-encrypted-response-enc",
        "A256GCM",
        "--subject-type",
        "pairwise",
    ];
    let created = place.json(&[&CREATE[..], &["app"], &set].concat());
    assert_eq!(created["userinfo_signed_response_alg"], "ES256");
    assert_eq!(
        (&created["id_token_encrypted_response_alg"], &created["subject_type"]),
        (&json!("A256KW"), &json!("pairwise"))
    );
    // The server encrypts with the secret, so it is one to compute with.
    assert_eq!(created["client_secret"].as_str().unwrap().len(), 64);
    let shown = place.text(&["client", "show", "app"]);
    assert!(shown.contains("A256KW, A256GCM") && shown.contains("pairwise"), "{shown}");
    let clear = [
        "--userinfo-signed-response-alg",
        "",
        "--id-token-encrypted-response-alg",
        "",
        "--id-token-encrypted-response-enc",
        "",
        "--subject-type",
        "",
    ];
    let cleared = place.json(&[&["client", "update", "app"], &clear[..]].concat());
    for member in ["userinfo_signed_response_alg", "id_token_encrypted_response_alg", "subject_type"] {
        assert_eq!(cleared.get(member), None);
    }
    for (flag, value) in [
        ("--id-token-alg", "none"),
        ("--userinfo-signed-response-alg", "none"),
        ("--userinfo-encrypted-response-alg", "RSA1_5"),
    ] {
        assert_eq!(
            place.run(&["client", "update", "app", flag, value]).status.code(),
            Some(2),
            "{flag} {value}"
        );
    }
    let refusal = place.refusal(&["client", "update", "app", "--userinfo-encrypted-response-alg", "ECDH-ES"]);
    assert!(refusal.contains("jwks"), "{refusal}");
}

#[test]
fn how_authorization_responses_are_protected_is_set_shown_and_cleared() {
    let place = Place::new();
    let (alg, enc) = ("--authorization-encrypted-response-alg", "--authorization-encrypted-response-enc");
    let set = ["--authorization-signed-response-alg", "ES256", alg, "dir", enc, "A256GCM"];
    let created = place.json(&[&CREATE[..], &["app"], &set].concat());
    assert_eq!(created["authorization_encrypted_response_alg"], "dir");
    assert_eq!(created["authorization_encrypted_response_enc"], "A256GCM");
    assert_eq!(created["client_secret"].as_str().unwrap().len(), 64);
    let shown = place.text(&["client", "show", "app"]);
    assert!(shown.contains("ES256; encrypted dir, A256GCM"), "{shown}");
    let refusal = place.refusal(&["client", "update", "app", alg, "RSA-OAEP"]);
    assert!(refusal.contains("jwks"), "{refusal}");
    let cleared = place.json(&["client", "update", "app", alg, "", enc, ""]);
    assert_eq!(cleared.get("authorization_encrypted_response_alg"), None);
}

#[test]
fn how_request_objects_are_encrypted_is_set_shown_and_cleared() {
    let place = Place::new();
    let (alg, enc) = ("--request-object-encryption-alg", "--request-object-encryption-enc");
    let set = [alg, "ECDH-ES", enc, "A128GCM", "--jwks-uri", "https://app.example/jwks"];
    let created = place.json(&[&CREATE[..], &["app"], &set].concat());
    assert_eq!(created["request_object_encryption_alg"], "ECDH-ES");
    assert_eq!(created["request_object_encryption_enc"], "A128GCM");
    let shown = place.text(&["client", "show", "app"]);
    assert!(shown.contains("encrypted ECDH-ES, A128GCM"), "{shown}");
    let refusal = place.refusal(&["client", "update", "app", alg, "RSA-OAEP"]);
    assert!(refusal.contains("ECDH-ES+A128KW"), "{refusal}");
    let cleared = place.json(&["client", "update", "app", alg, "", enc, ""]);
    assert_eq!(cleared.get("request_object_encryption_alg"), None);
}

/// oidcc-registration-sector-uri, oidcc-registration-sector-bad
#[tokio::test(flavor = "multi_thread")]
async fn a_sector_counts_only_if_its_list_names_every_redirect_uri() {
    let place = Place::new();
    let documents = Documents::serve(&json!(["https://app.example/cb", "https://other.example/cb"])).await;
    let run = |line: &[&str]| {
        let mut command = place.command(&[line, &["--json"]].concat());
        let output = output_of(command.env("CHANCERY_OUTBOUND__ALLOW_PRIVATE", "true"));
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let sector = ["--subject-type", "pairwise", "--sector-identifier-uri", &documents.url];
    let (fine, said) = run(&[&CREATE[..], &["app"], &sector].concat());
    assert!(fine, "{said}");
    let (fine, said) = run(&["client", "update", "app", "--redirect-uri", "https://evil.example/cb"]);
    assert!(!fine && said.contains("lacks the redirect URI https://evil.example/cb"), "{said}");
    let asked = documents.requests();
    assert!(run(&["client", "update", "app", "--name", "Another name"]).0);
    assert_eq!(documents.requests(), asked, "nothing of the sector changed");
    for broken in [json!({"redirect_uris": []}), json!(["https://other.example/cb"]), json!([1])] {
        documents.publish(&broken, "");
        let (fine, said) = run(&[&CREATE[..], &["bad"], &sector].concat());
        assert!(!fine && said.contains("sector_identifier_uri"), "{broken}: {said}");
    }
    documents.answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert!(!run(&[&CREATE[..], &["bad"], &sector].concat()).0);
}

#[test]
fn the_claims_of_a_user_are_set_when_they_are_created_and_later() {
    let place = Place::new();
    let create =
        ["user", "create", "--username", "ada", "--generate-password", "--claim", "birthdate=1815-12-10"];
    let created =
        place.json(&[&create[..], &["--claim", "address.country=UK", "--claim", "name#fr=Ada"]].concat());
    assert_eq!(
        (&created["birthdate"], &created["address"]),
        (&json!("1815-12-10"), &json!({"country": "UK"}))
    );
    assert_eq!((&created["name#fr"], created.get("localized")), (&json!("Ada"), None));
    let set = ["user", "set-claims", "ada", "--claim", "birthdate=", "--claim", "zoneinfo=Europe/London"];
    let changed = place.json(&set);
    assert_eq!((changed.get("birthdate"), &changed["zoneinfo"]), (None, &json!("Europe/London")));
    assert_eq!(changed["name#fr"], "Ada");
    assert!(place.text(&["user", "show", "ada"]).contains("zoneinfo=Europe/London"));
    let refusal = place.refusal(&["user", "set-claims", "ada", "--claim", "sub=x", "--claim", "gender#fr=x"]);
    assert!(refusal.contains("sub") && refusal.contains("gender"), "{refusal}");
    place.refusal(&["user", "set-claims", "nobody", "--claim", "name=x"]);
}
