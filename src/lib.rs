//! Chancery: a standalone OAuth 2.0 and OpenID Connect authorization server.
//!
//! ARCHITECTURE.md tells which room does what, with the walkthrough of a sign-in and of a token request.

pub mod admin;
pub mod app;
pub mod audit;
pub mod boot;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod demo;
pub mod grants;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod model;
pub mod observe;
pub mod outbound;
pub mod pages;
pub mod protocol;
pub mod registry;
pub mod request;
pub mod secrets;
pub mod server;
pub mod site;
pub mod storage;
pub mod telemetry;
pub mod throttle;
pub mod tries;
pub mod waiting;
