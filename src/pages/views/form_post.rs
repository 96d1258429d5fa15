//! The page that posts an answer to an application.

use askama::Template;

use super::Application;
use crate::site::Frame;

/// The browser posts the answer to the application by itself, or at the press of the button.
#[derive(Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPostPage<'a> {
    pub frame: Frame<'a>,
    pub application: Application,
    /// The redirect URI.
    pub action: &'a str,
    pub fields: Vec<(&'static str, String)>,
}
