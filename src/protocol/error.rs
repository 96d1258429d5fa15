//! The one error of the protocol: a registered code, a sentence for the developer, a cause for the log.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

pub use crate::model::ErrorCode;

/// Why a request was refused.
#[derive(Debug)]
pub struct OAuthError {
    pub code: ErrorCode,
    /// For the developer: what is wrong and what to do. Never holds a secret or a token.
    pub description: Cow<'static, str>,
    /// For the log, once.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
    /// Seconds after which it may be otherwise, where that is known.
    pub wait: Option<u32>,
}

impl OAuthError {
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into(), cause: None, wait: None }
    }

    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    pub fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// Something failed on our side. The caller learns nothing of `cause`.
    pub fn server_error(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let description = "The server could not complete the request. Try again.".into();
        Self { code: ErrorCode::ServerError, description, cause: Some(cause.into()), wait: None }
    }

    /// Whoever asks has had their part of something, and has another one after this many seconds.
    pub fn later(description: &'static str, wait: u32) -> Self {
        Self { wait: Some(wait), ..Self::new(ErrorCode::TemporarilyUnavailable, description) }
    }

    /// Something that this server needs is away for the moment.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let description = "The server is not available for the moment. Try again.".into();
        Self { code: ErrorCode::TemporarilyUnavailable, description, cause: Some(cause.into()), wait: None }
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl Error for OAuthError {}
