//! The shape of the code, held to by reading it: which room may name what, and how long things may get.

use std::fs;
use std::path::{Path, PathBuf};

/// Who must not mention what: crates, and rooms that stand lower and are still none of theirs (`floors.rs` has the order of
/// rooms). Words of paths, in code; comments may say what they like.
const FORBIDDEN: [(&str, &[&str]); 6] = [
    ("model", &["axum", "sqlx", "tokio"]),
    ("protocol", &["axum", "sqlx", "tokio", "observe"]),
    ("storage", &["axum", "protocol"]),
    ("grants", &["axum", "sqlx"]),
    ("observe", &["axum", "sqlx", "tokio"]),
    ("crypto", &["axum", "sqlx"]),
];
/// What only `storage/db.rs` and the files below it name.
const DRIVERS: [&str; 6] =
    ["sqlx::postgres", "sqlx::sqlite", "PgPool", "SqlitePool", "sqlx::Postgres", "sqlx::Sqlite"];
/// What only administration does, by the entry of the audit log that it leaves.
const ADMINISTERED: [&str; 21] = [
    "ClientCreated",
    "ClientRegistered",
    "ClientUpdated",
    "ClientSecretRotated",
    "ClientAccessEnded",
    "ClientDeleted",
    "UserCreated",
    "UserUpdated",
    "UserPasswordSet",
    "UserDisabled",
    "UserEnabled",
    "UserDeleted",
    "ResourceCreated",
    "ResourceUpdated",
    "ResourceDeleted",
    "ScopeCreated",
    "ScopeUpdated",
    "ScopeDeleted",
    "IssuerAdded",
    "IssuerRemoved",
    "RegistrationTokenCreated",
];
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];
const PANICS: [&str; 4] = [".unwrap()", ".expect(", "panic!(", "unreachable!("];
const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 70;

/// A source file without its tests.
struct Source {
    /// From `src`, as `storage/db.rs`.
    path: String,
    code: String,
}

/// The files of the crate that are not tests, from `src`, as they stand.
pub fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    let texts: Vec<(PathBuf, String)> =
        paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    let is_test =
        |path: &Path| tests.iter().any(|test| path == test || path.starts_with(test.with_extension("")));
    let real = texts.into_iter().filter(|(path, _)| !is_test(path));
    real.map(|(path, text)| (path.strip_prefix(&root).unwrap().display().to_string(), text)).collect()
}

fn sources() -> Vec<Source> {
    files().into_iter().map(|(path, text)| Source { path, code: without_tests(&text) }).collect()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

/// The files that a file declares as `#[cfg(test)] mod name;`, with any visibility.
fn test_files(path: &Path, text: &str) -> Vec<PathBuf> {
    let directory = if path.ends_with("mod.rs") || path.ends_with("lib.rs") {
        path.parent().unwrap().to_owned()
    } else {
        path.with_extension("")
    };
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = declared.filter_map(|pair| {
        let (visibility, name) = pair[1].split_once("mod ")?;
        let is_declaration = visibility.is_empty() || visibility.starts_with("pub");
        name.strip_suffix(';').filter(|_| is_declaration)
    });
    names.map(|name| directory.join(name).with_extension("rs")).collect()
}

/// A file without comments and without what is `#[cfg(test)]`; lines stay lines.
pub fn without_tests(text: &str) -> String {
    let mut end_of_test = None;
    let code = text.lines().map(|line| {
        let indent = &line[..line.len() - line.trim_start().len()];
        if end_of_test.is_none() && line.trim() == "#[cfg(test)]" {
            end_of_test = Some(format!("{indent}}}"));
        }
        let Some(end) = &end_of_test else { return line.split("//").next().unwrap_or_default() };
        if line == end || (line.ends_with(';') && end.len() == indent.len() + 1) {
            end_of_test = None;
        }
        ""
    });
    code.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The numbered lines that hold `word` as a whole word.
fn mentions<'c>(code: &'c str, word: &str) -> Vec<(usize, &'c str)> {
    let in_word = |character: char| character.is_alphanumeric() || character == '_';
    let holds = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + word.len()..]);
            !before.ends_with(in_word) && !after.starts_with(in_word)
        })
    };
    code.lines().enumerate().filter(|(_, line)| holds(line)).map(|(at, line)| (at + 1, line.trim())).collect()
}

/// Uses of a crate, a room or a type. A field or a URL of that name is none of them.
fn uses<'c>(code: &'c str, word: &str) -> Vec<(usize, &'c str)> {
    let is_type = word.starts_with(char::is_uppercase);
    let is_room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(word).is_dir();
    let (paths, imports) = match is_room {
        true => (format!("crate::{word}::"), ["use crate::", "super::super::"]),
        false => (format!("{word}::"), ["use ", "extern crate "]),
    };
    let is_use = |line: &str| line.contains(&paths) || imports.iter().any(|import| line.contains(import));
    mentions(code, word).into_iter().filter(|(_, line)| is_type || is_use(line)).collect()
}

/// Functions longer than allowed: the line each begins at, and how many lines it has.
fn long_functions(code: &str, most: usize) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (begin, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut words = line.trim_start().split([' ', '(']);
        let modifiers = ["pub", "const", "async", "unsafe", "extern", "crate)", "super)", "in"];
        // A method of a trait may have no body.
        if words.find(|word| !modifiers.contains(word)) != Some("fn") || line.ends_with(';') {
            continue;
        }
        // What rustfmt makes certain: the closing brace stands under the first letter.
        let end = lines[begin..].iter().position(|line| *line == format!("{indent}}}"));
        let length = end.map_or(1, |end| end + 1);
        if length > most {
            found.push((begin + 1, length));
        }
    }
    found
}

#[track_caller]
pub fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// One problem a line that `find` finds in a file that `applies`.
fn problems(
    applies: impl Fn(&str) -> bool,
    find: impl Fn(&str) -> Vec<(usize, &str)>,
    rule: &str,
) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| applies(&source.path)) {
        for (line, text) in find(&source.code) {
            problems.push(format!("src/{}:{line}: {rule}: {text}", source.path));
        }
    }
    problems
}

#[test]
fn arrows_between_rooms_run_one_way() {
    let mut all = Vec::new();
    for (room, words) in FORBIDDEN {
        let here = |path: &str| path.starts_with(&format!("{room}/"));
        assert!(sources().iter().any(|source| here(&source.path)), "there is no src/{room}/");
        for word in words {
            all.extend(problems(here, |code| uses(code, word), &format!("{room} must not know {word}")));
        }
    }
    assert_none(&all);
}

#[test]
fn only_storage_db_names_a_database_driver() {
    let below_db = |path: &str| path == "storage/db.rs" || path.starts_with("storage/db/");
    let mut all = Vec::new();
    for driver in DRIVERS {
        all.extend(problems(
            |path| !below_db(path),
            |code| mentions(code, driver),
            "only storage/db names a driver",
        ));
    }
    assert_none(&all);
    let names = |driver: &str| problems(below_db, |code| mentions(code, driver), "");
    assert!(DRIVERS[..2].iter().all(|driver| !names(driver).is_empty()), "the rule finds nothing");
}

#[test]
fn every_cache_is_built_the_one_way() {
    let elsewhere = |path: &str| path != "cache.rs";
    assert_none(&problems(elsewhere, |code| mentions(code, "moka"), "only cache.rs names moka"));
    let cache = sources().into_iter().find(|source| source.path == "cache.rs").unwrap();
    assert!(!mentions(&cache.code, "moka").is_empty(), "the rule finds nothing");
}

#[test]
fn only_issue_rs_mints_tokens() {
    let elsewhere = |path: &str| !path.starts_with("grants/issue") && !path.starts_with("keys/");
    let mints = |code: &str| {
        code.contains("ring().sign(") || code.contains("keys.sign(") || code.contains(".seal_token(")
    };
    let found: Vec<_> =
        sources().into_iter().filter(|source| mints(&source.code)).map(|source| source.path).collect();
    assert_eq!(found.iter().filter(|path| elsewhere(path)).count(), 0, "{found:?}");
    assert!(found.iter().any(|path| path == "grants/issue.rs"), "the rule finds nothing");
}

#[test]
fn only_administration_notes_what_it_does() {
    let here = |path: &str| path.starts_with("administration/");
    let elsewhere = |path: &str| !here(path) && !path.starts_with("audit/");
    let mut all = Vec::new();
    for act in ADMINISTERED {
        let event = format!("Event::{act} ");
        let is_found = |source: &Source| here(&source.path) && source.code.contains(&event);
        assert!(sources().iter().any(is_found), "nothing notes {act}");
        all.extend(problems(elsewhere, |code| containing(code, &event), "only administration does this"));
    }
    assert_none(&all);
}

/// `.route("PATH"`, and the constants that stand for a path.
#[test]
fn every_route_is_an_endpoint_of_the_metrics() {
    let below_issuer = |path: &str| path == "http/mod.rs" || path == "pages/mod.rs";
    let mut routes = 0;
    for source in sources().iter().filter(|source| below_issuer(&source.path)) {
        for route in source.code.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let endpoint = chancery::observe::Endpoint::at(route);
            assert_eq!(endpoint.text(), route, "add it to src/observe/endpoint.rs");
            routes += 1;
        }
    }
    assert!(routes > 20, "the rule finds nothing");
}

#[test]
fn nothing_panics_on_purpose() {
    let mut all = Vec::new();
    for word in PANICS {
        all.extend(problems(|_| true, |code| containing(code, word), "answer with an error instead"));
    }
    assert_none(&all);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut all = Vec::new();
    for word in UNFINISHED {
        all.extend(problems(|_| true, |code| containing(code, word), "finish it"));
    }
    assert_none(&all);
}

fn containing<'c>(code: &'c str, word: &str) -> Vec<(usize, &'c str)> {
    code.lines()
        .enumerate()
        .filter(|(_, line)| line.contains(word))
        .map(|(at, line)| (at + 1, line.trim()))
        .collect()
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let mut all = Vec::new();
    for Source { path, code } in sources() {
        let lines = code.lines().count();
        if lines > LONGEST_FILE {
            all.push(format!("src/{path}: {lines} lines: split it"));
        }
        let long = long_functions(&code, LONGEST_FUNCTION);
        all.extend(
            long.iter().map(|(line, length)| format!("src/{path}:{line}: a function of {length} lines")),
        );
    }
    assert_none(&all);
}

#[test]
fn no_source_names_a_compatibility_profile() {
    let profiles = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/profiles")).unwrap();
    let names: Vec<String> =
        profiles.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert!(names.len() > 1, "{names:?}");
    for (path, text) in files() {
        let code = without_tests(&text).to_lowercase();
        let named: Vec<_> = names.iter().filter(|name| code.contains(name.as_str())).collect();
        assert!(named.is_empty(), "src/{path} names {named:?}: a profile is a file in config/profiles");
    }
}

#[test]
fn every_file_is_read() {
    let paths: Vec<_> = sources().into_iter().map(|source| source.path).collect();
    for expected in ["lib.rs", "model/client.rs", "server/edge/body.rs", "storage/db.rs"] {
        assert!(paths.iter().any(|path| path == expected), "{expected} is not among {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.ends_with("tests.rs")), "{paths:?}");
}

/// The detection itself, on code that breaks every rule.
mod detection {
    use super::*;

    const BAD: &str = "use axum::Router;\nfn a(app: &App) {\n    x.unwrap();\n    // sqlx::postgres in a comment\n    \
        let application = \"https://axum\";\n}\n\n#[cfg(test)]\nmod tests {\n    use tokio::test;\n}\n";

    #[test]
    fn a_word_is_found_as_a_path_or_a_type_and_not_in_comments_or_tests() {
        let code = without_tests(BAD);
        assert_eq!(uses(&code, "axum"), [(1, "use axum::Router;")]);
        assert_eq!(uses(&code, "App"), [(2, "fn a(app: &App) {")]);
        assert_eq!(containing(&code, ".unwrap()"), [(3, "x.unwrap();")]);
        assert_eq!(
            without_tests("#[cfg(test)]\nmod tests;\nlet x = 1;\n").lines().nth(2),
            Some("let x = 1;")
        );
        assert!(uses(&code, "tokio").is_empty() && mentions(&code, "sqlx::postgres").is_empty());
        assert_eq!(uses("use crate::protocol::OAuthError;", "protocol").len(), 1);
        assert_eq!(uses("use crate::{protocol, x};\nuse super::super::protocol::X;", "protocol").len(), 2);
        assert_eq!(uses("let x = crate::protocol::code::judge;", "protocol").len(), 1);
        assert!(uses("let protocol = request.http;", "protocol").is_empty());
        assert!(uses("pub use grants::Rotation;", "grants").is_empty(), "a module of the same name");
    }

    #[test]
    fn a_long_function_is_found_wherever_it_is() {
        let body = "        x();\n".repeat(3);
        let code = format!(
            "impl A {{\n    pub(super) async fn long() {{\n{body}    }}\n\n    fn short() {{}}\n}}\n"
        );
        assert_eq!(long_functions(&code, 4), [(2, 5)]);
        assert!(long_functions(&code, 5).is_empty());
        assert_eq!(long_functions("fn a(\n    x: X,\n) {\n}\n", 3), [(1, 4)]);
    }

    #[test]
    fn a_file_of_tests_is_known_by_its_declaration() {
        let declared = "#[cfg(test)]\nmod tests;\nmod real;\n";
        assert_eq!(test_files(Path::new("a/b.rs"), declared), [Path::new("a/b/tests.rs")]);
        assert_eq!(test_files(Path::new("a/mod.rs"), declared), [Path::new("a/tests.rs")]);
    }
}
