//! Protected resources (RFC 8707): the APIs that tokens are for, and in which form they get them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::closed_set::closed_set;
use super::{Algorithm, RegisteredScope, ScopeSet, Timestamp};

/// An API as registered. What is none is the client's choice, else the server's default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its absolute URI, the `aud` of its tokens (RFC 8707 2).
    #[serde(rename = "resource")]
    pub id: String,
    /// As the consent page calls it.
    #[serde(rename = "resource_name")]
    pub name: String,
    /// Its own scopes, and then only these go into its tokens. Empty: it has none of its own.
    #[serde(default)]
    pub scope: ScopeSet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_format: Option<TokenFormat>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_signed_response_alg: Option<Algorithm>,
    pub created_at: Timestamp,
}

closed_set! {
    /// What an access token looks like to others.
    #[derive(Default)]
    pub enum TokenFormat: Serialize + Deserialize {
        /// RFC 9068: a resource server can read and verify it alone.
        #[default]
        Jwt = "jwt",
        /// The same claims, sealed: only this server can read it.
        Opaque = "opaque",
    }
}

/// Everything the operator registered about resources and scopes, at one moment.
#[derive(Debug, Default, PartialEq)]
pub struct Catalogue {
    resources: Vec<Arc<Resource>>,
    scopes: Vec<RegisteredScope>,
}

impl Catalogue {
    pub fn new(resources: Vec<Resource>, mut scopes: Vec<RegisteredScope>) -> Self {
        let mut resources: Vec<_> = resources.into_iter().map(Arc::new).collect();
        resources.sort_by(|one, other| one.id.cmp(&other.id));
        scopes.sort_by(|one, other| one.name.cmp(&other.name));
        Self { resources, scopes }
    }

    /// The resource of this very URI.
    pub fn resource(&self, id: &str) -> Option<&Arc<Resource>> {
        let at = self.resources.binary_search_by(|resource| resource.id.as_str().cmp(id));
        at.ok().and_then(|at| self.resources.get(at))
    }

    pub fn scope(&self, name: &str) -> Option<&RegisteredScope> {
        let at = self.scopes.binary_search_by(|scope| scope.name.as_str().cmp(name));
        at.ok().and_then(|at| self.scopes.get(at))
    }

    /// The scopes that anybody may know of.
    pub fn public_scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().filter(|scope| scope.is_public).map(|scope| scope.name.as_str())
    }
}
