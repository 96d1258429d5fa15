//! The name of one request, in the log, in the answer and on an error page.

use std::fmt;

use axum::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::random;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 64;

/// The name of one request. It is kept in place, without an allocation: every
/// request has one and few look at it.
#[derive(Clone, Copy)]
pub(crate) struct RequestId {
    bytes: [u8; LONGEST],
    length: usize,
}

impl RequestId {
    /// 128 random bits, in base64url.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; LONGEST];
        let length = URL_SAFE_NO_PAD.encode_slice(random::bytes::<16>(), &mut bytes).unwrap_or_default();
        Self { bytes, length }
    }

    /// A name that a trusted proxy gave, when it is short and plain enough for a log.
    pub(crate) fn from_header(value: &HeaderValue) -> Option<Self> {
        let given = value.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let mut bytes = [0; LONGEST];
        let (1..=LONGEST, true) = (given.len(), given.iter().all(plain)) else { return None };
        bytes[..given.len()].copy_from_slice(given);
        Some(Self { bytes, length: given.len() })
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.bytes[..self.length]).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_name_has_128_bits_and_is_well_formed() {
        let (first, second) = (RequestId::random(), RequestId::random());
        assert_eq!(first.as_str().len(), 22);
        assert_ne!(first.as_str(), second.as_str());
        assert!(RequestId::from_header(&first.header().unwrap()).is_some());
    }

    #[test]
    fn a_given_name_is_taken_only_when_it_is_short_and_plain() {
        let take = |text: &str| RequestId::from_header(&HeaderValue::from_str(text).unwrap()).is_some();
        assert!(take("3f0c-77.a_B") && take(&"a".repeat(64)));
        assert!(!take("") && !take(&"a".repeat(65)) && !take("a b") && !take("a\"b") && !take("ä"));
    }
}
