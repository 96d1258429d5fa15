//! The command line: names and URIs that are refused, and what a terminal is shown of those that are not.

use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::cli::Place;

/// Changes what is registered, past the rules, as it was before there were any.
fn change(place: &Place, statement: &'static str) {
    let url = format!("sqlite:{}", place.data().join("chancery.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        assert_eq!(connection.execute(statement).await.unwrap().rows_affected(), 1);
    });
}

#[test]
fn wildcards_and_uris_that_browsers_write_otherwise_are_refused_with_the_reason() {
    let place = Place::new();
    for (uri, why) in [
        ("https://*.example.com/cb", "there are no wildcards"),
        ("https://app.example.com/*", "there are no wildcards"),
        ("HTTPS://App.Example.com/cb", "write it as https://app.example.com/cb"),
        ("https://app.example.com:443/cb", "write it as https://app.example.com/cb"),
        ("https:app.example.com/cb", "write it as https://app.example.com/cb"),
    ] {
        let complaint = place.refusal(&["client", "create", "--name", "W", "--redirect-uri", uri]);
        assert!(complaint.contains(why) && complaint.contains("redirect_uris"), "{complaint}");
    }
}

#[test]
fn names_that_nobody_can_read_are_refused_everywhere() {
    let place = Place::new();
    for name in ["A\u{202e}B", "\u{200b}", "\u{3164}"] {
        for line in [
            &["client", "create", "--redirect-uri", "https://a.example/cb", "--name", name][..],
            &["resource", "create", "https://api.example", "--name", name],
            &["scope", "create", "read", "--description", &format!("en={name}")],
            &["registration-token", "create", "--name", name],
            &["user", "create", "--generate-password", "--username", name],
            &["user", "create", "--generate-password", "--username", "ann", "--name", name],
            &["user", "create", "--generate-password", "--username", "ann", "--group", name],
            &[
                "user",
                "create",
                "--generate-password",
                "--username",
                "ann",
                "--claim",
                &format!("nickname={name}"),
            ],
        ] {
            let complaint = place.refusal(line);
            assert!(!complaint.contains(['\u{202e}', '\u{200b}', '\u{3164}']), "{line:?} {complaint}");
        }
    }
}

#[test]
fn the_operator_may_call_a_client_what_it_is_called_and_is_warned() {
    let place = Place::new();
    let create =
        ["client", "create", "--redirect-uri", "https://a.example/cb", "--json", "--id", "a", "--name"];
    let output = place.run(&[&create[..], &["Gооgle"]].concat());
    assert!(output.status.success());
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        warning.starts_with("chancery: warning: client_name: a word in it is of several scripts"),
        "{warning}"
    );
    assert!(String::from_utf8(output.stdout).unwrap().contains("Gооgle"), "JSON is exact");
    // Not when something else is changed.
    place.text(&["client", "update", "a", "--pkce", "required"]);
}

#[test]
fn what_was_registered_before_its_rule_stays_until_it_is_changed_itself() {
    let place = Place::new();
    place.json(&["client", "create", "--name", "Old", "--id", "a", "--redirect-uri", "https://a.example/cb"]);
    change(
        &place,
        "UPDATE clients SET metadata = replace(replace(metadata, 'https://a.example/cb', 'https://A.example:443/cb'), '\"Old\"', '\"O\u{202e}ld\"')",
    );
    let changed = place.json(&["client", "update", "a", "--pkce", "optional"]);
    assert_eq!(changed["redirect_uris"], json!(["https://A.example:443/cb"]));
    assert_eq!(changed["client_name"], "O\u{202e}ld", "JSON is exact");
    let other = ["client", "update", "a", "--redirect-uri", "https://a.example:443/cb"];
    assert!(place.refusal(&other).contains("https://a.example/cb"));
    for line in [&["client", "list"][..], &["client", "show", "a"], &["client", "delete", "a"]] {
        let shown = place.text(line);
        assert!(!shown.contains('\u{202e}') && shown.contains("O\\u{202e}ld"), "{shown}");
    }
}

#[test]
fn a_user_is_made_in_the_one_form_of_their_name() {
    let place = Place::new();
    let create = ["user", "create", "--generate-password", "--username"];
    let made = place.json(&[&create[..], &["Jo\u{308}rg"]].concat());
    assert_eq!(made["username"], "Jörg");
    for same in ["jörg", "JO\u{308}RG", "ｊörg"] {
        assert_eq!(place.json(&["user", "show", same])["id"], made["id"], "{same}");
        assert!(place.refusal(&[&create[..], &[same]].concat()).contains("belongs to somebody already"));
    }
    for (wrong, why) in [("a b", "U+0020"), ("ann＠mail.example", "an @ is for"), ("אa", "both directions")]
    {
        assert!(place.refusal(&[&create[..], &[wrong]].concat()).contains(why));
    }
}

#[test]
fn a_complaint_does_not_speak_to_the_terminal() {
    let place = Place::new();
    for line in [&["client", "show", "a\u{1b}[31m\u{202e}"][..], &["user", "show", "a\u{1b}[31m\u{202e}"]] {
        let complaint = place.refusal(line);
        assert!(
            !complaint.contains(['\u{1b}', '\u{202e}']) && complaint.contains("\\u{1b}[31m"),
            "{complaint}"
        );
    }
}
