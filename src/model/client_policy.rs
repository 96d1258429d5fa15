//! What holds for a client: its switches, where they are absent its profile's, where that says nothing the server's.
//!
//! A profile is a set of presets for the clients of one other system, and nothing more: everything it does can be had
//! by single switches, and a switch that is set wins over the profile. Which profiles there are is data
//! (`config/profiles.rs`).

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::Deserialize;

use super::{
    AssertionAudience, AuthMethod, ClientMetadata, ConsentPolicy, GrantType, IntrospectionPolicy, Lifetime,
    PkcePolicy, Presence, ProfileName, RefreshTokenPolicy, RequestObjectAlgorithm, RotationPolicy, Scope,
    ScopeSet, ScopeStrategy, StatusProfile, TokenFormat, TokenResponseAlias, UserinfoProfile,
};

/// What holds for a client, or what a profile presets: then a member has the name that it has in a client's metadata,
/// and one that is left out is strict. A lifetime that is none is the server's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientPolicy {
    pub pkce: PkcePolicy,
    #[serde(rename = "introspection_policy")]
    pub introspection: IntrospectionPolicy,
    #[serde(rename = "refresh_policy")]
    pub refresh: RefreshTokenPolicy,
    pub rotation: RotationPolicy,
    pub refresh_authentication: Presence,
    pub refresh_interval: Option<i64>,
    pub max_refresh_grants: Option<i64>,
    pub refresh_token_lifetime: Option<Lifetime>,
    pub refresh_token_idle_lifetime: Option<Lifetime>,
    pub access_token_lifetime: Option<i64>,
    pub authorization_code_lifetime: Option<i64>,
    #[serde(rename = "token_response_aliases")]
    aliases: Vec<TokenResponseAlias>,
    #[serde(rename = "status_profile")]
    pub status: StatusProfile,
    #[serde(rename = "userinfo_profile")]
    pub userinfo: UserinfoProfile,
    #[serde(rename = "consent_policy")]
    pub consent: ConsentPolicy,
    pub state: Presence,
    pub token_redirect_uri: Presence,
    pub authorization_scheme: Presence,
    /// None: what the server's settings say.
    pub assertion_audience: Option<AssertionAudience>,
    pub token_format: TokenFormat,
    pub scope_strategy: ScopeStrategy,
    pub offline_alias: bool,
}

impl Default for ClientPolicy {
    /// The strict one: today's standards.
    fn default() -> Self {
        Self {
            pkce: PkcePolicy::Required,
            introspection: IntrospectionPolicy::Audience,
            refresh: RefreshTokenPolicy::OfflineAccess,
            rotation: RotationPolicy::Rotate,
            refresh_authentication: Presence::Required,
            refresh_interval: None,
            max_refresh_grants: None,
            refresh_token_lifetime: None,
            refresh_token_idle_lifetime: None,
            access_token_lifetime: None,
            authorization_code_lifetime: None,
            aliases: Vec::new(),
            status: StatusProfile::Standard,
            userinfo: UserinfoProfile::Standard,
            consent: ConsentPolicy::Proven,
            state: Presence::Optional,
            token_redirect_uri: Presence::Optional,
            authorization_scheme: Presence::Required,
            assertion_audience: None,
            token_format: TokenFormat::Jwt,
            scope_strategy: ScopeStrategy::Exact,
            offline_alias: false,
        }
    }
}

impl ClientPolicy {
    pub fn has_alias(&self, alias: TokenResponseAlias) -> bool {
        self.aliases.contains(&alias)
    }

    /// What holds for a client whose profile presets this.
    fn of(client: &ClientMetadata, preset: &Self) -> Self {
        let own = &client.switches;
        Self {
            pkce: client.pkce.unwrap_or(preset.pkce),
            introspection: client.introspection_policy.unwrap_or(preset.introspection),
            refresh: own.refresh_policy.unwrap_or(preset.refresh),
            rotation: own.rotation.unwrap_or(preset.rotation),
            refresh_authentication: own.refresh_authentication.unwrap_or(preset.refresh_authentication),
            refresh_interval: own.refresh_interval.or(preset.refresh_interval),
            max_refresh_grants: own.max_refresh_grants.or(preset.max_refresh_grants),
            refresh_token_lifetime: client.refresh_token_lifetime.or(preset.refresh_token_lifetime),
            refresh_token_idle_lifetime: client
                .refresh_token_idle_lifetime
                .or(preset.refresh_token_idle_lifetime),
            access_token_lifetime: client.access_token_lifetime.or(preset.access_token_lifetime),
            authorization_code_lifetime: client
                .authorization_code_lifetime
                .or(preset.authorization_code_lifetime),
            aliases: own.token_response_aliases.as_ref().unwrap_or(&preset.aliases).clone(),
            status: own.status_profile.unwrap_or(preset.status),
            userinfo: own.userinfo_profile.unwrap_or(preset.userinfo),
            consent: own.consent_policy.unwrap_or(preset.consent),
            state: own.state.unwrap_or(preset.state),
            token_redirect_uri: own.token_redirect_uri.unwrap_or(preset.token_redirect_uri),
            authorization_scheme: own.authorization_scheme.unwrap_or(preset.authorization_scheme),
            assertion_audience: own.assertion_audience.or(preset.assertion_audience),
            token_format: client.token_format.unwrap_or(preset.token_format),
            scope_strategy: client.scope_strategy.unwrap_or(preset.scope_strategy),
            offline_alias: own.offline_alias.unwrap_or(preset.offline_alias),
        }
        // A registration that says otherwise is refused; a row that does is read strictly.
        .for_method(client.token_endpoint_auth_method)
    }

    /// What is for clients with a secret or a key falls back to the strict choice for one without.
    fn for_method(self, method: AuthMethod) -> Self {
        // Only a secret signs HS256: a client with a key has none.
        let userinfo = if method.has_secret() { self.userinfo } else { UserinfoProfile::Standard };
        if method != AuthMethod::None {
            return Self { userinfo, ..self };
        }
        Self {
            pkce: PkcePolicy::Required,
            rotation: RotationPolicy::Rotate,
            userinfo,
            refresh_authentication: Presence::Required,
            ..self
        }
    }
}

/// The profiles that there are: the strict one, and those for clients of other systems.
#[derive(Debug, Clone)]
pub struct Profiles(Arc<BTreeMap<ProfileName, Arc<ClientPolicy>>>);

impl Default for Profiles {
    fn default() -> Self {
        Self::of([])
    }
}

impl Profiles {
    /// Beside the strict one.
    pub fn of(others: impl IntoIterator<Item = (ProfileName, ClientPolicy)>) -> Self {
        let strict = (ProfileName::new(ProfileName::STRICT), ClientPolicy::default());
        let all = others.into_iter().chain([strict]);
        Self(Arc::new(all.map(|(name, presets)| (name, Arc::new(presets))).collect()))
    }

    pub fn presets(&self, name: &ProfileName) -> Result<&Arc<ClientPolicy>, UnknownProfile> {
        self.0.get(name).ok_or_else(|| UnknownProfile { name: name.clone(), known: self.names() })
    }

    /// The client, with what holds for it by its profile and its switches.
    pub fn resolve(&self, metadata: ClientMetadata) -> Result<Client, UnknownProfile> {
        let policy = match &metadata.switches.profile {
            Some(profile) => ClientPolicy::of(&metadata, self.presets(profile)?),
            None => ClientPolicy::of(&metadata, &ClientPolicy::default()),
        };
        Ok(Client { metadata, policy })
    }

    /// All names, the strict one's first.
    pub fn names(&self) -> String {
        let others = self.0.keys().map(ProfileName::as_str).filter(|name| *name != ProfileName::STRICT);
        std::iter::once(ProfileName::STRICT).chain(others).collect::<Vec<_>>().join(", ")
    }
}

/// A profile that this server does not know: nobody can say what holds for its client.
#[derive(Debug, thiserror::Error)]
#[error("\"{name}\" is not a profile: there are {known}")]
pub struct UnknownProfile {
    pub name: ProfileName,
    /// The names of those that there are.
    pub known: String,
}

/// A registered client with what holds for it, which is worked out once, when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    metadata: ClientMetadata,
    policy: ClientPolicy,
}

impl Deref for Client {
    type Target = ClientMetadata;

    #[inline]
    fn deref(&self) -> &ClientMetadata {
        &self.metadata
    }
}

impl Client {
    #[inline]
    pub fn policy(&self) -> &ClientPolicy {
        &self.policy
    }

    pub fn into_metadata(self) -> ClientMetadata {
        self.metadata
    }

    /// Whether the server has to know the secret itself, not only its digest.
    pub fn needs_sealed_secret(&self) -> bool {
        self.token_endpoint_auth_method == AuthMethod::ClientSecretJwt
            || self.policy().userinfo == UserinfoProfile::LegacyHs256
            || self.identity.encrypts_with_secret()
            || self.requests.encrypts_with_secret()
    }

    /// What is weaker here than by default, each in a few words.
    pub fn weakens(&self) -> Vec<&'static str> {
        let policy = self.policy();
        let unlimited = |lifetime: Option<Lifetime>| lifetime == Some(Lifetime::Unlimited);
        let longer = |seconds: Option<i64>, usual| seconds.is_some_and(|seconds| seconds > usual);
        let keeps_access =
            !matches!(policy.refresh, RefreshTokenPolicy::OfflineAccess | RefreshTokenPolicy::Never);
        let exchanges = self.may_use(GrantType::TokenExchange);
        let asserts = self.may_use(GrantType::JwtBearer)
            || matches!(
                self.token_endpoint_auth_method,
                AuthMethod::PrivateKeyJwt | AuthMethod::ClientSecretJwt
            );
        let for_endpoints = policy.assertion_audience == Some(AssertionAudience::IssuerOrTokenEndpoint);
        [
            (self.may_use(GrantType::Password), "password grant"),
            (self.requests.response_types.iter().any(|each| each.is_implicit()), "implicit response type"),
            (
                self.requests.request_object_signing_alg == Some(RequestObjectAlgorithm::None),
                "unsigned request objects",
            ),
            (policy.pkce == PkcePolicy::Optional, "PKCE optional"),
            (keeps_access, "refresh token without offline_access"),
            (policy.rotation == RotationPolicy::Reuse, "refresh token reused"),
            (policy.refresh_authentication == Presence::Optional, "refresh without the secret"),
            (unlimited(policy.refresh_token_lifetime), "refresh token without end"),
            (unlimited(policy.refresh_token_idle_lifetime), "unused refresh token without end"),
            (longer(policy.access_token_lifetime, 3600), "long access token"),
            (longer(policy.authorization_code_lifetime, 60), "long code"),
            (policy.introspection == IntrospectionPolicy::Any, "introspects any token"),
            (policy.userinfo == UserinfoProfile::LegacyHs256, "UserInfo signed with the secret"),
            (policy.authorization_scheme == Presence::Optional, "credentials without scheme"),
            (asserts && for_endpoints, "assertions for the token endpoint"),
            (self.skips_consent(), "no consent"),
            (
                policy.consent == ConsentPolicy::Remember && !self.is_confidential(),
                "consent remembered without proof",
            ),
            (exchanges && self.exchange.policy().allows_impersonation(), "impersonation by token exchange"),
            (exchanges && self.exchange.takes_any(), "exchanges any token"),
        ]
        .into_iter()
        .filter_map(|(weaker, words)| weaker.then_some(words))
        .collect()
    }

    /// Whether a grant of this scope comes with a refresh token.
    pub fn gets_refresh_token(&self, scope: &ScopeSet) -> bool {
        let offline = scope.contains(Scope::OFFLINE_ACCESS);
        let by_policy = match self.policy().refresh {
            RefreshTokenPolicy::OfflineAccess => offline,
            RefreshTokenPolicy::OfflineOrSecret => offline || self.token_endpoint_auth_method.has_secret(),
            RefreshTokenPolicy::Always => true,
            RefreshTokenPolicy::ConfidentialOnly => self.is_confidential(),
            RefreshTokenPolicy::Never => false,
        };
        by_policy && self.may_use(GrantType::RefreshToken)
    }
}
