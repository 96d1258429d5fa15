//! Which scopes a client may ask for, given those it is registered with (RFC 6749 3.3).
//!
//! To OAuth a scope is opaque. Where a client's own vocabulary has a grammar, its strategy says which; what a scope
//! implies is registered with it. Neither adds to what is granted: that is never more than was asked.

mod strategy;

use std::cell::OnceCell;

use super::error::{ErrorCode, OAuthError};
use super::invalid_metadata::InvalidMetadata;
use crate::model::{Catalogue, Client, RegisteredScope, Scope, ScopeSet, ScopeStrategy, text};
pub(crate) use strategy::covers;

/// Scopes that one request names: each is held against all that the client has.
const MOST_ASKED: usize = 200;
/// Bytes of a scope's name and of one description.
const MAX_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 300;

/// Whether the scopes a client holds, with all they imply, cover `asked`.
pub(crate) fn is_covered(
    strategy: ScopeStrategy,
    catalogue: &Catalogue,
    held: &ScopeSet,
    asked: &str,
) -> bool {
    covered_by(strategy, catalogue, held)(asked)
}

/// The same for many, which looks up once what is implied, and only where that makes a difference.
pub(crate) fn covered_by<'a>(
    strategy: ScopeStrategy,
    catalogue: &'a Catalogue,
    held: &'a ScopeSet,
) -> impl Fn(&str) -> bool + 'a {
    let all = OnceCell::new();
    move |asked| {
        // Most often it is there by its own name.
        held.contains(asked)
            || all
                .get_or_init(|| with_implied(catalogue, held))
                .iter()
                .any(|held| covers(strategy, held, asked))
    }
}

/// The scopes of a text by their own names; none where it is no list of scopes.
fn read(text: &str, client: &Client) -> Option<ScopeSet> {
    let scopes: ScopeSet = text.parse().ok()?;
    if scopes.iter().nth(MOST_ASKED).is_some() {
        return None;
    }
    if scopes.contains(Scope::OFFLINE) && client.policy().offline_alias {
        return Some(scopes.renamed(Scope::OFFLINE, &Scope::offline_access()));
    }
    Some(scopes)
}

/// Whether the client is registered for offline access by the other name that it may say.
pub(crate) fn is_registered_for_offline(client: &Client) -> bool {
    client.scope.contains(Scope::OFFLINE) && client.policy().offline_alias
}

/// Reads `scope`, all of which must be covered by what the client is registered with.
pub(crate) fn asked(text: &str, client: &Client, catalogue: &Catalogue) -> Result<ScopeSet, OAuthError> {
    let invalid = |description: &'static str| OAuthError::new(ErrorCode::InvalidScope, description);
    let asked = read(text, client).ok_or_else(|| {
        invalid("A scope holds a character that none may have, or there are more than 200.")
    })?;
    if !asked.iter().all(may_ask(client, catalogue)) {
        return Err(invalid("A scope is not registered for this client."));
    }
    Ok(asked)
}

/// Whether what the client is registered with covers a scope.
pub(super) fn may_ask<'a>(client: &'a Client, catalogue: &'a Catalogue) -> impl Fn(&str) -> bool + 'a {
    let is_registered = covered_by(client.policy().scope_strategy, catalogue, &client.scope);
    move |scope| is_registered(scope) || (scope == Scope::OFFLINE_ACCESS && is_registered_for_offline(client))
}

/// RFC 6749 6: the scope MUST NOT include one that was not granted.
pub(crate) fn narrowed(
    granted: &ScopeSet,
    asked: Option<&str>,
    client: &Client,
    catalogue: &Catalogue,
) -> Result<ScopeSet, OAuthError> {
    let Some(text) = asked else { return Ok(granted.clone()) };
    let asked = read(text, client);
    let strategy = client.policy().scope_strategy;
    let was_granted = covered_by(strategy, catalogue, granted);
    asked
        .filter(|asked| !asked.is_empty() && asked.iter().all(was_granted))
        .ok_or_else(|| OAuthError::new(ErrorCode::InvalidScope, "The scope holds one that was not granted."))
}

/// Every problem of a scope that somebody wants to register.
pub(crate) fn check(scope: &RegisteredScope) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    if scope.name.as_str().len() > MAX_NAME {
        complain("scope", format!("at most {MAX_NAME} bytes"));
    }
    // Not by a pattern either: whether a client may ask for these must be seen from its own scopes.
    let reserved = |implied| {
        [Scope::OPENID, Scope::OFFLINE_ACCESS]
            .iter()
            .any(|name| covers(ScopeStrategy::Wildcard, implied, name))
    };
    if scope.implies.iter().any(reserved) {
        complain("implies", "openid and offline_access are registered for the client itself".into());
    }
    for (tag, description) in &scope.descriptions {
        if tag.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            complain("descriptions", format!("{tag:?} is no language tag; write en, de, pt-BR"));
        }
        if description.len() > MAX_DESCRIPTION {
            complain("descriptions", format!("{tag}: one sentence of 1 to {MAX_DESCRIPTION} bytes"));
        }
        if let Err(error) = text::check_readable(description) {
            complain(
                "descriptions",
                format!("{tag}: people read it when they are asked for consent: {error}"),
            );
        }
    }
    problems
}

/// The scopes themselves and everything they imply, each once: a circle ends.
fn with_implied<'a>(catalogue: &'a Catalogue, held: &'a ScopeSet) -> Vec<&'a str> {
    let mut all: Vec<&str> = held.iter().collect();
    let mut next = 0;
    while let Some(name) = all.get(next).copied() {
        for implied in catalogue.scope(name).into_iter().flat_map(|scope| scope.implies.iter()) {
            if !all.contains(&implied) {
                all.push(implied);
            }
        }
        next += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{check, is_covered, narrowed};
    use crate::model::ScopeStrategy::{Exact, Hierarchical, Wildcard};
    use crate::model::{Catalogue, Client, RegisteredScope, ScopeSet, Timestamp};

    fn registered(name: &str, implies: &str) -> RegisteredScope {
        RegisteredScope {
            name: name.parse().unwrap(),
            descriptions: [("en".to_owned(), "Do something".to_owned())].into(),
            implies: implies.parse().unwrap(),
            is_public: false,
            created_at: Timestamp::from_unix(0),
        }
    }

    fn scopes(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    #[test]
    fn a_request_names_so_many_scopes_however_many_of_them_the_client_may_have() {
        let client = crate::model::strict(serde_json::json!({
            "client_id": "app", "client_name": "App", "grant_types": ["authorization_code"], "scope": "foo.*",
            "scope_strategy": "wildcard", "token_endpoint_auth_method": "none", "client_id_issued_at": 0,
        }));
        let names =
            |number: usize| (0..number).map(|each| format!("foo.{each}")).collect::<Vec<_>>().join(" ");
        let asked = |number| {
            super::asked(&names(number), &client, &Catalogue::default()).map(|scopes| scopes.iter().count())
        };
        assert_eq!(asked(200).unwrap(), 200);
        assert!(asked(201).unwrap_err().description.contains("more than 200"));
        assert!(narrowed(&client.scope, Some(&names(201)), &client, &Catalogue::default()).is_err());
    }

    #[test]
    fn implied_scopes_count_under_every_strategy_and_a_circle_ends() {
        let all = vec![registered("a", "b"), registered("b", "c a"), registered("w", "foo.* user")];
        let catalogue = Catalogue::new(Vec::new(), all);
        for strategy in [Exact, Hierarchical, Wildcard] {
            for asked in ["a", "b", "c"] {
                assert!(is_covered(strategy, &catalogue, &scopes("x a"), asked), "{strategy:?} {asked}");
            }
            assert!(!is_covered(strategy, &catalogue, &scopes("x c"), "b"));
            assert!(!is_covered(strategy, &catalogue, &scopes(""), "a"));
        }
        assert!(is_covered(Wildcard, &catalogue, &scopes("w"), "foo.bar"));
        assert!(!is_covered(Exact, &catalogue, &scopes("w"), "foo.bar"));
        assert!(is_covered(Hierarchical, &catalogue, &scopes("w"), "user:email"));
    }

    #[test]
    fn narrowing_follows_the_strategy_and_never_adds() {
        let catalogue = Catalogue::default();
        let client = |strategy: &str| -> Client {
            let metadata = serde_json::json!({
                "client_id": "app", "client_name": "App", "grant_types": ["authorization_code"], "scope": "source:d",
                "token_endpoint_auth_method": "none", "scope_strategy": strategy, "client_id_issued_at": 0,
            });
            crate::model::strict(metadata)
        };
        let granted = scopes("source:w email");
        let narrow = |strategy: &str, asked| {
            narrowed(&granted, asked, &client(strategy), &catalogue).map(|scope| scope.to_string()).ok()
        };
        assert_eq!(narrow("exact", None).as_deref(), Some("source:w email"));
        assert_eq!(narrow("exact", Some("email")).as_deref(), Some("email"));
        assert_eq!(narrow("exact", Some("source:r")), None);
        assert_eq!(narrow("hierarchical", Some("source:r")).as_deref(), Some("source:r"));
        for asked in ["source:d", "", " ", "openid", "a\"b"] {
            assert_eq!(narrow("hierarchical", Some(asked)), None, "{asked}");
        }
    }

    #[test]
    fn a_scope_is_checked_before_it_is_registered() {
        assert!(check(&registered("source:w", "source:r foo.*")).is_empty());
        for implied in ["openid", "offline_access", "*"] {
            assert_eq!(check(&registered("a", implied)).len(), 1, "{implied}");
        }
        let mut bad = registered(&"x".repeat(129), "offline_access");
        bad.descriptions = [("".to_owned(), "a\nb".to_owned()), ("e n".to_owned(), " ".to_owned())].into();
        let members: Vec<_> = check(&bad).into_iter().map(|problem| problem.member).collect();
        assert_eq!(
            members,
            ["scope", "implies", "descriptions", "descriptions", "descriptions", "descriptions"]
        );
    }
}
