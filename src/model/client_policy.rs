//! The switches of a client: what its profile presets, what it set itself, and what follows from both.
//!
//! A profile is a set of presets for the clients of one other system, and nothing more: everything it does can be had
//! by single switches, and a switch that is set wins over the profile.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{
    AuthMethod, Client, GrantType, IntrospectionPolicy, Lifetime, PkcePolicy, RequestObjectAlgorithm, Scope,
    ScopeStrategy, TokenFormat,
};

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// Whose clients the presets are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientProfile {
    /// The strict one: today's standards.
    #[default]
    Default,
    Ilert,
    Fattureincloud,
    Primer,
    Aqueduct,
    Hydra16,
}

impl ClientProfile {
    pub const ALL: [Self; 6] =
        [Self::Default, Self::Ilert, Self::Fattureincloud, Self::Primer, Self::Aqueduct, Self::Hydra16];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Ilert => "ilert",
            Self::Fattureincloud => "fattureincloud",
            Self::Primer => "primer",
            Self::Aqueduct => "aqueduct",
            Self::Hydra16 => "hydra16",
        }
    }

    /// What the profile says of a client with a secret that says nothing itself.
    pub fn preset(self) -> ClientPolicy {
        ClientPolicy::preset(self, AuthMethod::ClientSecretBasic)
    }
}

/// Who gets a refresh token. Never a client that acts for itself (RFC 6749 4.4.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenPolicy {
    /// Who asked for `offline_access` and got it (OpenID Connect Core 11).
    #[default]
    OfflineAccess,
    /// That, and whoever has a client secret. A client with a key asks for `offline_access` like one without either.
    OfflineOrSecret,
    Always,
    /// Whoever proves who it is, by a secret or a key, and nobody else.
    ConfidentialOnly,
    Never,
}

/// What a refresh does to the refresh token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotationPolicy {
    /// It is replaced, and a replay is noticed (RFC 9700 4.14.2).
    #[default]
    Rotate,
    /// It stays, and so does its end. For confidential clients only, whose secret protects it instead.
    Reuse,
}

/// Whether something may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Required,
    Optional,
}

/// Which status codes the client expects where they differ from the standards'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusProfile {
    /// RFC 6749 5.2, RFC 6750 3.1.
    #[default]
    Standard,
    /// 401 for `invalid_grant`.
    #[serde(rename = "invalid_grant_401")]
    InvalidGrant401,
    /// 403 at UserInfo for a token that is missing or not good.
    #[serde(rename = "userinfo_403")]
    Userinfo403,
}

/// What UserInfo answers with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserinfoProfile {
    /// OpenID Connect Core 5.3.2.
    #[default]
    Standard,
    /// A JWT, by GET only, signed with the client's secret: `sub` is the user's name, `iss` the server's.
    #[serde(rename = "legacy_hs256")]
    LegacyHs256,
}

/// Whether an allowed application is asked about again when the request does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPolicy {
    /// Not again, unless anybody could be the application: a public one on a loopback address or a private-use scheme
    /// (RFC 6749 10.2, RFC 8252 8.6).
    #[default]
    Proven,
    /// Not again, whoever it is.
    Remember,
    /// The request says `approval_prompt=auto` where once is enough.
    Always,
}

/// What the token response says a second time, or in other letters, for clients that read it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenResponseAlias {
    /// `scopes` beside `scope`.
    Scopes,
    /// `expire_in` beside `expires_in`.
    ExpireIn,
    /// `token_type` is `bearer`; it is compared without regard to case (RFC 6749 5.1).
    Bearer,
}

/// What the `aud` of an assertion may be (RFC 7523 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// The server's issuer and nothing else, as draft-ietf-oauth-rfc7523bis demands.
    Issuer,
    /// Also the endpoint that the assertion is sent to, as older libraries write it.
    IssuerOrTokenEndpoint,
}

/// The switches as registered; one that is absent is the profile's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Switches {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ClientProfile>,
    /// An application of the operator: it may be trusted with passwords and with silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_party: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_policy: Option<RefreshTokenPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationPolicy>,
    /// Whether a client with a secret has to send it to refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_authentication: Option<Presence>,
    /// Seconds that have to pass between two refreshes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<i64>,
    /// Grants with refresh tokens that a user can have with the client; the oldest are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_refresh_grants: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_response_aliases: Option<Vec<TokenResponseAlias>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_profile: Option<StatusProfile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_profile: Option<UserinfoProfile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_policy: Option<ConsentPolicy>,
    /// Whether it may say `offline` for `offline_access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_alias: Option<bool>,
    /// `state` in authorization requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Presence>,
    /// `redirect_uri` in token requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_redirect_uri: Option<Presence>,
    /// The word `Basic` before the credentials in the `Authorization` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_scheme: Option<Presence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_audience: Option<AssertionAudience>,
}

/// What holds for a client: its switches, where they are absent its profile's, where that says nothing the server's.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientPolicy {
    pub pkce: PkcePolicy,
    pub introspection: IntrospectionPolicy,
    pub refresh: RefreshTokenPolicy,
    pub rotation: RotationPolicy,
    pub refresh_authentication: Presence,
    pub refresh_interval: Option<i64>,
    pub max_refresh_grants: Option<i64>,
    pub refresh_token_lifetime: Option<Lifetime>,
    pub refresh_token_idle_lifetime: Option<Lifetime>,
    pub access_token_lifetime: Option<i64>,
    pub authorization_code_lifetime: Option<i64>,
    aliases: Vec<TokenResponseAlias>,
    pub status: StatusProfile,
    pub userinfo: UserinfoProfile,
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

impl ClientPolicy {
    pub fn has_alias(&self, alias: TokenResponseAlias) -> bool {
        self.aliases.contains(&alias)
    }

    /// The strict defaults; a lifetime that is none is the server's.
    #[inline]
    fn strict() -> Self {
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

    /// What a profile presets for a client that authenticates by this method.
    #[inline]
    fn preset(profile: ClientProfile, method: AuthMethod) -> Self {
        let strict = Self::strict();
        let year = Some(Lifetime::Seconds(YEAR));
        let policy = match profile {
            ClientProfile::Default => return strict,
            ClientProfile::Ilert => Self {
                refresh: RefreshTokenPolicy::OfflineOrSecret,
                max_refresh_grants: Some(10),
                refresh_token_lifetime: year,
                refresh_token_idle_lifetime: year,
                access_token_lifetime: Some(3600),
                authorization_code_lifetime: Some(120),
                status: StatusProfile::InvalidGrant401,
                scope_strategy: ScopeStrategy::Hierarchical,
                ..strict
            },
            ClientProfile::Fattureincloud => Self {
                refresh: RefreshTokenPolicy::Always,
                refresh_token_lifetime: year,
                refresh_token_idle_lifetime: year,
                authorization_code_lifetime: Some(60),
                ..strict
            },
            ClientProfile::Primer => Self {
                refresh: RefreshTokenPolicy::Always,
                refresh_authentication: Presence::Optional,
                authorization_code_lifetime: Some(600),
                aliases: vec![TokenResponseAlias::Scopes],
                status: StatusProfile::Userinfo403,
                userinfo: UserinfoProfile::LegacyHs256,
                consent: ConsentPolicy::Always,
                token_redirect_uri: Presence::Required,
                ..strict
            },
            ClientProfile::Aqueduct => Self {
                refresh: RefreshTokenPolicy::Always,
                rotation: RotationPolicy::Reuse,
                access_token_lifetime: Some(DAY),
                authorization_code_lifetime: Some(600),
                aliases: vec![TokenResponseAlias::ExpireIn, TokenResponseAlias::Bearer],
                state: Presence::Required,
                authorization_scheme: Presence::Optional,
                token_format: TokenFormat::Opaque,
                scope_strategy: ScopeStrategy::Hierarchical,
                ..strict
            },
            ClientProfile::Hydra16 => Self {
                introspection: IntrospectionPolicy::Any,
                assertion_audience: Some(AssertionAudience::IssuerOrTokenEndpoint),
                refresh_token_lifetime: Some(Lifetime::Seconds(30 * DAY)),
                token_format: TokenFormat::Opaque,
                scope_strategy: ScopeStrategy::Wildcard,
                offline_alias: true,
                ..strict
            },
        };
        Self { pkce: PkcePolicy::Optional, ..policy }.for_method(method)
    }

    /// What is for clients with a secret or a key falls back to the strict choice for one without.
    #[inline]
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

impl Client {
    pub fn profile(&self) -> ClientProfile {
        self.switches.profile.unwrap_or_default()
    }

    /// Whether it is an application of the operator, who registers those themselves.
    pub fn is_first_party(&self) -> bool {
        self.switches.first_party.unwrap_or(false) && !self.is_self_registered()
    }

    /// What holds for this client. Inlined, so that who wants one member does not work out the others.
    #[inline(always)]
    pub fn policy(&self) -> ClientPolicy {
        let preset = ClientPolicy::preset(self.profile(), self.token_endpoint_auth_method);
        let own = &self.switches;
        ClientPolicy {
            pkce: self.pkce.unwrap_or(preset.pkce),
            introspection: self.introspection_policy.unwrap_or(preset.introspection),
            refresh: own.refresh_policy.unwrap_or(preset.refresh),
            rotation: own.rotation.unwrap_or(preset.rotation),
            refresh_authentication: own.refresh_authentication.unwrap_or(preset.refresh_authentication),
            refresh_interval: own.refresh_interval.or(preset.refresh_interval),
            max_refresh_grants: own.max_refresh_grants.or(preset.max_refresh_grants),
            refresh_token_lifetime: self.refresh_token_lifetime.or(preset.refresh_token_lifetime),
            refresh_token_idle_lifetime: self
                .refresh_token_idle_lifetime
                .or(preset.refresh_token_idle_lifetime),
            access_token_lifetime: self.access_token_lifetime.or(preset.access_token_lifetime),
            authorization_code_lifetime: self
                .authorization_code_lifetime
                .or(preset.authorization_code_lifetime),
            aliases: own.token_response_aliases.clone().unwrap_or(preset.aliases),
            status: own.status_profile.unwrap_or(preset.status),
            userinfo: own.userinfo_profile.unwrap_or(preset.userinfo),
            consent: own.consent_policy.unwrap_or(preset.consent),
            state: own.state.unwrap_or(preset.state),
            token_redirect_uri: own.token_redirect_uri.unwrap_or(preset.token_redirect_uri),
            authorization_scheme: own.authorization_scheme.unwrap_or(preset.authorization_scheme),
            assertion_audience: own.assertion_audience.or(preset.assertion_audience),
            token_format: self.token_format.unwrap_or(preset.token_format),
            scope_strategy: self.scope_strategy.unwrap_or(preset.scope_strategy),
            offline_alias: own.offline_alias.unwrap_or(preset.offline_alias),
        }
        // A registration that says otherwise is refused; a row that does is read strictly.
        .for_method(self.token_endpoint_auth_method)
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
    pub fn gets_refresh_token(&self, scope: &super::ScopeSet) -> bool {
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
