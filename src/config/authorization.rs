//! `[authorization]`: what authorization requests have to be.

use super::reader::Reader;
use super::table::authorization;
use crate::waiting::Limits;

#[derive(Clone, Debug)]
pub struct AuthorizationSettings {
    /// Seconds a pushed request waits to be used (RFC 9126 2.2).
    pub pushed_request_seconds: i64,
    pub require_pushed_authorization_requests: bool,
    pub require_signed_request_object: bool,
    /// How many requests may wait for somebody of whom nothing is known yet.
    pub waiting: Limits,
}

impl AuthorizationSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let pushed = reader.seconds(authorization::pushed_request_seconds);
        let require_pushed = reader.boolean(authorization::require_pushed_authorization_requests);
        let require_signed = reader.boolean(authorization::require_signed_request_object);
        let per_address = reader.number(authorization::max_waiting_per_address);
        let per_client = reader.number(authorization::max_waiting_per_client);
        let all = reader.number(authorization::max_waiting);
        Some(Self {
            pushed_request_seconds: pushed?,
            require_pushed_authorization_requests: require_pushed?,
            require_signed_request_object: require_signed?,
            waiting: Limits { per_address: per_address?, per_client: per_client?, all: all? },
        })
    }
}
