//! One type per identifier, so that a session's id cannot be passed where a grant's is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )+};
}

identifiers! {
    /// `client_id` (RFC 6749 2.2).
    ClientId,
    /// The name of a compatibility profile.
    ProfileName,
    /// A user's stable identifier, the `sub` of their tokens.
    UserId,
    /// A browser session, the `sid` of its ID tokens. Not the cookie: that is a handle to it.
    SessionId,
    /// One grant through its whole life. Equals the id of the authorization request it came from.
    GrantId,
    /// One stored authorization request.
    AuthorizationRequestId,
    /// One device authorization (RFC 8628). The grant that comes of it has the same id.
    DeviceAuthorizationId,
    /// `jti` of one access token (RFC 7519 4.1.7).
    TokenId,
    /// `kid`: the RFC 7638 thumbprint of a signing key.
    KeyId,
}

impl ProfileName {
    /// The profile of a client that names none: today's standards.
    pub const STRICT: &str = "default";
}
