//! Why nothing was encrypted.

use crate::model::KeyManagement;

/// Nothing was encrypted.
#[derive(Debug, thiserror::Error)]
pub enum JweError {
    #[error("the recipient's key does not go with {0}")]
    WrongKey(KeyManagement),
    #[error("the cryptographic library failed")]
    Library,
}

impl From<aws_lc_rs::error::Unspecified> for JweError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Library
    }
}
