//! What is in front of every endpoint: connections and how long each may take (`listener.rs`), TLS, what holds for every
//! request (`edge.rs`), what is taken on and what is refused (`load.rs`). It knows no endpoint.

pub(crate) mod accept;
pub(crate) mod cors;
pub mod edge;
pub mod listener;
pub(crate) mod load;
pub(crate) mod tls;
