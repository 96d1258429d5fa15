//! The password grant (RFC 6749 4.3), which RFC 9700 2.4 forbids: what is left of it for those who cannot do without.

use super::error::{ErrorCode, OAuthError};
use super::scope;
use crate::model::{Catalogue, Client, Scope, ScopeSet};

/// The scope that is granted: nobody is asked, so it never exceeds the client's list, and identity and offline access
/// have to be asked for by name.
pub(crate) fn scope(
    client: &Client,
    asked: Option<&str>,
    catalogue: &Catalogue,
) -> Result<ScopeSet, OAuthError> {
    // RFC 6749 3.3: a server without a scope to go by processes a default or fails.
    if !client.is_first_party() {
        let description = "The password grant is for the operator's own applications.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    let Some(text) = asked else {
        let strategy = client.policy().scope_strategy;
        let by_name = |held: &str| {
            [Scope::OPENID, Scope::OFFLINE_ACCESS].iter().any(|name| scope::covers(strategy, held, name))
                || (held == Scope::OFFLINE && scope::is_registered_for_offline(client))
        };
        return Ok(client.scope.filter(|held| !by_name(held)));
    };
    scope::asked(text, client, catalogue)
}

#[cfg(test)]
mod tests {
    use super::scope;
    use crate::model::{Catalogue, Client};

    fn client(first_party: bool) -> Client {
        let metadata = serde_json::json!({
            "client_id": "app", "client_name": "App", "grant_types": ["password"],
            "scope": "openid offline_access read write", "token_endpoint_auth_method": "none",
            "first_party": first_party, "client_id_issued_at": 0,
        });
        crate::model::strict(metadata)
    }

    #[test]
    fn who_asks_for_nothing_gets_no_identity_and_no_offline_access() {
        let granted =
            |asked| scope(&client(true), asked, &Catalogue::default()).map(|scope| scope.to_string());
        assert_eq!(granted(None).unwrap(), "read write");
        assert_eq!(granted(Some("openid read")).unwrap(), "openid read");
        assert!(granted(Some("read admin")).is_err());
        assert!(granted(Some("re\"ad")).is_err());
    }

    #[test]
    fn a_client_of_others_gets_nothing() {
        assert_eq!(
            scope(&client(false), None, &Catalogue::default()).unwrap_err().code.as_str(),
            "unauthorized_client"
        );
    }
}
