//! The `chancery` binary.

#[allow(dead_code, reason = "the handlers that use it come with the library")]
mod pages;

fn main() {}
