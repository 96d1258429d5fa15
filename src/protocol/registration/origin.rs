//! Where a registration comes from and what it says of the software (RFC 7591 2).

use crate::model::Client;

/// Every problem of these members.
pub fn check(_client: &Client, _complain: &mut impl FnMut(&'static str, String)) {}
