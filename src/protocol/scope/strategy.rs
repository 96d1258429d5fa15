//! The grammars that scopes may have: by which of them one scope covers another.

use crate::model::ScopeStrategy;

/// Whether holding `held` covers `asked`.
pub(crate) fn covers(strategy: ScopeStrategy, held: &str, asked: &str) -> bool {
    held == asked
        || match strategy {
            ScopeStrategy::Exact => false,
            ScopeStrategy::Hierarchical => is_below(held, asked),
            ScopeStrategy::Wildcard => matches_pattern(held, asked),
        }
}

/// What the last part of a hierarchical scope lets one do; nothing is as good as `r`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Read,
    Write,
    Delete,
}

/// Splits off `:r`, `:w` or `:d`.
fn level(scope: &str) -> (&str, Level) {
    match scope.rsplit_once(':') {
        Some((thing, "r")) if !thing.is_empty() => (thing, Level::Read),
        Some((thing, "w")) if !thing.is_empty() => (thing, Level::Write),
        Some((thing, "d")) if !thing.is_empty() => (thing, Level::Delete),
        _ => (scope, Level::Read),
    }
}

/// `user` covers `user:email` and `user.email`, `source:d` covers `source:w` covers `source:r` and `source`. A scope
/// without a level reads: `source` does not cover `source:w`.
fn is_below(held: &str, asked: &str) -> bool {
    let ((held, most), (asked, level)) = (level(held), level(asked));
    if level > most || held.is_empty() {
        return false;
    }
    match asked.strip_prefix(held) {
        None => false,
        Some("") => true,
        Some(rest) => match rest.strip_prefix([':', '.']) {
            Some(below) => below.split([':', '.']).all(|part| !part.is_empty()),
            None => false,
        },
    }
}

/// The wildcard strategy of Ory Hydra v1: parts between dots, where `*` stands for one part, and as the last one for
/// one or more. Unlike there no part that it stands for may be empty, not even a later one.
fn matches_pattern(pattern: &str, asked: &str) -> bool {
    let asked: Vec<&str> = asked.split('.').collect();
    let pattern: Vec<&str> = pattern.split('.').collect();
    let open = pattern.last() == Some(&"*");
    let fits = asked.len() == pattern.len() || (open && asked.len() > pattern.len());
    let same = |(at, part): (usize, &&str)| match pattern.get(at) {
        Some(&"*") => !part.is_empty(),
        Some(wanted) => wanted == part,
        None => !part.is_empty(),
    };
    fits && asked.iter().enumerate().all(same)
}

#[cfg(test)]
mod tests {
    use super::covers;
    use crate::model::ScopeStrategy::{self, Exact, Hierarchical, Wildcard};

    #[track_caller]
    fn assert_covers(strategy: ScopeStrategy, expected: bool, cases: &[(&str, &str)]) {
        for (held, asked) in cases {
            assert_eq!(covers(strategy, held, asked), expected, "{strategy:?}: {held} covers {asked}");
        }
    }

    #[test]
    fn exact_covers_only_itself() {
        assert_covers(Exact, true, &[("a", "a"), ("foo.*", "foo.*"), ("source:w", "source:w")]);
        assert_covers(
            Exact,
            false,
            &[
                ("a", "A"),
                ("a", "a:b"),
                ("a:b", "a"),
                ("foo.*", "foo.bar"),
                ("*", "a"),
                ("source:w", "source:r"),
            ],
        );
    }

    #[test]
    fn hierarchical_covers_what_is_below() {
        let cases = [
            ("user", "user"),
            ("user", "user:email"),
            ("user", "user.email"),
            ("user", "user:email:primary"),
            ("user:email", "user:email"),
            ("user", "user:r"),
            ("user:r", "user:email"),
            ("user:w", "user:email:w"),
        ];
        assert_covers(Hierarchical, true, &cases);
        let cases = [
            ("user", "users"),
            ("user", "user:"),
            ("user", "user::email"),
            ("user", "user:email:"),
            ("user", "user.:email"),
            ("user", "user-email"),
            ("user", "us"),
            ("user", "User:email"),
            ("user:email", "user"),
            ("user.email", "user:email"),
            ("user", "email:user"),
            ("user", ":user"),
            ("", "user"),
            ("*", "user"),
            ("user.*", "user.email"),
        ];
        assert_covers(Hierarchical, false, &cases);
    }

    #[test]
    fn il_06_il_24_delete_covers_write_covers_read() {
        let cases = [
            ("source:d", "source:w"),
            ("source:d", "source:r"),
            ("source:d", "source"),
            ("source:w", "source:r"),
            ("source:w", "source"),
            ("source:r", "source"),
            ("source", "source:r"),
        ];
        assert_covers(Hierarchical, true, &cases);
        let cases = [
            ("source", "source:w"),
            ("source", "source:d"),
            ("source:r", "source:w"),
            ("source:w", "source:d"),
            ("source:r", "source:alert:w"),
            ("source:w", "sources:w"),
            ("source:w", "alert:w"),
            (":w", "source:w"),
            ("w", "source:w"),
            ("source:w", ":w"),
        ];
        assert_covers(Hierarchical, false, &cases);
    }

    #[test]
    fn hy_19_a_wildcard_stands_for_whole_parts() {
        let cases = [
            ("foo.*", "foo.bar"),
            ("foo.*", "foo.bar.baz"),
            ("foo.*", "foo.*"),
            ("*", "asdf"),
            ("*", "asdf.asdf"),
            ("*", "openid"),
            ("foo*", "foo*"),
            ("foo.*.baz", "foo.*.baz"),
            ("foo.*.baz", "foo.bar.baz"),
            ("foo.*.bar.*", "foo.baz.bar.baz"),
            ("foo.*.bar.*", "foo.baz.bar.bar.bar"),
            ("foo.*.bar.*", "foo.1.bar.1.2.3.4.5"),
            ("foo", "foo"),
        ];
        assert_covers(Wildcard, true, &cases);
        let cases = [
            ("foo.*", "foo"),
            ("foo.*", "foo."),
            ("foo.*", "foobar"),
            ("foo.*", "foo.bar."),
            ("foo.*", "foo..bar"),
            ("foo.*", ".foo.bar"),
            ("foo.*", "FOO.bar"),
            ("foo.*", "foo:bar"),
            ("foo.*", "barfoo.bar"),
            ("foo.*", "*"),
            ("foo.*", ""),
            ("*", ""),
            ("*", "."),
            ("*", "a."),
            ("foo", "foo.*"),
            ("foo", "*"),
            ("foo", "fo"),
            ("foo", "foo.bar"),
            ("foo*", "foo"),
            ("foo*", "foobar"),
            ("foo*", "foo.bar"),
            ("foo.*.baz", "foo..baz"),
            ("foo.*.baz", "foo.baz"),
            ("foo.*.baz", "foo.bar.bar"),
            ("foo.*.baz", "foo.bar.baz.bar"),
            ("foo.*.bar.*", "foo.baz.baz.bar.baz"),
            ("foo.*.bar.*", "foo.baz.bar"),
            ("*.bar", "foo.foo.bar"),
        ];
        assert_covers(Wildcard, false, &cases);
    }
}
