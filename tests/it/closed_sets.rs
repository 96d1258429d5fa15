//! Closed sets of names are listed once: nothing repeats the list, docs/names.md holds what is in it, and a new grant type
//! touches no more files than CONTRIBUTING says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chancery::model::{
    Algorithm, ApplicationType, AssertionAlgorithm, AuthMethod, ClosedSet, ContentEncryption, ErrorCode,
    GrantType, IntrospectionPolicy, KeyManagement, PkcePolicy, Prompt, ResponseMode, ResponseType,
    ScopeStrategy, SubjectClaim, SubjectType, TokenExchangePolicy, TokenFormat, Ui,
};

use crate::architecture::{assert_none, files, without_tests};

/// Where a registered name stands in a text of the code beside its list, and why.
const OTHER_THINGS: [(&str, &str); 3] = [
    ("demo/client.rs", "an application of its own, which knows the server over HTTP only"),
    ("grants/refresh_token.rs", "the parameter refresh_token, which has the grant type's name"),
    ("observe/events.rs", "what was used twice, not how it was asked for"),
];

/// Files that say something about every grant type, where a new one has to be looked at.
const ABOUT_EVERY_GRANT_TYPE: [&str; 2] = ["grants/mod.rs", "protocol/registration.rs"];

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The files of the crate without their tests.
fn code() -> Vec<(String, String)> {
    files().into_iter().map(|(path, text)| (path, without_tests(&text))).collect()
}

fn names<T: ClosedSet>() -> Vec<&'static str> {
    T::MEMBERS.iter().map(|member| member.name()).collect()
}

/// Names that mean nothing else in a text of the code.
fn telling_names() -> BTreeSet<&'static str> {
    let all = [
        names::<GrantType>(),
        names::<AuthMethod>(),
        names::<Algorithm>(),
        names::<AssertionAlgorithm>(),
        names::<KeyManagement>(),
        names::<ContentEncryption>(),
    ];
    all.into_iter().flatten().filter(|name| !["none", "dir", "password"].contains(name)).collect()
}

/// The files in which one of these stands as a whole text, with the texts.
fn quoting<'n>(names: &BTreeSet<&'n str>, code: &[(String, String)]) -> BTreeMap<String, Vec<&'n str>> {
    let quoted = |code: &str| -> Vec<&'n str> {
        names.iter().copied().filter(|name| code.contains(&format!("\"{name}\""))).collect()
    };
    let found = code.iter().map(|(path, code)| (path.clone(), quoted(code)));
    found.filter(|(_, quoted)| !quoted.is_empty()).collect()
}

#[test]
fn a_registered_name_is_written_in_its_list_and_nowhere_else() {
    let code = code();
    let lists: Vec<&str> = code
        .iter()
        .filter(|(path, code)| path.starts_with("model/") && code.contains("closed_set! {"))
        .map(|(path, _)| path.as_str())
        .collect();
    let found = quoting(&telling_names(), &code);
    let excused = |path: &String| OTHER_THINGS.iter().any(|(other, _)| other == path);
    let repeated = found.iter().filter(|(path, _)| !lists.contains(&path.as_str()) && !excused(path));
    let problems: Vec<String> = repeated
        .map(|(path, names)| format!("src/{path}: {names:?}: take the name from its list in src/model"))
        .collect();
    assert_none(&problems);
    for (path, _) in OTHER_THINGS {
        assert!(found.contains_key(path), "src/{path} needs no excuse: take it from OTHER_THINGS");
    }
    assert!(found.contains_key("model/client.rs"), "the rule finds nothing");
}

/// For each grant type the files that name it, beside the list.
fn naming(code: &[(String, String)]) -> BTreeMap<String, BTreeSet<&str>> {
    let in_word = |next: char| next.is_alphanumeric() || next == '_';
    let names = |code: &str, member: &str| {
        let word = format!("GrantType::{member}");
        code.split(&word).skip(1).any(|rest| !rest.starts_with(in_word))
    };
    let of = |member: String| {
        let files =
            code.iter().filter(|(_, code)| names(code, &member)).map(|(path, _)| path.as_str()).collect();
        (member, files)
    };
    GrantType::ALL.iter().map(|member| of(format!("{member:?}"))).collect()
}

/// The files that name more than half of the grant types.
fn about_all<'c>(naming: &BTreeMap<String, BTreeSet<&'c str>>) -> Vec<&'c str> {
    let files: BTreeSet<&str> = naming.values().flatten().copied().collect();
    let often = |file: &&str| naming.values().filter(|files| files.contains(file)).count() * 2 > naming.len();
    files.into_iter().filter(often).collect()
}

/// How many files a kind of change touches, as the table in CONTRIBUTING says.
fn promised(change: &str) -> usize {
    let table = page("CONTRIBUTING.md");
    let row = table.lines().find_map(|line| line.strip_prefix(&format!("| {change} | "))).unwrap();
    row.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_new_grant_type_touches_no_more_files_than_contributing_says() {
    let (code, most) = (code(), promised("a grant type"));
    let naming = naming(&code);
    assert_eq!(
        about_all(&naming),
        ABOUT_EVERY_GRANT_TYPE,
        "a file that goes through all grant types asks GrantType::ALL, or a method beside the list in \
         src/model/client.rs whose match the compiler checks"
    );
    let list = 1;
    let mut problems = Vec::new();
    for (member, files) in &naming {
        if files.len() + list > most {
            problems.push(format!(
                "{member}: its list and {files:?}: make what they ask a method of GrantType, or write the new number into the \
                 table of CONTRIBUTING.md and say why in the commit"
            ));
        }
        assert!(!files.is_empty(), "nothing names {member}");
    }
    assert_none(&problems);
    let fullest = naming.values().map(BTreeSet::len).max().unwrap() + list;
    assert!(fullest + 1 >= most, "CONTRIBUTING.md says {most} files, {fullest} are enough: write that");
}

/// A row of docs/names.md.
fn row(what: &str, place: &str, names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("| {what} | {place} | {} |", quoted.join(", "))
}

fn table() -> Vec<String> {
    vec![
        row("grant type", "`grant_types`", &names::<GrantType>()),
        row("response type", "`response_types`", &names::<ResponseType>()),
        row("response mode", "`response_mode` of a request, beside `jwt`", &names::<ResponseMode>()),
        row("prompt", "`prompt` of a request", &names::<Prompt>()),
        row("client authentication", "`token_endpoint_auth_method`", &names::<AuthMethod>()),
        row("how a client signs", "`token_endpoint_auth_signing_alg`", &names::<AssertionAlgorithm>()),
        row("how the server signs", "`..._signed_response_alg`", &names::<Algorithm>()),
        row("encryption of a key", "`..._encrypted_response_alg`", &names::<KeyManagement>()),
        row("encryption of content", "`..._encrypted_response_enc`", &names::<ContentEncryption>()),
        row("subject type", "`subject_type`", &names::<SubjectType>()),
        row("application type", "`application_type`", &names::<ApplicationType>()),
        row("form of access tokens", "`token_format`", &names::<TokenFormat>()),
        row("how scopes cover scopes", "`scope_strategy`", &names::<ScopeStrategy>()),
        row("PKCE", "`pkce`", &names::<PkcePolicy>()),
        row("introspection", "`introspection_policy`", &names::<IntrospectionPolicy>()),
        row("token exchange", "`token_exchange_policy`", &names::<TokenExchangePolicy>()),
        row("login and consent pages", "`ui`", &names::<Ui>()),
        row("who an assertion names", "`--subject-claim` of an issuer", &names::<SubjectClaim>()),
        row("error", "`error` of an answer", &names::<ErrorCode>()),
    ]
}

#[test]
fn the_page_of_names_holds_every_member_of_every_set() {
    let page = page("docs/names.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let wanted = table();
    assert!(rows == wanted, "docs/names.md is not what the lists say; its table is\n{}", wanted.join("\n"));
}

/// The detection itself.
mod detection {
    use super::*;

    fn code(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(path, code)| ((*path).to_owned(), (*code).to_owned())).collect()
    }

    #[test]
    fn a_repeated_name_is_found_as_a_whole_text_only() {
        let code = code(&[
            ("a.rs", "match x { \"client_credentials\" => 1, \"urn:client_credentials\" => 2 }"),
            ("b.rs", "let client_credentials = \"the client_credentials grant\";"),
        ]);
        let found = quoting(&telling_names(), &code);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("a.rs".to_owned(), vec!["client_credentials"])]);
    }

    #[test]
    fn a_file_about_all_grant_types_is_told_from_one_about_some() {
        let all: Vec<String> = GrantType::ALL.iter().map(|each| format!("GrantType::{each:?}")).collect();
        let code = code(&[
            ("all.rs", &all.join(" | ")),
            ("half.rs", &all[..all.len() / 2].join(" | ")),
            ("another.rs", "GrantType::PasswordRenewal"),
        ]);
        let naming = naming(&code);
        assert_eq!(about_all(&naming), ["all.rs"]);
        assert!(!naming["Password"].contains("another.rs"));
    }
}
