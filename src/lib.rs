//! Chancery: a standalone OAuth 2.0 and OpenID Connect authorization server.
//!
//! ARCHITECTURE.md tells which room does what, with the walkthrough of a sign-in and of a token request.

pub mod crypto;
pub mod keys;
pub mod model;
pub mod protocol;
pub mod storage;
