//! The floors of the house: a room names only rooms below it, and inside a room no files go round in a circle. Every `use` and
//! every path of the sources is read, also those in groups, by `super`, and in macros.

use std::collections::{BTreeMap, BTreeSet};

use crate::architecture::{assert_none, files, without_tests};

/// The rooms, the lowest first. Each may name those before it and no other.
const FLOORS: [&str; 30] = [
    "model",
    "cache",
    "observe",
    "crypto",
    "protocol",
    "waiting",
    "config",
    "request",
    "server",
    "site",
    "storage",
    "registry",
    "audit",
    "outbound",
    "keys",
    "secrets",
    "clock",
    "administration",
    "app",
    "tries",
    "throttle",
    "telemetry",
    "grants",
    "metrics",
    "http",
    "pages",
    "admin",
    "boot",
    "demo",
    "cli",
];

/// Files that still go round in a circle with others of their room. The list may only shrink: one that is none any more
/// has to go from it.
const IN_CIRCLES: [&str; 10] = [
    "crypto/jwe/agreement",
    "crypto/jwe/public_key",
    "http/error",
    "http/json",
    "pages/answer",
    "pages/external",
    "pages/flow",
    "pages/visit",
    "protocol/registration/request",
    "protocol/registration/self_registered",
];

/// The text of a source without comments and literals; lines stay lines.
fn bare(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let in_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let length = literal(rest, in_word);
        let (gone, after) = rest.split_at(length.max(next.len_utf8()));
        match length {
            0 => code.push(next),
            _ => code.extend(gone.chars().filter(|letter| *letter == '\n').chain([' '])),
        }
        rest = after;
    }
    code
}

/// How long the comment, text or character is that this begins with; 0 where it is none.
fn literal(rest: &str, in_word: bool) -> usize {
    let until =
        |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let raw = rest.strip_prefix("br").or(rest.strip_prefix('r')).filter(|_| !in_word);
    if let Some(after) = raw.filter(|after| after.trim_start_matches('#').starts_with('"')) {
        let hashes = after.len() - after.trim_start_matches('#').len();
        let begin = rest.len() - after.len() + hashes + 1;
        return until(&format!("\"{}", "#".repeat(hashes)), begin);
    }
    let mut letters = rest.char_indices().skip(1);
    match rest.as_bytes() {
        [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => until("*/", 2),
        [b'"', ..] => {
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '"' => return at + 1,
                    '\\' => drop(letters.next()),
                    _ => {}
                }
            }
            rest.len()
        }
        [b'\'', b'\\', ..] => until("'", 3),
        // A lifetime has no second quote.
        [b'\'', ..] => letters.nth(1).filter(|(_, letter)| *letter == '\'').map_or(0, |(at, _)| at + 1),
        _ => 0,
    }
}

/// The words and signs of a source, each with its line.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let length = match () {
                () if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
                () if rest.starts_with("::") => 2,
                () => first.len_utf8(),
            };
            found.push((number + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// A path of this crate that a file names, from the root of the crate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    line: usize,
    path: Vec<String>,
    /// The name under which a `pub use` gives it on.
    given_on: Option<String>,
}

/// The sources by the path of their module, without the tests.
struct House {
    /// What is in `src/storage/db.rs` is at `["storage", "db"]`.
    modules: BTreeMap<Vec<String>, String>,
}

impl House {
    fn read() -> Self {
        let files = files().into_iter().filter(|(path, _)| path != "main.rs" && path != "lib.rs");
        Self::of(files.map(|(path, text)| (module(&path), without_tests(&bare(&text)))))
    }

    fn of(modules: impl IntoIterator<Item = (Vec<String>, String)>) -> Self {
        Self { modules: modules.into_iter().collect() }
    }

    /// Every path of this crate that a module names.
    fn named(&self, here: &[String]) -> Vec<Named> {
        let tokens = tokens(&self.modules[here]);
        let mut found = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let (line, token) = tokens[at];
            let earlier = |back: usize| at.checked_sub(back).map_or("", |before| tokens[before].1);
            let (before, before_that) = (earlier(1), earlier(2));
            if token == "use" && (before == "pub" || !is_name(before)) {
                let is_public = matches!(before, "pub" | ")");
                let mut paths = Vec::new();
                at = Self::group(&tokens, at + 1, &[], &mut paths);
                found.extend(paths.into_iter().filter_map(|(line, path, alias)| {
                    let name = alias.or(path.last().cloned()).filter(|_| is_public);
                    Some(Named { line, path: self.absolute(here, &path)?, given_on: name })
                }));
                continue;
            }
            let mut path = vec![token.to_owned()];
            at += 1;
            if !is_name(token) {
                continue;
            }
            let visibility = before == "in" && before_that == "(";
            let is_first = before != "::";
            while let [(_, "::"), (_, name), ..] = &tokens[at..]
                && is_name(name)
            {
                path.push((*name).to_owned());
                at += 2;
            }
            if path.len() > 1 && is_first && !visibility {
                found.extend(self.absolute(here, &path).map(|path| Named { line, path, given_on: None }));
            }
        }
        found
    }

    /// The paths of one tree of a `use`, and where it ends.
    fn group(
        tokens: &[(usize, &str)],
        mut at: usize,
        prefix: &[String],
        found: &mut Vec<(usize, Vec<String>, Option<String>)>,
    ) -> usize {
        let mut path = prefix.to_vec();
        let line = tokens.get(at).map_or(0, |(line, _)| *line);
        while let Some((_, token)) = tokens.get(at) {
            at += 1;
            match *token {
                "{" => {
                    while tokens.get(at).is_some_and(|(_, token)| *token != "}") {
                        at = Self::group(tokens, at, &path, found);
                        at += usize::from(tokens.get(at).is_some_and(|(_, token)| *token == ","));
                    }
                    return at + 1;
                }
                "::" => {}
                "as" => {
                    let alias = tokens.get(at).map(|(_, name)| (*name).to_owned());
                    found.push((line, path, alias));
                    return at + 1;
                }
                "self" if !path.is_empty() => {}
                "*" => path.push("*".to_owned()),
                name if is_name(name) => path.push(name.to_owned()),
                _ => {
                    found.push((line, path, None));
                    return at - 1;
                }
            }
        }
        at
    }

    /// The path from the root of the crate; None where it leads into another crate.
    fn absolute(&self, here: &[String], path: &[String]) -> Option<Vec<String>> {
        let supers = path.iter().take_while(|name| *name == "super").count();
        let joined = |base: &[String], rest: &[String]| [base, rest].concat();
        match path.first()?.as_str() {
            "crate" | "chancery" => Some(path[1..].to_vec()),
            "self" => Some(joined(here, &path[1..])),
            "super" => Some(joined(&here[..here.len().saturating_sub(supers)], &path[supers..])),
            child => {
                let is_child = self.modules.contains_key(&joined(here, &[child.to_owned()]));
                is_child.then(|| joined(here, path))
            }
        }
    }

    /// The module that a path leads to, through what modules give on.
    fn resolve(&self, path: &[String], names: &BTreeMap<Vec<String>, Vec<String>>) -> Option<Vec<String>> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let length = (1..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
            let given_on = path.get(..=length).and_then(|name| names.get(name));
            let Some(target) = given_on else { return Some(path[..length].to_vec()) };
            path = [target, &path[length + 1..]].concat();
        }
        None
    }

    /// What names a room that is not below, a line each.
    fn upward(&self, floors: &[&str]) -> Vec<String> {
        let height = |room: &str| floors.iter().position(|floor| *floor == room);
        let mut problems = Vec::new();
        for here in self.modules.keys() {
            let Some(own) = height(&here[0]) else {
                problems.push(format!("{} is a room that the list lacks", here[0]));
                continue;
            };
            for Named { line, path, .. } in self.named(here) {
                let whole = path.join("::");
                let below = match path.first() {
                    Some(room) if *room == here[0] => true,
                    Some(room) => height(room).is_some_and(|height| height < own),
                    None => false,
                };
                if !below {
                    problems.push(format!(
                        "src/{}, line {line}: {} must not name crate::{whole}",
                        here.join("/"),
                        here[0]
                    ));
                }
            }
        }
        problems
    }

    /// The modules that lead back to themselves by modules of their own room. To give a name on is not to use it.
    fn in_circles(&self) -> Vec<String> {
        let named: BTreeMap<&Vec<String>, Vec<Named>> =
            self.modules.keys().map(|here| (here, self.named(here))).collect();
        let given_on = named.iter().flat_map(|(here, all)| {
            let names = all.iter().filter_map(|named| Some((named.given_on.clone()?, named.path.clone())));
            names.map(|(name, path)| ([here.as_slice(), &[name]].concat(), path)).collect::<Vec<_>>()
        });
        let names: BTreeMap<Vec<String>, Vec<String>> = given_on.collect();
        let mut edges: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
        for (here, all) in &named {
            let used = all.iter().filter(|named| named.given_on.is_none());
            let targets = used.filter_map(|named| self.resolve(&named.path, &names));
            edges.insert(here, targets.filter(|to| to != *here && to[0] == here[0]).collect());
        }
        let leads_back = |start: &&&Vec<String>| {
            let mut seen: BTreeSet<&Vec<String>> = BTreeSet::new();
            let mut open: Vec<&Vec<String>> = edges[**start].iter().collect();
            while let Some(next) = open.pop() {
                if seen.insert(next) {
                    open.extend(&edges[next]);
                }
            }
            seen.contains(**start)
        };
        self.modules.keys().collect::<Vec<_>>().iter().filter(leads_back).map(|path| path.join("/")).collect()
    }
}

/// `storage/db.rs` is the module `storage::db`, `storage/mod.rs` is `storage`.
fn module(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    path.strip_suffix("/mod").unwrap_or(path).split('/').map(str::to_owned).collect()
}

#[test]
fn a_room_names_only_rooms_below_it() {
    let house = House::read();
    let empty: Vec<String> = FLOORS
        .iter()
        .filter(|floor| !house.modules.keys().any(|module| module[0] == **floor))
        .map(|floor| format!("{floor} is in the list, and no room"))
        .collect();
    assert_none(&empty);
    assert_none(&house.upward(&FLOORS));
}

#[test]
fn no_files_of_a_room_go_round_in_a_circle() {
    assert_eq!(
        House::read().in_circles(),
        IN_CIRCLES,
        "break it, or take from the list what is none any more"
    );
}

/// Both tests find what they are there for.
mod planted {
    use super::*;

    fn house(sources: &[(&str, &str)]) -> House {
        House::of(sources.iter().map(|(path, text)| (module(path), without_tests(&bare(text)))))
    }

    #[track_caller]
    fn assert_upward(text: &str, lines: &[usize]) {
        let house = house(&[("low/mod.rs", "mod deep;\n"), ("low/deep.rs", text), ("high.rs", "")]);
        let found = house.upward(&["low", "high"]);
        let expected: Vec<_> = lines.iter().map(|line| format!("src/low/deep, line {line}: ")).collect();
        assert_eq!(found.len(), lines.len(), "{text}: {found:?}");
        assert!(
            found.iter().zip(&expected).all(|(found, line)| found.starts_with(line)),
            "{text}: {found:?}"
        );
    }

    #[test]
    fn whoever_names_a_room_above_is_found_however_it_is_written() {
        assert_upward("use crate::high::X;\n", &[1]);
        assert_upward("use crate::{\n    low::Y,\n    high::{self, Z},\n};\n", &[3, 3]);
        assert_upward("pub(crate) use crate::high;\n", &[1]);
        assert_upward("use super::super::high::X as Y;\n", &[1]);
        assert_upward("use std::io;\n\nfn f() -> crate::high::X {\n    crate::high::x()\n}\n", &[3, 4]);
        assert_upward("macro_rules! m {\n    () => {\n        $crate::high::x!(\"{a}\")\n    };\n}\n", &[3]);
        assert_upward("fn f(x: super::super::high::X<'_>) {}\n", &[1]);
        assert_upward(
            "const Q: char = '\"';\nconst U: &str = \"https://a\"; fn f() { crate::high::f() }\n",
            &[2],
        );
        assert_upward("const R: &str = r#\"a\"b\"#; type X = crate::high::X;\n", &[1]);
        assert_upward("use crate::nowhere::X;\n", &[1]);
    }

    #[test]
    fn what_is_below_in_a_comment_a_text_or_a_test_is_let_pass() {
        assert_upward("use crate::low::X;\nuse super::Y;\nuse high::Z;\nlet high = low.high;\n", &[]);
        assert_upward("// crate::high::X\n/* crate::high::X */\nconst X: &str = \"crate::high::X\";\n", &[]);
        assert_upward("#[cfg(test)]\nmod tests {\n    use crate::high::X;\n}\n", &[]);
        let house = house(&[("high.rs", "use crate::low::X;\nuse crate::high::Y;\n"), ("low.rs", "")]);
        assert!(house.upward(&["low", "high"]).is_empty());
        assert_eq!(
            house.upward(&["high"]),
            ["src/high, line 1: high must not name crate::low::X", "low is a room that the list lacks",]
        );
    }

    #[test]
    fn files_that_go_round_in_a_circle_are_found_through_what_is_given_on() {
        let circle = [
            ("room/mod.rs", "mod a;\nmod b;\nmod c;\npub use b::{B as Given, Z};\npub use self::c::C;\n"),
            ("room/a.rs", "use super::Given;\n"),
            ("room/b.rs", "fn f() { super::c::f() }\n"),
            ("room/c.rs", "use crate::room::{a, Z};\n"),
            ("room/d.rs", "use super::C;\n"),
        ];
        assert_eq!(house(&circle).in_circles(), ["room/a", "room/b", "room/c"]);
        assert!(house(&circle[..3]).in_circles().is_empty());
    }
}
