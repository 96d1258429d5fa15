//! What follows a sign-out: the way back to the application that asked for it, after the others have heard of it in
//! frames (OpenID Connect Front-Channel Logout 1.0).

use axum::http::StatusCode;
use axum::response::Response;
use url::Url;

use super::accounts::SignedIn;
use super::answer::Failure;
use super::views::{Application, LoggedOutPage};
use super::visit::Visit;
use crate::app::App;
use crate::audit::SessionEnd;
use crate::protocol::logout::{self, ReturnTo};
use crate::site::Frame;
use crate::site::links;

/// Where somebody who signed out goes on.
pub(super) enum Onward<'a> {
    /// To the application that asked for it.
    Return {
        application: Option<Application>,
        to: &'a ReturnTo,
        /// Whether the person has seen before where that is (RFC 9700 4.11.2).
        seen: bool,
    },
    /// To a page of ours.
    Page(&'a str),
}

/// Ends a session, and names the pages of applications that are to hear of it.
pub(super) async fn end(app: &App, person: &SignedIn) -> Result<Vec<Url>, Failure> {
    let session = &person.session.id;
    let mut frames = Vec::new();
    for id in app.storage.frontchannel_clients(session).await? {
        let registered = app.clients.find(&id).await?;
        let page =
            registered.and_then(|found| logout::frontchannel_page(&found.client, app.issuer(), session));
        frames.extend(page);
    }
    if person.end(app, SessionEnd::SignOut).await? {
        tracing::info!(user = %person.user.id, %session, "signed out");
    }
    Ok(frames)
}

/// Nobody is signed in any more, or one less: on the way, once the applications have heard of it.
pub(super) fn answer(visit: &Visit, frame: Frame<'_>, onward: Onward<'_>, frames: &[Url]) -> Response {
    let (application, continue_to, refused, seen) = match onward {
        Onward::Page(page) if frames.is_empty() => return visit.redirect_to_page(page),
        Onward::Page(page) => (None, Some(frame.path(page)), false, true),
        Onward::Return { to: ReturnTo::To(address), seen: true, .. } if frames.is_empty() => {
            return visit.redirect(address);
        }
        Onward::Return { application, to: ReturnTo::To(address), seen } => {
            (application, Some(address.clone()), false, seen)
        }
        Onward::Return { application, to: ReturnTo::Nowhere, .. } => (application, None, false, true),
        Onward::Return { application, to: ReturnTo::Refused, .. } => (application, None, true, true),
    };
    let view = LoggedOutPage {
        frame,
        application,
        place: continue_to.as_deref().filter(|_| !seen).and_then(links::ReturnTo::parse),
        continue_to,
        refused,
        frames: frames.iter().map(Url::as_str).collect(),
    };
    let mut origins: Vec<String> = frames.iter().filter_map(logout::frame_source).collect();
    origins.sort();
    origins.dedup();
    visit.page_with_frames(StatusCode::OK, &view, &origins)
}
