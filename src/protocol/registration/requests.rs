//! How a client asks: response types and modes (OAuth 2.0 Multiple Response Types), request objects (RFC 9101) and pushed requests (RFC 9126).

use crate::model::Client;

/// Every problem of these members.
pub fn check(_client: &Client, _complain: &mut impl FnMut(&'static str, String)) {}
