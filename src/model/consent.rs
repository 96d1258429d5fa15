//! What a user allowed a client: scopes, each for what the tokens were to be used at (RFC 8707).

use std::collections::BTreeMap;

use super::ScopeSet;

/// What a user allowed a client. A yes is for pairs: a scope at one resource is not that scope at another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Allowed {
    /// For requests that name no resource: at the client's default audience.
    pub scope: ScopeSet,
    /// By resource.
    pub resources: BTreeMap<String, ScopeSet>,
}

/// What a request asks for that was not allowed before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewAccess {
    /// What is missing at a resource that was allowed before; at none of them, or without resources: all that is missing.
    pub scope: ScopeSet,
    /// At which nothing was allowed before.
    pub resources: Vec<String>,
}

impl Allowed {
    /// These scopes at these resources; without resources at the default audience.
    pub fn of(scope: &ScopeSet, resources: &[String]) -> Self {
        if resources.is_empty() {
            return Self { scope: scope.clone(), ..Self::default() };
        }
        let pairs = resources.iter().map(|resource| (resource.clone(), scope.clone()));
        Self { scope: ScopeSet::default(), resources: pairs.collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.scope.is_empty() && self.resources.is_empty()
    }

    /// What of these scopes at these resources was not allowed.
    pub fn new_in(&self, scope: &ScopeSet, resources: &[String]) -> NewAccess {
        if resources.is_empty() {
            return NewAccess { scope: scope.without(&self.scope), resources: Vec::new() };
        }
        let (known, new): (Vec<_>, Vec<_>) =
            resources.iter().cloned().partition(|resource| self.resources.contains_key(resource));
        let lacks = |name: &str| {
            let at =
                |resource: &String| self.resources.get(resource).is_some_and(|there| there.contains(name));
            known.is_empty() || !known.iter().all(at)
        };
        NewAccess { scope: scope.filter(lacks), resources: new }
    }

    pub fn is_subset(&self, of: &Self) -> bool {
        let at = |(resource, scope): (&String, &ScopeSet)| {
            of.resources.get(resource).is_some_and(|there| scope.is_subset(there))
        };
        self.scope.is_subset(&of.scope) && self.resources.iter().all(at)
    }

    pub fn union(mut self, other: &Self) -> Self {
        self.scope = self.scope.union(&other.scope);
        for (resource, scope) in &other.resources {
            let there = self.resources.entry(resource.clone()).or_default();
            *there = there.union(scope);
        }
        self
    }

    /// Every scope, wherever.
    pub fn all_scopes(&self) -> ScopeSet {
        self.resources.values().fold(self.scope.clone(), |all, scope| all.union(scope))
    }
}

impl NewAccess {
    pub fn is_empty(&self) -> bool {
        self.scope.is_empty() && self.resources.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Allowed;

    fn allowed(pairs: &[(&str, &str)]) -> Allowed {
        pairs.iter().fold(Allowed::default(), |all, (resource, scope)| {
            let resources: Vec<String> =
                resource.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            all.union(&Allowed::of(&scope.parse().unwrap(), &resources))
        })
    }

    fn new(before: &[(&str, &str)], resources: &str, scope: &str) -> (String, String) {
        let resources: Vec<String> =
            resources.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let new = allowed(before).new_in(&scope.parse().unwrap(), &resources);
        (new.scope.to_string(), new.resources.join(" "))
    }

    fn told(scope: &str, resources: &str) -> (String, String) {
        (scope.to_owned(), resources.to_owned())
    }

    #[test]
    fn a_scope_at_one_resource_is_not_that_scope_at_another() {
        let before = [("", "openid a"), ("r1", "a b"), ("r2", "a")];
        assert_eq!(new(&before, "", "openid a"), told("", ""));
        assert_eq!(new(&before, "", "openid b"), told("b", ""));
        assert_eq!(new(&before, "r1", "a b"), told("", ""));
        assert_eq!(new(&before, "r1", "openid a"), told("openid", ""));
        assert_eq!(new(&before, "r1 r2", "a b"), told("b", ""));
        assert_eq!(new(&before, "r1 r3", "a b"), told("", "r3"));
        assert_eq!(new(&before, "r3", "a"), told("a", "r3"));
        assert_eq!(new(&[], "r3", "a"), told("a", "r3"));
    }

    #[test]
    fn a_subset_is_one_pair_by_pair() {
        let all = [("", "a b"), ("r1", "a")];
        for (part, is_subset) in [
            (&[("", "a")][..], true),
            (&[("r1", "a")], true),
            (&[("", "b"), ("r1", "a")], true),
            (&[("r1", "b")], false),
            (&[("r2", "a")], false),
            (&[], true),
        ] {
            assert_eq!(allowed(part).is_subset(&allowed(&all)), is_subset, "{part:?}");
        }
        assert_eq!(allowed(&all).all_scopes().to_string(), "a b");
    }
}
