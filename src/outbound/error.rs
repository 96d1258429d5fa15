//! Why something could not be fetched or told.

use std::path::PathBuf;

use hyper::StatusCode;

use crate::protocol::remote_uri::InvalidRemoteUri;

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error(transparent)]
    Uri(#[from] InvalidRemoteUri),
    #[error("the name does not resolve: {0}")]
    Resolve(std::io::Error),
    #[error("connecting failed: {0}")]
    Connect(std::io::Error),
    #[error("the exchange failed: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("it answered {0}; redirects are not followed")]
    Status(StatusCode),
    #[error("the answer is too long, or broke off")]
    Body,
    #[error("it took too long")]
    Timeout,
    #[error("too much is being fetched already; try again in a moment")]
    Busy,
    #[error("{path}: {problem}")]
    Certificates { path: PathBuf, problem: String },
}

impl OutboundError {
    /// Whether nothing was tried, because too much is under way.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy)
    }
}
