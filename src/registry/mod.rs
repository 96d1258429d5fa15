//! What is registered, held in memory: clients (`clients.rs`), resources and scopes (`catalogue.rs`).

mod catalogue;
pub mod clients;

pub use catalogue::Registry;
