//! What is registered of a scope, and the languages in which clients' scopes are compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::closed_set::closed_set;
use super::{Scope, ScopeSet, Timestamp};

/// A scope with what the operator says about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegisteredScope {
    #[serde(rename = "scope")]
    pub name: Scope,
    /// What it lets an application do, by language tag (BCP 47), for the consent page.
    #[serde(default)]
    pub descriptions: BTreeMap<String, String>,
    /// Whoever may ask for this one may ask for these too.
    #[serde(default)]
    pub implies: ScopeSet,
    /// Whether the metadata document lists it.
    #[serde(rename = "public", default)]
    pub is_public: bool,
    pub created_at: Timestamp,
}

impl RegisteredScope {
    /// The description for a language: of its tag, else of the language it begins with (RFC 4647 3.4).
    pub fn description(&self, tag: &str) -> Option<&str> {
        let primary = tag.split('-').next().unwrap_or(tag);
        let of = |wanted: &str| {
            let found = self.descriptions.iter().find(|(known, _)| known.eq_ignore_ascii_case(wanted));
            found.map(|(_, text)| text.as_str())
        };
        of(tag).or_else(|| of(primary))
    }
}

closed_set! {
    /// How a client's registered scopes cover the ones it asks for.
    #[derive(Default)]
    pub enum ScopeStrategy: Serialize + Deserialize {
        /// The same text (RFC 6749 3.3).
        #[default]
        Exact = "exact",
        /// `user` covers `user:email`; `source:d` covers `source:w`, and that `source:r` and `source`.
        Hierarchical = "hierarchical",
        /// `foo.*` covers `foo.bar`.
        Wildcard = "wildcard",
    }
}
