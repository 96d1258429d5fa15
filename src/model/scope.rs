//! Scopes (RFC 6749 3.3): tokens of printable ASCII, a set without order of meaning.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One scope token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(String);

impl Scope {
    pub const OPENID: &str = "openid";
    pub const OFFLINE_ACCESS: &str = "offline_access";
    /// What some clients say for it.
    pub const OFFLINE: &str = "offline";

    pub fn offline_access() -> Self {
        Self(Self::OFFLINE_ACCESS.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || !text.bytes().all(is_scope_byte) {
            return Err(InvalidScope);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A text that is not a list of scope tokens.
#[derive(Debug, thiserror::Error)]
#[error("a scope token holds a character outside %x21 / %x23-5B / %x5D-7E (RFC 6749 3.3)")]
pub struct InvalidScope;

/// So many are compared one by one, which is less work than hashing them. Strangers send texts with many: a look at all that
/// came before, for each, would be the square of their length.
const FEW: usize = 16;

/// A set of scopes in the order they were asked for, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|scope| scope.as_str() == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Scope::as_str)
    }

    pub fn is_subset(&self, of: &Self) -> bool {
        self.iter().all(|scope| of.contains(scope))
    }

    /// The scopes of this set that are not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|scope| !other.contains(scope.as_str())).cloned().collect())
    }

    /// The scopes of this set that `keep` says yes to.
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope.as_str())).cloned().collect())
    }

    /// Takes out those that `keep` says no to.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|scope| keep(scope.as_str()));
    }

    /// The scopes of this set that are in `other` too.
    pub fn within(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|scope| other.contains(scope.as_str())).cloned().collect())
    }

    /// The same with one scope by another name.
    pub fn renamed(self, from: &str, to: &Scope) -> Self {
        let named = |scope: Scope| if scope.as_str() == from { to.clone() } else { scope };
        let mut scopes: Vec<Scope> = Vec::new();
        for scope in self.0.into_iter().map(named) {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        Self(scopes)
    }

    /// Both sets together, this one's order first.
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.0.clone();
        all.extend(other.without(self).0);
        Self(all)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        let mut all = Vec::new();
        for scope in scopes {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
        Self(all)
    }
}

impl FromStr for ScopeSet {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut scopes, mut later) = (Vec::<Scope>::new(), HashSet::new());
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            let is_among_the_first = scopes.iter().take(FEW).any(|scope| scope.as_str() == token);
            if !is_among_the_first && (scopes.len() < FEW || later.insert(token)) {
                scopes.push(token.parse()?);
            }
        }
        Ok(Self(scopes))
    }
}

/// RFC 6749 3.3: `NQCHAR = %x21 / %x23-5B / %x5D-7E`.
fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for ScopeSet {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ScopeSet> for String {
    fn from(scopes: ScopeSet) -> Self {
        scopes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::ScopeSet;

    fn scopes(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    #[test]
    fn a_scope_named_twice_counts_once_and_order_is_kept() {
        assert_eq!(scopes("b a  b").to_string(), "b a");
    }

    #[test]
    fn each_of_many_counts_once() {
        let many: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
        let once = many.join(" ");
        assert_eq!(scopes(&format!("{once} {once}")).to_string(), once);
    }

    #[test]
    fn quotes_backslashes_and_control_characters_are_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "é"] {
            assert!(text.parse::<ScopeSet>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn set_operations_follow_membership() {
        let (asked, known) = (scopes("openid email a"), scopes("email openid"));
        assert_eq!(asked.without(&known).to_string(), "a");
        assert_eq!(asked.within(&known).to_string(), "openid email");
        assert_eq!(known.union(&asked).to_string(), "email openid a");
        assert!(known.is_subset(&asked) && !asked.is_subset(&known));
    }
}
