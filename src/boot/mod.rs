//! Puts the server together: opens what it runs on and makes an `App` of it (`start.rs`), the routes (`routes.rs`), the
//! listeners (`listeners.rs`), the background tasks (`background.rs`) and what they do (`upkeep.rs`).

mod background;
mod key_source;
mod listeners;
mod routes;
mod start;
mod upkeep;

pub use background::{Background, spawn as spawn_background_tasks};
pub use listeners::{ListenError, Listeners, bind, signalled, stopped, until};
pub use routes::service;
pub use start::{StartError, load_master_key, migrate, open_storage};
