//! Load generator for a running Chancery server, and for others beside it: it drives the endpoints over keep-alive
//! connections and reads from the kernel what each request cost the server and the database.

pub mod algorithms;
pub mod browser;
pub mod compare;
pub mod context;
pub mod growth;
pub mod histogram;
pub mod html;
pub mod http;
pub mod limit;
pub mod load;
pub mod meet;
pub mod operation;
pub mod plot;
pub mod process;
pub mod report;
pub mod statements;
pub mod target;
pub mod task;
pub mod versus;

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;
