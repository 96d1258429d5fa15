//! Load generator for a running Chancery server: it drives the endpoints over keep-alive connections and
//! reads from the kernel what each request cost the server and the database.

pub mod browser;
pub mod histogram;
pub mod html;
pub mod http;
pub mod limit;
pub mod load;
pub mod operation;
pub mod plot;
pub mod process;
pub mod report;
pub mod statements;
pub mod target;
pub mod task;

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;
