//! What the log says of a request that was refused or failed.

use crate::protocol::OAuthError;

/// Our own failures with their cause; a caller's mistakes for whoever looks.
pub(crate) fn log(error: &OAuthError) {
    match &error.cause {
        Some(cause) => tracing::error!(code = error.code.as_str(), %cause, "request failed"),
        None => {
            tracing::debug!(code = error.code.as_str(), description = %error.description, "request refused")
        }
    }
}
