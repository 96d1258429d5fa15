//! How a client learns that a session has ended (OpenID Connect Back-Channel Logout 2.2, Front-Channel Logout 2).

use crate::model::Client;

/// Every problem of these members.
pub fn check(_client: &Client, _complain: &mut impl FnMut(&'static str, String)) {}
