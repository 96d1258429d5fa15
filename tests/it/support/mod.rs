//! A server to test: the real router over a real database, with a clock that stands still until it is moved.

mod assertions;
mod audit;
pub mod authorization;
mod browser;
mod catalogue;
mod database;
mod deployment;
mod documents;
mod external;
mod hook_service;
pub mod postgres;
mod process;
pub mod property;
mod receiver;
mod registration;
mod relay;
pub mod scrape;
mod server;
pub mod sources;
mod tokens;

pub use assertions::{ASYMMETRIC, CLIENT_ASSERTION, JWT_BEARER, Signer, dear_rsa_keys, merged};
pub use audit::assert_told;
pub use browser::{Browser, hidden, path_of};
pub use database::{Database, Kind};
pub use deployment::Deployment;
pub use documents::Documents;
pub use external::{ExternalUi, login_challenge, redirect_to};
pub use hook_service::HookService;
pub use process::{
    LONGEST, Process, Watchdog, ended_by_itself, output, output_of, program, program_through, run, signal,
    within,
};
pub use receiver::Receiver;
pub use registration::{BY_TOKEN, OPEN, registration_of};
pub use relay::{Line, Relay};
pub use server::{Answer, Registration, START, TestServer, claims_of, encode, query_of};
pub use tokens::{all, names, text};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const REDIRECT_URI: &str = "https://app.example/callback";
pub const PASSWORD: &str = "correct horse battery staple";

/// Makes of `async fn rule(kind: Kind)` a module `rule` with the tests `sqlite` and `postgres`.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($kind:ident: Kind) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$attribute])*
            async fn rule($kind: $crate::support::Kind) $body

            #[tokio::test]
            async fn sqlite() {
                rule($crate::support::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                rule($crate::support::Kind::Postgres).await;
            }
        }
    )+};
}
pub(crate) use on_both;
