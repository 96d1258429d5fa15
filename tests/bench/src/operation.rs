//! The operations measured, their goals, and which client asks.

use crate::Result;
use crate::target::Target;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Machine {
    Es256,
    EdDsa,
    Rs256,
    Opaque,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Web {
    Es256,
    Rs256,
}

impl Machine {
    fn client(self) -> &'static str {
        match self {
            Self::Es256 => "machine-es256",
            Self::EdDsa => "machine-eddsa",
            Self::Rs256 => "machine-rs256",
            Self::Opaque => "machine-opaque",
        }
    }
}

impl Web {
    fn client(self) -> &'static str {
        match self {
            Self::Es256 => "web-es256",
            Self::Rs256 => "web-rs256",
        }
    }
}

/// How access tokens are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Jwt,
    Opaque,
}

impl Format {
    fn client(self) -> &'static str {
        match self {
            Self::Jwt => "web-es256",
            Self::Opaque => "web-opaque",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    ClientCredentials(Machine),
    /// The same, while others sign in with their passwords.
    ClientCredentialsWhileHashing(Machine),
    Authorize,
    AuthorizeAndExchange,
    Exchange(Web),
    Refresh {
        scope: &'static str,
    },
    IntrospectSeen(Format),
    IntrospectFirst,
    IntrospectRevoked(Format),
    /// A client asks about a token of its own, without a user.
    IntrospectOwn(Machine),
    Userinfo(Format),
    Jwks,
    Discovery,
    LoginPage,
    SignIn,
}

impl Kind {
    /// The name of the client that asks.
    pub fn client(self) -> Option<&'static str> {
        match self {
            Self::ClientCredentials(machine)
            | Self::ClientCredentialsWhileHashing(machine)
            | Self::IntrospectOwn(machine) => Some(machine.client()),
            Self::Exchange(web) => Some(web.client()),
            Self::IntrospectSeen(format) | Self::IntrospectRevoked(format) | Self::Userinfo(format) => {
                Some(format.client())
            }
            Self::Authorize
            | Self::AuthorizeAndExchange
            | Self::Refresh { .. }
            | Self::IntrospectFirst
            | Self::LoginPage
            | Self::SignIn => Some("web-es256"),
            Self::Jwks | Self::Discovery => None,
        }
    }

    /// Can a server do this, by what is registered there?
    pub fn is_possible(self, target: &Target) -> bool {
        let registered = self.client().is_none_or(|name| target.client(name).is_ok());
        let introspects = !matches!(self, Self::IntrospectOwn(_)) || target.introspects();
        registered && introspects
    }
}

#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub kind: Kind,
    /// Requests per second of the server's CPU time, with Postgres and durable.
    pub goal: Option<f64>,
    /// Does each request write to the database?
    pub writes: bool,
}

pub const fn reads(name: &'static str, kind: Kind, goal: Option<f64>) -> Operation {
    Operation { name, kind, goal, writes: false }
}

pub const fn writes(name: &'static str, kind: Kind, goal: Option<f64>) -> Operation {
    Operation { name, kind, goal, writes: true }
}

pub const OPERATIONS: &[Operation] = &[
    reads("client_credentials-es256", Kind::ClientCredentials(Machine::Es256), Some(20_000.0)),
    reads("client_credentials-eddsa", Kind::ClientCredentials(Machine::EdDsa), Some(28_000.0)),
    reads("client_credentials-rs256", Kind::ClientCredentials(Machine::Rs256), Some(2_300.0)),
    reads("client_credentials-opaque", Kind::ClientCredentials(Machine::Opaque), Some(22_000.0)),
    writes("code_flow-authorize", Kind::Authorize, None),
    writes("code_flow-pair", Kind::AuthorizeAndExchange, None),
    writes("code_flow-exchange-es256", Kind::Exchange(Web::Es256), Some(8_000.0)),
    writes("code_flow-exchange-rs256", Kind::Exchange(Web::Rs256), Some(2_000.0)),
    writes("refresh", Kind::Refresh { scope: "offline_access" }, Some(9_000.0)),
    writes("refresh-openid", Kind::Refresh { scope: "openid offline_access" }, None),
    reads("introspect-seen", Kind::IntrospectSeen(Format::Jwt), Some(17_000.0)),
    reads("introspect-first", Kind::IntrospectFirst, Some(8_500.0)),
    reads("introspect-opaque", Kind::IntrospectSeen(Format::Opaque), Some(18_000.0)),
    reads("introspect-revoked", Kind::IntrospectRevoked(Format::Jwt), None),
    reads("introspect-revoked-opaque", Kind::IntrospectRevoked(Format::Opaque), None),
    reads("userinfo", Kind::Userinfo(Format::Jwt), Some(15_000.0)),
    reads("jwks", Kind::Jwks, Some(75_000.0)),
    reads("discovery", Kind::Discovery, Some(75_000.0)),
    reads("login-page", Kind::LoginPage, None),
    // What counts is the latency: the server's CPU time is the hashing's.
    reads("client_credentials-while-hashing", Kind::ClientCredentialsWhileHashing(Machine::Es256), None),
    // Last, because the memory of the hashing threads stays. The goal is 95 % of bare Argon2id.
    writes("sign-in", Kind::SignIn, Some(51.0)),
];

/// `client_credentials` stands for all of its kind, `client_credentials-es256` for the one.
pub fn select(operations: &'static [Operation], only: Option<&str>) -> Result<Vec<&'static Operation>> {
    let chosen = |operation: &&Operation| {
        only.is_none_or(|only| {
            operation.name.strip_prefix(only).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    let selected: Vec<_> = operations.iter().filter(chosen).collect();
    if selected.is_empty() {
        let names: Vec<_> = operations.iter().map(|operation| operation.name).collect();
        return Err(format!("no such operation; there are: {}", names.join(", ")).into());
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_selected_by_name_or_family() -> Result<()> {
        assert_eq!(select(OPERATIONS, None)?.len(), OPERATIONS.len());
        assert_eq!(select(OPERATIONS, Some("client_credentials"))?.len(), 5);
        assert_eq!(select(OPERATIONS, Some("refresh-openid"))?.len(), 1);
        assert_eq!(select(OPERATIONS, Some("refresh"))?.len(), 2);
        assert!(select(OPERATIONS, Some("ref")).is_err());
        Ok(())
    }
}
