//! `[authorization]`: what authorization requests have to be.

use super::reader::Reader;

#[derive(Clone, Debug)]
pub struct AuthorizationSettings {
    /// Seconds a pushed request waits to be used (RFC 9126 2.2).
    pub pushed_request_seconds: i64,
    pub require_pushed_authorization_requests: bool,
    pub require_signed_request_object: bool,
}

impl AuthorizationSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let pushed = reader.number("authorization.pushed_request_seconds", 60..=600);
        let require_pushed = reader.boolean("authorization.require_pushed_authorization_requests");
        let require_signed = reader.boolean("authorization.require_signed_request_object");
        Some(Self {
            pushed_request_seconds: pushed?,
            require_pushed_authorization_requests: require_pushed?,
            require_signed_request_object: require_signed?,
        })
    }
}
