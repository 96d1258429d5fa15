//! What a client is that somebody creates who says nothing else of it.

use crate::model::{
    AuthMethod, ClaimsMapping, ClientExchange, ClientId, ClientIdentity, ClientLogout, ClientMetadata,
    ClientOrigin, ClientRequests, ClientSignIn, GrantType, ScopeSet, Switches, Timestamp,
};

const PERSONAL_SCOPE: &str = "openid profile email";
const OFFLINE_SCOPE: &str = "openid profile email offline_access";

/// A client with nothing but the defaults.
pub(crate) fn client(id: ClientId, name: String, now: Timestamp) -> ClientMetadata {
    ClientMetadata {
        id,
        name,
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: ScopeSet::default(),
        scope_strategy: None,
        token_endpoint_auth_method: AuthMethod::ClientSecretBasic,
        token_endpoint_auth_signing_alg: None,
        keys: None,
        id_token_signed_response_alg: None,
        access_token_signed_response_alg: None,
        audience: Vec::new(),
        resources: Vec::new(),
        resource_server: None,
        token_format: None,
        claims_mapping: ClaimsMapping::new(),
        id_token_claims_mapping: ClaimsMapping::new(),
        token_hook: None,
        skip_consent: false,
        verification_uri_complete: false,
        ui: None,
        pkce: None,
        introspection_policy: None,
        authorization_code_lifetime: None,
        access_token_lifetime: None,
        refresh_token_lifetime: None,
        refresh_token_idle_lifetime: None,
        requests: ClientRequests::default(),
        identity: ClientIdentity::default(),
        sign_in: ClientSignIn::default(),
        logout: ClientLogout::default(),
        origin: ClientOrigin::default(),
        exchange: ClientExchange::default(),
        switches: Switches::default(),
        created_at: now,
    }
}

/// The scope of a new client that named none. A machine acts for nobody, so it has nobody's profile to read.
pub(super) fn scope(grant_types: &[GrantType]) -> &'static str {
    let has = |grant_type| grant_types.contains(&grant_type);
    let for_a_user =
        [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::Implicit].into_iter().any(has);
    match (for_a_user, has(GrantType::RefreshToken)) {
        (true, true) => OFFLINE_SCOPE,
        (true, false) => PERSONAL_SCOPE,
        (false, _) => "",
    }
}
