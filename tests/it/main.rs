//! The integration tests: one binary, every rule on SQLite and on Postgres.
//!
//! Postgres is the server behind `CHANCERY_TEST_POSTGRES_URL`, which `scripts/test` starts; each test has a database
//! of its own there.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod accounts;
mod architecture;
mod authorize;
mod backchannel_logout;
mod bad_input;
mod budget;
mod claims_request;
mod cli;
mod cli_catalogue;
mod cli_identity;
mod cli_keys;
mod cli_profiles;
mod cli_registration;
mod client_assertions;
mod client_authentication;
mod code;
mod compat;
mod conformance;
mod consent;
mod device;
mod encrypted_requests;
mod encryption;
mod external_tokens;
mod external_ui;
mod failing;
mod frontchannel_logout;
mod happy_path;
mod hints;
mod hostile;
mod initiated_login;
mod introspection;
mod introspection_jwt;
mod issued_tokens;
mod jwt_bearer;
mod keys;
mod logout;
mod logs;
mod metadata;
mod opaque;
mod overload;
mod pages;
mod pairwise;
mod password_grant;
mod pooler;
mod processes;
mod prompt;
mod pushed_requests;
mod races;
mod redirect_tricks;
mod refresh;
mod registration;
mod registration_management;
mod registration_metadata;
mod registration_statement;
mod remote_keys;
mod request_objects;
mod resources;
mod response_modes;
mod response_types;
mod revocation;
mod scopes;
mod session_management;
mod sign_in;
mod storage;
mod support;
mod token;
mod token_exchange;
mod token_hook;
mod userinfo;
mod webfinger;
