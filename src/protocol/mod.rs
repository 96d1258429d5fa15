//! The rules of the standards, pure: no IO, no framework, no clock of their own. What they need is passed in.

pub mod account;
pub mod assertion;
pub mod authorize;
pub mod backchannel_logout;
pub mod claims;
pub mod claims_mapping;
pub mod client_auth;
pub mod code;
pub mod device;
pub mod discovery;
pub mod error;
pub mod handover;
pub mod hint;
pub mod initiated_login;
pub mod interaction;
pub mod introspection;
pub mod jwt;
pub mod legacy_userinfo;
pub mod logout;
pub mod parameters;
pub mod password_grant;
pub mod pkce;
pub mod redirect_uri;
pub mod refresh;
pub mod registration;
pub mod request_object;
pub mod reserved_claims;
pub mod resource;
pub mod response;
pub mod scope;
pub mod session_state;
pub mod token_exchange;
pub mod token_hook;
pub mod webfinger;

pub use error::{ErrorCode, OAuthError};
pub use parameters::Parameters;
