//! How a client is told who the user is: pairwise subjects, signed and encrypted ID tokens and UserInfo (OpenID Connect Registration 2).

use crate::model::Client;

/// Every problem of these members.
pub fn check(_client: &Client, _complain: &mut impl FnMut(&'static str, String)) {}
