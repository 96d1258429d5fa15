//! Signing out: whether to, and that it was done.

use askama::Template;

use super::{Application, Person};
use crate::site::Frame;
use crate::site::links::ReturnTo;

/// "Sign out?" (OpenID Connect RP-Initiated Logout 1.0, 2).
#[derive(Template)]
#[template(path = "logout.html")]
pub(crate) struct LogoutPage<'a> {
    pub frame: Frame<'a>,
    /// The application that asks; None when nobody proved to be one.
    pub application: Option<Application>,
    pub signed_in_as: Person<'a>,
    pub csrf: &'a str,
    /// Whether the application sent something that does not prove whose session it means.
    pub unproven: bool,
    /// The parameters of the request, sent along with the answer.
    pub hidden: Vec<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "logged_out.html")]
pub(crate) struct LoggedOutPage<'a> {
    pub frame: Frame<'a>,
    /// Has a link back when its home is known.
    pub application: Option<Application>,
    /// Where it goes on when the frames have been shown, in place of its home.
    pub continue_to: Option<String>,
    /// Where that is, if its user has not seen it before: then it takes a person to go there.
    pub place: Option<ReturnTo>,
    /// Whether the application wanted its user to return to an address that is not its own.
    pub refused: bool,
    /// Pages of applications that are to hear of it.
    pub frames: Vec<&'a str>,
}
