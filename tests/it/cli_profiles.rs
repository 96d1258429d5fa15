//! Profiles and switches of clients on the command line.

use std::fs;

use serde_json::{Value, json};

use crate::cli::Place;
use crate::support::output_of;

#[test]
fn pr_02_an_administrator_registers_a_client_with_its_grant_types_and_gets_id_and_secret() {
    let place = Place::new();
    let line = [
        "client",
        "create",
        "--name",
        "Primer",
        "--profile",
        "primer",
        "--id",
        "primer",
        "--scope",
        "read email",
        "--grant-type",
        "authorization_code",
        "--redirect-uri",
        "https://app.example/cb",
    ];
    let created = place.json(&line);
    assert_eq!((&created["client_id"], &created["profile"]), (&json!("primer"), &json!("primer")));
    assert_eq!(created["client_secret"].as_str().unwrap().len(), 64);
    assert!(created.get("pkce").is_none(), "what the profile presets is not written: {created}");
    // The copy that it needs is sealed: the secret itself is nowhere.
    let secret = created["client_secret"].as_str().unwrap();
    for file in ["chancery.db", "chancery.db-wal"] {
        let bytes = fs::read(place.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn aq_12_clients_are_added_on_the_command_line() {
    let place = Place::new();
    let line = [
        "client",
        "create",
        "--name",
        "Phone",
        "--profile",
        "aqueduct",
        "--id",
        "com.app.ios",
        "--auth-method",
        "none",
        "--first-party",
        "--grant-type",
        "password",
        "--grant-type",
        "refresh_token",
        "--scope",
        "read",
    ];
    assert!(place.refusal(&line).contains("grants.password"));
    let mut create = place.command(&line);
    let created = output_of(create.arg("--json").env("CHANCERY_GRANTS__PASSWORD", "true"));
    let created: Value = serde_json::from_slice(&created.stdout).unwrap();
    assert_eq!((&created["client_id"], &created["first_party"]), (&json!("com.app.ios"), &json!(true)));
    assert_eq!(created["grant_types"], json!(["password", "refresh_token"]));
}

#[test]
fn every_switch_is_a_flag_and_an_empty_text_goes_back_to_the_preset() {
    let place = Place::new();
    place.json(&[
        "client",
        "create",
        "--name",
        "App",
        "--id",
        "app",
        "--redirect-uri",
        "https://app.example/cb",
    ]);
    assert!(!place.text(&["client", "list"]).contains("PKCE optional"));
    let changed = place.json(&[
        "client",
        "update",
        "app",
        "--profile",
        "ilert",
        "--refresh-policy",
        "always",
        "--rotation",
        "reuse",
        "--refresh-authentication",
        "optional",
        "--refresh-interval",
        "60",
        "--max-refresh-grants",
        "5",
        "--token-response-alias",
        "scopes",
        "--token-response-alias",
        "bearer",
        "--status-profile",
        "standard",
        "--consent-policy",
        "always",
        "--state",
        "required",
        "--token-redirect-uri",
        "required",
        "--authorization-scheme",
        "optional",
        "--assertion-audience",
        "issuer_or_token_endpoint",
        "--userinfo-profile",
        "standard",
    ]);
    for (member, value) in [
        ("profile", json!("ilert")),
        ("refresh_policy", json!("always")),
        ("rotation", json!("reuse")),
        ("refresh_authentication", json!("optional")),
        ("refresh_interval", json!(60)),
        ("max_refresh_grants", json!(5)),
        ("token_response_aliases", json!(["scopes", "bearer"])),
        ("status_profile", json!("standard")),
        ("consent_policy", json!("always")),
        ("state", json!("required")),
        ("token_redirect_uri", json!("required")),
        ("authorization_scheme", json!("optional")),
        ("assertion_audience", json!("issuer_or_token_endpoint")),
        ("userinfo_profile", json!("standard")),
    ] {
        assert_eq!(changed[member], value, "{member}");
    }
    let list = place.text(&["client", "list"]);
    for weaker in
        ["WEAKENS", "ilert: ", "PKCE optional", "refresh token reused", "refresh without the secret"]
    {
        assert!(list.contains(weaker), "{weaker}: {list}");
    }
    let changed = place.json(&["client", "update", "app", "--profile", "", "--rotation", ""]);
    assert!(changed.get("profile").is_none() && changed.get("rotation").is_none(), "{changed}");
    assert!(place.refusal(&["client", "update", "app", "--skip-consent"]).contains("first_party"));
    place.json(&["client", "update", "app", "--skip-consent", "--first-party"]);
}

#[test]
fn an_operators_profile_is_a_file_and_a_client_of_one_that_is_gone_can_be_repaired() {
    let place = Place::new();
    let profiles = place.0.join("profiles");
    fs::create_dir(&profiles).unwrap();
    fs::write(profiles.join("acme.toml"), "pkce = \"optional\"\n").unwrap();
    let line = [
        "client",
        "create",
        "--name",
        "App",
        "--id",
        "app",
        "--redirect-uri",
        "https://app.example/cb",
        "--profile",
    ];
    let refused = place.refusal(&[&line[..], &["acme"]].concat());
    assert!(refused.contains("profile: \"acme\" is not a profile: there are default, "), "{refused}");
    let with_profiles = |line: &[&str]| {
        let mut command = place.command(line);
        let output = output_of(command.env("CHANCERY_CLIENTS__PROFILES_DIRECTORY", &profiles));
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (created, shown) = with_profiles(&[&line[..], &["acme"]].concat());
    assert!(created && shown.contains("acme") && shown.contains("PKCE optional"), "{shown}");
    assert!(with_profiles(&["client", "list"]).1.contains("acme: PKCE optional"));

    for line in [&["client", "list"][..], &["client", "show", "app"]] {
        let told = place.text(line);
        assert!(told.contains("is not served: \"acme\" is not a profile"), "{told}");
    }
    assert_eq!(place.json(&["client", "show", "app"])["profile"], "acme");
    assert_eq!(place.json(&["client", "update", "app", "--profile", ""]).get("profile"), None);
    assert!(!place.text(&["client", "list"]).contains("is not served"));

    fs::write(profiles.join("acme.toml"), "pkce = \"maybe\"\n").unwrap();
    let (valid, told) = with_profiles(&["check-config"]);
    assert!(
        !valid && told.contains("clients.profiles_directory: acme.toml: line 1: unknown variant `maybe`"),
        "{told}"
    );
}

#[test]
fn a_client_whose_secret_the_server_has_to_know_gets_a_new_one() {
    let place = Place::new();
    let created = place.json(&[
        "client",
        "create",
        "--name",
        "App",
        "--id",
        "app",
        "--redirect-uri",
        "https://app.example/cb",
    ]);
    let update = |profile: &str| place.json(&["client", "update", "app", "--profile", profile]);
    let changed = update("primer");
    assert!(changed["client_secret"].is_string() && changed["client_secret"] != created["client_secret"]);
    assert!(update("primer")["client_secret"].is_null(), "it is known now");
    assert!(update("default")["client_secret"].is_null());
    assert!(update("primer")["client_secret"].is_string(), "the copy was thrown away when nothing needed it");
}

#[test]
fn an_empty_text_goes_back_to_what_the_profile_presets() {
    let place = Place::new();
    let created =
        place.json(&["client", "create", "--name", "A", "--redirect-uri", "https://app.example/cb"]);
    let id = created["client_id"].as_str().unwrap();
    let update = |flag: &str, value: &str| {
        place.json(&["client", "update", id, &format!("--{}={value}", flag.replace('_', "-"))])
    };
    for (member, value) in [
        ("pkce", "optional"),
        ("introspection_policy", "any"),
        ("token_format", "opaque"),
        ("scope_strategy", "wildcard"),
        ("ui", "own"),
        ("access_token_lifetime", "60"),
        ("authorization_code_lifetime", "60"),
        ("refresh_token_lifetime", "-1"),
        ("refresh_token_idle_lifetime", "60"),
        ("refresh_interval", "60"),
        ("max_refresh_grants", "3"),
        ("rotation", "reuse"),
        ("status_profile", "userinfo_403"),
    ] {
        let set = update(member, value);
        assert_eq!(set[member].to_string().trim_matches('"'), value, "{member}");
        assert_eq!(update(member, "").get(member), None, "{member}");
    }
    for (flag, member) in [
        ("id-token-alg", "id_token_signed_response_alg"),
        ("access-token-alg", "access_token_signed_response_alg"),
        ("introspection-alg", "introspection_signed_response_alg"),
    ] {
        assert_eq!(update(flag, "EdDSA")[member], "EdDSA");
        assert_eq!(update(flag, "").get(member), None, "{member}");
    }
}
