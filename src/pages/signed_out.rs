//! What follows a sign-out: the way back to the application that asked for it, after the others have heard of it in
//! frames (OpenID Connect Front-Channel Logout 1.0).

use axum::http::StatusCode;
use axum::response::Response;
use url::Url;

use super::answer::Failure;
use super::views::{Application, LoggedOutPage};
use super::visitor::Visitor;
use crate::app::App;
use crate::model::SessionId;
use crate::protocol::logout::{self, ReturnTo};

/// Where somebody who signed out goes on.
pub struct Onward<'a> {
    pub application: Option<Application>,
    pub return_to: &'a ReturnTo,
    pub ui_locales: Option<&'a str>,
}

/// The pages of applications that are to hear of the end of a session; asked for before it ends.
pub async fn frames(app: &App, session: &SessionId) -> Result<Vec<Url>, Failure> {
    let mut frames = Vec::new();
    for id in app.storage.frontchannel_clients(session).await? {
        let registered = app.clients.find(&id).await?;
        let page =
            registered.and_then(|found| logout::frontchannel_page(&found.client, app.issuer(), session));
        frames.extend(page);
    }
    Ok(frames)
}

/// Nobody is signed in any more: back to the application, if it may be gone back to.
pub fn answer(app: &App, visitor: &Visitor, onward: Onward<'_>, frames: &[Url]) -> Response {
    let continue_to = match onward.return_to {
        ReturnTo::To(address) if frames.is_empty() => return visitor.redirect(app, address),
        ReturnTo::To(address) => Some(address.as_str()),
        ReturnTo::Nowhere | ReturnTo::Refused => None,
    };
    let view = LoggedOutPage {
        frame: visitor.frame(app, onward.ui_locales),
        application: onward.application,
        continue_to,
        refused: *onward.return_to == ReturnTo::Refused,
        frames: frames.iter().map(Url::as_str).collect(),
    };
    let mut origins: Vec<String> = frames.iter().map(|frame| frame.origin().ascii_serialization()).collect();
    origins.sort();
    origins.dedup();
    visitor.page_with_frames(app, StatusCode::OK, &view, &origins)
}
