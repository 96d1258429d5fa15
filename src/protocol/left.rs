//! What is left of what was granted. The operator, or the client itself (RFC 7592 2.2), may have taken scopes, resources
//! and audiences from a client since: then they are in no token and in no answer any more. The grant keeps them, so
//! that what is given back counts again.

use std::borrow::Cow;

use super::claims::{AccessTokenClaims, Audience};
use super::error::{ErrorCode, OAuthError};
use super::{resource, scope};
use crate::model::{AuthorizationRequest, Catalogue, Client, Grant, GrantType, RequestedClaim, ScopeSet};

/// The scopes that the client may still ask for.
pub(crate) fn scope(granted: &ScopeSet, client: &Client, catalogue: &Catalogue) -> ScopeSet {
    granted.filter(scope::may_ask(client, catalogue))
}

/// The same of scopes that a request names, of which something has to be left.
pub(crate) fn scope_asked(
    asked: &ScopeSet,
    client: &Client,
    catalogue: &Catalogue,
) -> Result<ScopeSet, OAuthError> {
    let left = scope(asked, client, catalogue);
    if left.is_empty() && !asked.is_empty() { Err(none_left()) } else { Ok(left) }
}

fn none_left() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidScope, "None of the scopes that were asked for is left to the client.")
}

/// The same of a grant, of which something has to be left.
pub(crate) fn of_grant(
    grant: &Grant,
    client: &Client,
    catalogue: &Catalogue,
) -> Result<ScopeSet, OAuthError> {
    let left = scope(&grant.scope, client, catalogue);
    if left.is_empty() {
        return Err(OAuthError::invalid_grant("None of the scopes that were granted is left to the client."));
    }
    if granted_audience(grant, client).is_some_and(|left| left.is_empty()) {
        let description = "None of the audiences that were granted is left to the client.";
        return Err(OAuthError::new(ErrorCode::InvalidTarget, description));
    }
    Ok(left)
}

/// The audience that an external page granted, as far as it is the client's own still; none: it named none.
pub(crate) fn granted_audience(grant: &Grant, client: &Client) -> Option<Vec<String>> {
    let granted = grant.context.audience.as_ref().filter(|granted| !granted.is_empty())?;
    let is_left = |name: &&String| client.audience.contains(name) || grant.resources.contains(name);
    Some(granted.iter().filter(is_left).cloned().collect())
}

/// The single claims of scopes that the client may still ask for.
pub(crate) fn claims<'c>(
    granted: &'c [RequestedClaim],
    client: &Client,
    catalogue: &Catalogue,
) -> Cow<'c, [RequestedClaim]> {
    if granted.is_empty() {
        return Cow::Borrowed(granted);
    }
    let may_ask = scope::may_ask(client, catalogue);
    let is_left = |claim: &&RequestedClaim| may_ask(claim.scope.as_str());
    match granted.iter().all(|claim| is_left(&claim)) {
        true => Cow::Borrowed(granted),
        false => granted.iter().filter(is_left).cloned().collect(),
    }
}

/// Takes out of an authorization request what its client could ask for when it was checked, and cannot any more.
pub(crate) fn narrow_request(
    request: &mut AuthorizationRequest,
    client: &Client,
    catalogue: &Catalogue,
) -> Result<(), OAuthError> {
    let asked_for_some = !request.scope.is_empty();
    narrow(request, client, catalogue);
    if asked_for_some && request.scope.is_empty() { Err(none_left()) } else { Ok(()) }
}

/// The same, also where nothing is left.
pub(crate) fn narrow(request: &mut AuthorizationRequest, client: &Client, catalogue: &Catalogue) {
    let may_ask = scope::may_ask(client, catalogue);
    let AuthorizationRequest { scope, claims, .. } = request;
    for single in [&mut claims.userinfo, &mut claims.id_token] {
        single.retain(|claim| may_ask(claim.scope.as_str()));
    }
    scope.retain(may_ask);
}

/// What an access token still says; none: nothing of its audience or of its scope is left, or its client may not have
/// such tokens any more.
pub(crate) fn of_token<'c>(
    token: &'c AccessTokenClaims,
    client: &Client,
    catalogue: &Catalogue,
    issuer: &str,
) -> Option<Cow<'c, AccessTokenClaims>> {
    if token.exchanged.is_some() && !may_still_exchange(token, client) {
        return None;
    }
    // Whether one of the client's own grants still stands is asked of that. Others have nothing but their date.
    let lone = token.grant.is_none() || token.exchanged.is_some();
    if lone && client.origin.tokens_not_before.is_some_and(|ended| token.iat <= ended) {
        return None;
    }
    let audience = resource::left(&token.aud, client, catalogue, issuer)?;
    let admits = |name: &str| resource::still_admits(&audience, name, client, catalogue);
    let may_ask = scope::may_ask(client, catalogue);
    let is_left = |name: &&str| may_ask(name) && admits(name);
    let mut scopes = token.scope.split(' ').filter(|name| !name.is_empty()).peekable();
    let had_scope = scopes.peek().is_some();
    if scopes.all(|name| is_left(&name)) && matches!(audience, Cow::Borrowed(_)) {
        return Some(Cow::Borrowed(token));
    }
    let scope: Vec<&str> = token.scope.split(' ').filter(|name| !name.is_empty()).filter(is_left).collect();
    // To whoever looks at `active` alone, a token that lost its only scope would be as good as before.
    if had_scope && scope.is_empty() {
        return None;
    }
    let scope = scope.join(" ");
    let aud: Audience = audience.into_owned();
    Some(Cow::Owned(AccessTokenClaims { scope, aud, ..token.clone() }))
}

/// RFC 8693: whether the client of an exchanged token could have one of its kind now. An actor may have been named
/// before, in the subject token, so that `act` alone does not show delegation.
fn may_still_exchange(token: &AccessTokenClaims, client: &Client) -> bool {
    let allowed = token.act.is_some() || client.exchange.policy().allows_impersonation();
    client.may_use(GrantType::TokenExchange) && allowed
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Resource;

    const ISSUER: &str = "https://id.example";

    fn client(change: Value) -> Client {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "grant_types": ["authorization_code"], "scope": "openid a b",
            "token_endpoint_auth_method": "none", "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        crate::model::strict(metadata)
    }

    fn token(change: Value) -> AccessTokenClaims {
        let mut claims = json!({
            "iss": ISSUER, "sub": "u", "aud": ISSUER, "client_id": "app", "iat": 0, "exp": 9, "jti": "t",
            "scope": "openid a",
        });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(claims).unwrap()
    }

    fn catalogue(scope: &str) -> Catalogue {
        let resource: Resource = serde_json::from_value(json!({
            "resource": "https://api.example", "resource_name": "API", "scope": scope, "created_at": 0,
        }))
        .unwrap();
        Catalogue::new(vec![resource], Vec::new())
    }

    /// Scope and audience of what is left.
    fn left(token_has: Value, client_has: Value, catalogue: &Catalogue) -> Option<(String, Value)> {
        let token = token(token_has);
        let left = of_token(&token, &client(client_has), catalogue, ISSUER)?;
        Some((left.scope.clone(), json!(left.aud)))
    }

    #[test]
    fn a_token_keeps_what_its_client_still_has() {
        let none = Catalogue::default();
        let whole = Some(("openid a".to_owned(), json!(ISSUER)));
        assert_eq!(left(json!({}), json!({}), &none), whole);
        // What is added later takes nothing away, nor does a default audience that is named later.
        assert_eq!(left(json!({}), json!({"scope": "openid a b c", "audience": ["api"]}), &none), whole);
        assert_eq!(left(json!({}), json!({"scope": "a"}), &none), Some(("a".to_owned(), json!(ISSUER))));
        assert_eq!(left(json!({}), json!({"scope": "b"}), &none), None);
        assert_eq!(
            left(json!({"scope": ""}), json!({"scope": "b"}), &none),
            Some((String::new(), json!(ISSUER)))
        );
    }

    #[test]
    fn a_token_for_what_was_taken_away_is_for_nothing() {
        let api = json!({"aud": "https://api.example", "scope": "a"});
        let has = json!({"resources": ["https://api.example"]});
        let whole = Some(("a".to_owned(), json!("https://api.example")));
        assert_eq!(left(api.clone(), has.clone(), &catalogue("a")), whole);
        assert_eq!(left(api.clone(), has.clone(), &catalogue("")), whole);
        assert_eq!(left(api.clone(), json!({}), &catalogue("a")), None, "taken from the client");
        assert_eq!(left(api.clone(), has.clone(), &Catalogue::default()), None, "not registered any more");
        assert_eq!(left(api, has, &catalogue("b")), None, "the scope is not the resource's any more");
        let both = json!({"aud": ["https://api.example", "own"], "scope": "a"});
        let rest = Some(("a".to_owned(), json!("own")));
        assert_eq!(left(both, json!({"audience": ["own"]}), &catalogue("a")), rest);
        let with_issuer = json!({"aud": [ISSUER, "own"], "scope": "a"});
        assert_eq!(left(with_issuer, json!({"audience": ["own"]}), &Catalogue::default()), rest);
    }

    #[test]
    fn an_exchanged_token_ends_when_its_client_may_not_exchange_any_more() {
        let none = Catalogue::default();
        let grant_types = json!(["urn:ietf:params:oauth:grant-type:token-exchange"]);
        let exchanged = json!({"exchanged": "user", "scope": "a"});
        let any = json!({"grant_types": grant_types, "token_exchange_policy": "any"});
        assert!(left(exchanged.clone(), any.clone(), &none).is_some());
        assert!(left(exchanged.clone(), json!({"token_exchange_policy": "any"}), &none).is_none());
        let delegation = json!({"grant_types": grant_types, "token_exchange_policy": "delegation"});
        assert!(left(exchanged, delegation.clone(), &none).is_none());
        let acting = json!({"exchanged": "user", "scope": "a", "act": {"sub": "b"}});
        assert!(left(acting, delegation, &none).is_some());
    }
}
