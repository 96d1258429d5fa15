//! What a client expects of a sign-in: its age, its strength, who may begin it (OpenID Connect Registration 2).

use crate::model::Client;

/// Every problem of these members.
pub fn check(_client: &Client, _complain: &mut impl FnMut(&'static str, String)) {}
