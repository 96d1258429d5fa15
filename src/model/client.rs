//! A registered client: RFC 7591 metadata, plus the switches of this server.

mod exchange;
mod identity;
mod logout;
mod origin;
mod requests;
mod sign_in;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::closed_set::closed_set;
use super::{
    Algorithm, AssertionAlgorithm, ClaimsMapping, ClientId, KeySource, ProfileName, ScopeSet, ScopeStrategy,
    Secret, Switches, Timestamp, TokenFormat, key_source,
};

pub use exchange::{ClientExchange, TokenExchangePolicy};
pub use identity::{ClientIdentity, SubjectType, sector};
pub use logout::ClientLogout;
pub use origin::{ApplicationType, ClientOrigin, SelfRegistered};
pub use requests::ClientRequests;
pub use sign_in::ClientSignIn;

/// A client as registered: the serialised form is its metadata document, without its secrets. What follows from it, and from
/// its profile, is [`Client`](super::Client).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientMetadata {
    #[serde(rename = "client_id")]
    pub id: ClientId,
    #[serde(rename = "client_name")]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    pub grant_types: Vec<GrantType>,
    /// Scopes the client may ask for.
    pub scope: ScopeSet,
    /// How these cover the ones it asks for. None: the profile's. Ask [`Client::policy`](super::Client::policy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_strategy: Option<ScopeStrategy>,
    pub token_endpoint_auth_method: AuthMethod,
    /// None: every algorithm that goes with the method (RFC 7591 2, OpenID Connect Dynamic Client Registration 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<AssertionAlgorithm>,
    /// The client's public keys.
    #[serde(flatten, deserialize_with = "key_source::deserialize")]
    pub keys: Option<KeySource>,
    /// None: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// None: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_signed_response_alg: Option<Algorithm>,
    /// `aud` of the client's access tokens; the issuer where empty (RFC 9068 3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// The registered resources it may ask tokens for (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The resource whose server this client is: it may ask about that one's tokens, and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_server: Option<String>,
    /// None: the profile's. Ask [`Client::policy`](super::Client::policy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_format: Option<TokenFormat>,
    /// Extra claims of its access tokens.
    #[serde(default, skip_serializing_if = "ClaimsMapping::is_empty")]
    pub claims_mapping: ClaimsMapping,
    /// Extra claims of its ID tokens.
    #[serde(default, skip_serializing_if = "ClaimsMapping::is_empty")]
    pub id_token_claims_mapping: ClaimsMapping,
    /// Whether the operator's service has a say in its tokens. None: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_hook: Option<bool>,
    #[serde(default)]
    pub skip_consent: bool,
    /// Whether device authorizations come with a link that fills in the user code (RFC 8628 3.3.1).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verification_uri_complete: bool,
    /// Whose login and consent pages; none: the server's `ui.default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui: Option<Ui>,
    /// None: the profile's. Ask [`Client::policy`](super::Client::policy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkce: Option<PkcePolicy>,
    /// None: the profile's. Ask [`Client::policy`](super::Client::policy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_policy: Option<IntrospectionPolicy>,
    /// Seconds; none: the profile's, or the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_code_lifetime: Option<i64>,
    /// Seconds; none: the profile's, or the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_lifetime: Option<Lifetime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_idle_lifetime: Option<Lifetime>,
    #[serde(flatten)]
    pub requests: ClientRequests,
    #[serde(flatten)]
    pub identity: ClientIdentity,
    #[serde(flatten)]
    pub sign_in: ClientSignIn,
    #[serde(flatten)]
    pub logout: ClientLogout,
    #[serde(flatten)]
    pub origin: ClientOrigin,
    #[serde(flatten)]
    pub exchange: ClientExchange,
    #[serde(flatten)]
    pub switches: Switches,
    /// When it was registered (RFC 7591 3.2.1).
    #[serde(rename = "client_id_issued_at")]
    pub created_at: Timestamp,
}

impl ClientMetadata {
    /// The client's public keys, where it gave them itself.
    pub fn jwks(&self) -> Option<&Value> {
        self.keys.as_ref().and_then(KeySource::jwks)
    }

    /// Where the client's public keys are, if not here.
    pub fn jwks_uri(&self) -> Option<&String> {
        self.keys.as_ref().and_then(KeySource::jwks_uri)
    }
}

impl ClientMetadata {
    /// Whether the client can prove who it is (RFC 6749 2.1).
    pub fn is_confidential(&self) -> bool {
        self.token_endpoint_auth_method != AuthMethod::None
    }

    /// The name of its profile.
    pub fn profile(&self) -> &str {
        self.switches.profile.as_ref().map_or(ProfileName::STRICT, ProfileName::as_str)
    }

    /// Whether it is an application of the operator, who registers those themselves.
    pub fn is_first_party(&self) -> bool {
        self.switches.first_party.unwrap_or(false) && !self.is_self_registered()
    }

    /// Whether it came by the registration endpoint: nobody here has looked at it.
    pub fn is_self_registered(&self) -> bool {
        self.origin.self_registered.is_some()
    }

    /// Whether its users are not asked. Never for one that registered itself, whatever its row says.
    pub fn skips_consent(&self) -> bool {
        self.skip_consent && !self.is_self_registered()
    }

    /// Whether everybody may start it from their account page: one of the operator's own that knows how.
    pub fn is_for_everybody(&self) -> bool {
        self.is_first_party() && self.sign_in.initiate_login_uri.is_some()
    }

    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }
}

closed_set! {
    /// `token_endpoint_auth_method` (RFC 7591 2).
    pub enum AuthMethod: Serialize + Deserialize {
        ClientSecretBasic = "client_secret_basic",
        ClientSecretPost = "client_secret_post",
        /// RFC 7523 2.2 with an HMAC (OpenID Connect Core 9).
        ClientSecretJwt = "client_secret_jwt",
        /// RFC 7523 2.2 with a signature (OpenID Connect Core 9).
        PrivateKeyJwt = "private_key_jwt",
        None = "none",
    }
}

impl AuthMethod {
    /// Whether a client of this method has a secret.
    pub fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt)
    }
}

closed_set! {
    /// `grant_type` values the server speaks.
    pub enum GrantType: Serialize + Deserialize {
        AuthorizationCode = "authorization_code",
        RefreshToken = "refresh_token",
        ClientCredentials = "client_credentials",
        /// RFC 6749 4.2: not at the token endpoint. Off unless the server and the client both have it on.
        Implicit = "implicit",
        /// Off unless the server and the client both have it on.
        Password = "password",
        /// RFC 8628 3.4
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
        /// RFC 7523 2.1
        JwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer",
        /// RFC 8693 2.1
        TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
    }
}

impl GrantType {
    /// Whether a client that registered itself may have it. Where a password or somebody else's word takes the place of
    /// the user's own consent, the operator has to know the application.
    pub fn is_for_self_registered(self) -> bool {
        match self {
            Self::AuthorizationCode
            | Self::RefreshToken
            | Self::ClientCredentials
            | Self::Implicit
            | Self::DeviceCode => true,
            Self::Password | Self::JwtBearer | Self::TokenExchange => false,
        }
    }
}

closed_set! {
    /// Whose login and consent pages people see.
    #[derive(Default)]
    pub enum Ui: Serialize + Deserialize {
        #[default]
        Own = "own",
        /// The ones at `ui.login_url` and `ui.consent_url`.
        External = "external",
    }
}

closed_set! {
    /// Whether a client must use PKCE (RFC 7636).
    #[derive(Default)]
    pub enum PkcePolicy: Serialize + Deserialize {
        #[default]
        Required = "required",
        /// For confidential clients only.
        Optional = "optional",
    }
}

closed_set! {
    /// Which tokens a client may ask about (RFC 7662 2.1).
    #[derive(Default)]
    pub enum IntrospectionPolicy: Serialize + Deserialize {
        /// Its own tokens, and those whose audience it is.
        #[default]
        Audience = "audience",
        /// Every token of this server.
        Any = "any",
    }
}

/// A lifetime in seconds, or without end (written `-1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub enum Lifetime {
    Seconds(i64),
    Unlimited,
}

impl Lifetime {
    /// The moment it ends when it starts at `start`; none where it never does.
    pub fn end(self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Seconds(seconds) => Some(start.plus(seconds)),
            Self::Unlimited => None,
        }
    }
}

impl From<i64> for Lifetime {
    fn from(seconds: i64) -> Self {
        if seconds < 0 { Self::Unlimited } else { Self::Seconds(seconds) }
    }
}

impl From<Lifetime> for i64 {
    fn from(lifetime: Lifetime) -> Self {
        match lifetime {
            Lifetime::Seconds(seconds) => seconds,
            Lifetime::Unlimited => -1,
        }
    }
}

/// SHA-256 digests of the secrets a client may prove itself with.
#[derive(Debug, Clone, Default)]
pub struct ClientSecrets {
    pub current: Option<[u8; 32]>,
    /// The current one under the master key, only where the server has to use it itself (`clients::open_secret`).
    pub sealed: Option<Secret>,
    /// The one before the last rotation, while it still counts.
    pub retired: Option<RetiredSecret>,
}

/// A rotated-out client secret and the moment it stops counting.
#[derive(Debug, Clone)]
pub struct RetiredSecret {
    pub digest: [u8; 32],
    /// It under the master key, where the server has to use it itself.
    pub sealed: Option<Secret>,
    pub expires_at: Timestamp,
}
