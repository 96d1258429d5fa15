//! Single claims that an authorization request asks for (OpenID Connect Core 5.5).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Scope, ScopeSet};

/// What is asked for, as far as the client may have it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userinfo: Vec<RequestedClaim>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token: Vec<RequestedClaim>,
}

/// One claim about the user. Whether it is essential makes no difference: one that is not there is left out, and it is
/// for the client to do without (OpenID Connect Core 5.5.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestedClaim {
    pub name: String,
    /// The scope that gives access to it: what the user is asked about.
    pub scope: Scope,
    /// What it may say, the best first; empty: anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

impl ClaimsRequest {
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }

    /// The scopes that give access to the claims.
    pub fn scope(&self) -> ScopeSet {
        self.userinfo.iter().chain(&self.id_token).map(|claim| claim.scope.clone()).collect()
    }

    /// The claims that these scopes give access to.
    pub fn within(mut self, scope: &ScopeSet) -> Self {
        self.userinfo.retain(|claim| scope.contains(claim.scope.as_str()));
        self.id_token.retain(|claim| scope.contains(claim.scope.as_str()));
        self
    }
}
