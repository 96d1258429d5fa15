//! How a client learns that a session has ended.

use clap::Args;

use crate::cli::given::{put, set_text};
use crate::model::ClientLogout;

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LogoutArgs {
    /// Where the client is told, from server to server, that a session has ended.
    #[arg(long, value_name = "URI")]
    pub backchannel_logout_uri: Option<String>,
    /// The client needs the session's id (sid) there.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub backchannel_logout_session_required: Option<bool>,
    /// The page of the client that is shown in a frame when a session ends in the same browser.
    #[arg(long, value_name = "URI")]
    pub frontchannel_logout_uri: Option<String>,
    /// The client needs the session's id (sid) there.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub frontchannel_logout_session_required: Option<bool>,
}

impl LogoutArgs {
    /// Puts what was given into `place`.
    pub(crate) fn apply(self, place: &mut ClientLogout) {
        set_text(&mut place.backchannel_logout_uri, self.backchannel_logout_uri);
        put(&mut place.backchannel_logout_session_required, self.backchannel_logout_session_required);
        if place.backchannel_logout_uri.is_none() && self.backchannel_logout_session_required.is_none() {
            place.backchannel_logout_session_required = false;
        }
        set_text(&mut place.frontchannel_logout_uri, self.frontchannel_logout_uri);
        put(&mut place.frontchannel_logout_session_required, self.frontchannel_logout_session_required);
        if place.frontchannel_logout_uri.is_none() && self.frontchannel_logout_session_required.is_none() {
            place.frontchannel_logout_session_required = false;
        }
    }
}
