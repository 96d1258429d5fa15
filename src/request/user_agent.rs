//! What a browser or program calls itself.

use axum::http::HeaderValue;

/// Bytes of a `User-Agent` that are kept.
const LONGEST: usize = 256;

/// As much of a `User-Agent` as is kept.
pub(crate) fn bounded_user_agent(value: Option<&HeaderValue>) -> String {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().take(LONGEST).collect()
}
