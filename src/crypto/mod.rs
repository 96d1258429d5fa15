//! Random values, digests, public keys of others, encryption to them, sealing under the master key, handles, passwords.
//!
//! Primitives come from aws-lc-rs, sha2 and argon2; this room only composes them.

mod data_key;
pub mod digest;
pub mod handle;
pub(crate) mod hs256;
pub mod jwe;
pub mod jwks;
pub mod known_browser;
pub mod master_key;
mod master_key_error;
pub(crate) mod password;
pub mod random;
pub(crate) mod webhook;
