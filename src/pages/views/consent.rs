//! What an application asks to be allowed.

use askama::Template;

use super::{Application, Permission, Person, Place};
use crate::site::Frame;
use crate::site::links::{ReturnTo, WebLink};

#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    pub frame: Frame<'a>,
    pub application: Application,
    pub signed_in_as: Person<'a>,
    pub request: &'a str,
    pub csrf: &'a str,
    /// The resources that are asked for.
    pub resources: Vec<Place>,
    pub permissions: Vec<Permission>,
    /// There will be a refresh token: it lasts until it is taken back.
    pub offline: bool,
    pub return_to: Option<ReturnTo>,
    pub policy: Option<WebLink>,
    pub terms: Option<WebLink>,
}

impl ConsentPage<'_> {
    /// "New" tells something only beside permissions that are not.
    fn mark_new(&self) -> bool {
        self.permissions.iter().any(|permission| !permission.is_new)
    }

    fn warn(&self) -> bool {
        self.return_to.as_ref().is_some_and(ReturnTo::is_this_computer)
    }
}
