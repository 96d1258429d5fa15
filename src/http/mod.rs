//! The protocol endpoints: extract, call, render.

pub mod middleware;
pub mod server;
