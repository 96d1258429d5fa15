//! The command line: resources, scopes, and what a client's tokens are for and hold.

use serde_json::{Value, json};

use crate::cli::Place;

#[test]
fn a_resource_is_created_shown_listed_changed_and_deleted() {
    let place = Place::new();
    let uri = "https://api.example";
    let create = ["resource", "create", uri, "--name", "My API", "--scope", "a:read a:write"];
    let created = place.json(&[&create[..], &["--token-format", "opaque"]].concat());
    assert_eq!((&created["resource"], &created["resource_name"]), (&json!(uri), &json!("My API")));
    assert_eq!((&created["scope"], &created["token_format"]), (&json!("a:read a:write"), &json!("opaque")));
    assert!(place.refusal(&create).contains("already"));
    let update = ["resource", "update", uri, "--access-token-lifetime", "60", "--access-token-alg", "ES256"];
    let updated = place.json(&update);
    assert_eq!((&updated["access_token_lifetime"], &updated["token_format"]), (&json!(60), &json!("opaque")));
    assert_eq!(place.json(&["resource", "show", uri]), updated);
    assert_eq!(place.json(&["resource", "list"]), json!([updated]));
    assert!(place.text(&["resource", "list"]).contains("My API"));
    assert!(place.text(&["resource", "show", uri]).contains("60 s"));
    assert_eq!(place.json(&["resource", "update", uri, "--scope", ""])["scope"], "");

    let refusal = place.refusal(&["resource", "create", "api#x", "--name", " ", "--scope", "openid"]);
    for problem in ["resource: ", "resource_name: ", "scope: "] {
        assert!(refusal.contains(problem), "{problem}: {refusal}");
    }
    assert!(place.text(&["resource", "delete", uri]).contains("deleted"));
    assert!(place.refusal(&["resource", "show", uri]).contains("there is no resource"));
    assert!(place.refusal(&["resource", "delete", uri]).contains("there is no resource"));
}

#[test]
fn a_scope_is_registered_shown_listed_changed_and_forgotten() {
    let place = Place::new();
    let create =
        ["scope", "create", "source:w", "--description", "en=Change your sources", "--implies", "source:r"];
    let created =
        place.json(&[&create[..], &["--description", "de=Ihre Quellen ändern", "--public"]].concat());
    assert_eq!((&created["scope"], &created["implies"]), (&json!("source:w"), &json!("source:r")));
    assert_eq!(created["public"], true);
    assert_eq!(created["descriptions"]["de"], "Ihre Quellen ändern");
    assert!(place.refusal(&create).contains("already"));
    let update = ["scope", "update", "source:w", "--description", "de=", "--public=false"];
    let updated = place.json(&update);
    assert_eq!(updated["descriptions"], json!({"en": "Change your sources"}));
    assert_eq!((&updated["public"], &updated["implies"]), (&json!(false), &json!("source:r")));
    assert_eq!(place.json(&["scope", "list"]), json!([updated]));
    assert!(place.text(&["scope", "show", "source:w"]).contains("en: Change your sources"));
    let refusal = place.refusal(&["scope", "create", "a", "--description", "x", "--implies", "openid"]);
    assert!(refusal.contains("LANGUAGE=TEXT") && refusal.contains("implies: "), "{refusal}");
    assert!(place.refusal(&["scope", "create", "a b"]).contains("RFC 6749 3.3"));
    assert!(place.text(&["scope", "delete", "source:w"]).contains("forgot"));
    assert!(place.refusal(&["scope", "update", "source:w"]).contains("not registered"));
}

#[test]
fn what_a_clients_tokens_are_for_and_hold_is_set_and_cleared() {
    let place = Place::new();
    let (api, claim) = ("https://api.example", "locale=user.profile.locale");
    let create = ["client", "create", "--name", "App", "--id", "app", "--grant-type", "client_credentials"];
    let more = ["--resource", api, "--resource-server", api, "--claim", claim, "--claim", "tenant=const:a=b"];
    let given =
        ["--token-format", "opaque", "--scope-strategy", "wildcard", "--id-token-claim", "uid=user.id"];
    let line = [&create[..], &more, &given].concat();
    assert!(place.refusal(&line).contains("there is no resource https://api.example"));
    place.text(&["resource", "create", api, "--name", "API"]);
    let created = place.json(&line);
    assert_eq!((&created["resources"], &created["resource_server"]), (&json!([api]), &json!(api)));
    assert_eq!(
        (&created["token_format"], &created["scope_strategy"]),
        (&json!("opaque"), &json!("wildcard"))
    );
    assert_eq!(created["claims_mapping"], json!({"locale": "user.profile.locale", "tenant": "const:a=b"}));
    assert_eq!(created["id_token_claims_mapping"], json!({"uid": "user.id"}));
    assert!(place.text(&["client", "show", "app"]).contains("tenant=const:a=b"));
    let refusal = place.refusal(&[
        "client",
        "update",
        "app",
        "--claim",
        "sub=user.id",
        "--introspection-policy",
        "any",
    ]);
    for problem in ["claims_mapping: sub", "resource_server: "] {
        assert!(refusal.contains(problem), "{problem}: {refusal}");
    }
    for claim in ["x", "x=user.password", "=user.id"] {
        assert!(place.refusal(&["client", "update", "app", "--claim", claim]).contains("claim"), "{claim}");
    }
    let clear = ["client", "update", "app", "--resource", "", "--resource-server", "", "--claim", ""];
    let cleared = place.json(&clear);
    for member in ["resources", "resource_server", "claims_mapping"] {
        assert_eq!(cleared[member], Value::Null, "{member}");
    }
}
