//! The demo application of `chancery try`: an honest small relying party on a listener of its own.
//!
//! It knows the server only as any application does: by its issuer, over HTTP. `client` speaks the protocol, `session`
//! remembers browsers, `pages` are the routes. Only `chancery try` starts it, and registers what it needs.

mod client;
mod http_client;
mod id_token;
mod pages;
mod session;

pub(crate) use client::{ClientSettings, RelyingParty};
pub(crate) use pages::router;
