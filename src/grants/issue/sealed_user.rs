//! The user of a token, for nobody but this server.

use crate::app::App;
use crate::model::UserId;

pub(in crate::grants) fn seal(app: &App, purpose: &str, user: &UserId) -> Option<String> {
    app.master_key.seal_token(purpose, user.as_str().as_bytes()).ok()
}
