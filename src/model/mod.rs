//! Plain values: identifiers, secrets, times, scopes, and the things the server keeps.
//!
//! Nothing here does IO, reads a clock or knows a framework; every other room may use it.

mod algorithm;
mod assertion_algorithm;
mod audit_entry;
mod audit_tally;
mod authorization_request;
mod claim_source;
mod claims_request;
mod client;
mod client_policy;
pub(crate) mod closed_set;
mod consent;
mod data_key;
mod device_authorization;
mod encryption;
mod error_code;
mod grant;
mod handover;
mod household;
mod ids;
mod key_source;
mod logout_delivery;
mod network_address;
mod registered_scope;
mod registration;
mod request_object;
mod resource;
mod response;
mod scope;
mod secret;
mod session;
mod share;
mod signing_key;
mod switches;
pub mod text;
mod timestamp;
mod tries;
mod trusted_issuer;
mod user;
pub mod user_name;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use assertion_algorithm::AssertionAlgorithm;
pub use audit_entry::{AuditEntry, ChainedEntry, Mark, Marks};
pub use audit_tally::{Noted, Place as TallyPlace, Tally};
pub use authorization_request::{
    AuthorizationRequest, Means, PendingRequest, Prompt, RequestAccount, RequestOwner,
};
pub use claim_source::{ClaimSource, ClaimsMapping, UnknownSource};
pub use claims_request::{ClaimsRequest, RequestedClaim};
pub use client::{
    ApplicationType, AuthMethod, ClientExchange, ClientIdentity, ClientLogout, ClientMetadata, ClientOrigin,
    ClientRequests, ClientSecrets, ClientSignIn, GrantType, IntrospectionPolicy, Lifetime, PkcePolicy,
    RetiredSecret, SelfRegistered, SubjectType, TokenExchangePolicy, Ui, sector,
};
#[cfg(test)]
pub(crate) use client_policy::tests::strict;
pub use client_policy::{Client, ClientPolicy, Profiles, UnknownProfile};
pub use closed_set::ClosedSet;
pub use consent::{Allowed, NewAccess};
pub use data_key::{DataKeyState, SealedDataKey};
pub use device_authorization::{DeviceAuthorization, DeviceState};
pub use encryption::{ContentEncryption, Encryption, KeyManagement};
pub use error_code::ErrorCode;
pub use grant::{Authentication, CodeBinding, CodeConditions, Grant, GrantState, NewGrant, Refresh};
pub use handover::{
    ExternalPage, GrantContext, Handover, HandoverStep, LiveSession, LoginFacts, PageAnswer, TakenLogin,
};
pub use household::Household;
pub use ids::{
    AuthorizationRequestId, ClientId, DeviceAuthorizationId, GrantId, KeyId, ProfileName, SessionId, TokenId,
    UserId,
};
pub use key_source::{BothKeySources, KeySource};
pub use logout_delivery::{DeliveryState, LogoutDelivery};
pub use network_address::NetworkAddress;
pub use registered_scope::{RegisteredScope, ScopeStrategy};
pub use registration::{InitialAccessToken, SoftwareIssuer};
pub use request_object::RequestObjectAlgorithm;
pub use resource::{Catalogue, Resource, TokenFormat};
pub use response::{Carrier, ResponseMode, ResponseType, UnknownResponseType};
pub use scope::{InvalidScope, Scope, ScopeSet};
pub use secret::Secret;
pub use session::Session;
pub use share::Share;
pub use signing_key::{RetiredKey, SigningKey};
pub use switches::{
    AssertionAudience, ConsentPolicy, Presence, RefreshTokenPolicy, RotationPolicy, StatusProfile, Switches,
    TokenResponseAlias, UserinfoProfile,
};
pub use timestamp::Timestamp;
pub use tries::{TryLimit, TryRule};
pub use trusted_issuer::{SubjectClaim, TrustedIssuer};
pub use user::{Address, ConsentGeneration, Profile, SignInGeneration, User};
