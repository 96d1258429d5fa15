//! Whose tokens a client may exchange, and for what (RFC 8693). It needs the grant type besides.

use serde::{Deserialize, Serialize};

use super::super::ClientId;
use super::super::closed_set::closed_set;

/// What a client may do at the token endpoint with tokens of users and of others. A part of the metadata of
/// [`ClientMetadata`](super::ClientMetadata).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientExchange {
    /// None: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_exchange_policy: Option<TokenExchangePolicy>,
    /// The clients whose access tokens it may exchange beside its own and those whose audience it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_exchange_clients: Vec<String>,
    /// The `sub` of who alone may exchange this client's tokens, or be the actor when they are (RFC 8693 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<String>,
}

impl ClientExchange {
    /// In place of a client_id, which cannot be this: every client.
    pub const EVERY_CLIENT: &str = "*";

    pub fn policy(&self) -> TokenExchangePolicy {
        self.token_exchange_policy.unwrap_or_default()
    }

    /// Whether it is registered for every client's tokens.
    pub fn takes_any(&self) -> bool {
        self.token_exchange_clients.iter().any(|id| id == Self::EVERY_CLIENT)
    }

    /// Whether it is registered for the tokens of this client.
    pub fn takes_those_of(&self, client: &ClientId) -> bool {
        self.takes_any() || self.token_exchange_clients.iter().any(|id| id == client.as_str())
    }
}

closed_set! {
    /// What a client may exchange tokens for (RFC 8693 1.1).
    #[derive(Default)]
    pub enum TokenExchangePolicy: Serialize + Deserialize {
        /// Tokens that name who acts for the subject: every request needs an actor token.
        #[default]
        Delegation = "delegation",
        /// Tokens that speak for the subject alone.
        Impersonation = "impersonation",
        /// Both.
        Any = "any",
    }
}

impl TokenExchangePolicy {
    pub fn allows_delegation(self) -> bool {
        self != Self::Impersonation
    }

    pub fn allows_impersonation(self) -> bool {
        self != Self::Delegation
    }
}
