//! An application that registered itself wants the browser before a person has seen where that leads (RFC 9700 4.11.2).

use askama::Template;

use super::Application;
use crate::protocol::response::Delivery;
use crate::site::Frame;
use crate::site::links::ReturnTo;

/// "Go on to this address?"
#[derive(Template)]
#[template(path = "stranger.html")]
pub(crate) struct StrangerPage<'a> {
    pub frame: Frame<'a>,
    pub application: Application,
    pub place: ReturnTo,
    /// What was wrong with its request, for a developer.
    pub detail: &'a str,
    pub answer: &'a Delivery,
}
