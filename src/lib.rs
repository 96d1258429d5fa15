//! Chancery: a standalone OAuth 2.0 and OpenID Connect authorization server.
//!
//! ARCHITECTURE.md tells which room does what, with the walkthrough of a sign-in and of a token request.

#![warn(unreachable_pub)]

pub mod admin;
pub(crate) mod administration;
pub mod app;
pub mod audit;
pub mod boot;
pub(crate) mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub(crate) mod demo;
pub mod grants;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod model;
pub mod observe;
pub mod outbound;
pub(crate) mod pages;
pub mod protocol;
pub mod registry;
pub(crate) mod request;
pub mod secrets;
pub mod server;
pub(crate) mod site;
pub mod storage;
pub mod telemetry;
pub(crate) mod throttle;
pub(crate) mod tries;
pub(crate) mod waiting;
