//! One struct a page: plain values in, HTML out. The handlers fill them and know nothing of HTML. Here is whom pages speak of;
//! the pages are in a file for each errand.

mod account;
mod consent;
mod device;
mod error;
mod form_post;
mod permission;
mod place;
mod sign_in;
mod sign_out;
mod stranger;

use crate::model::{ClientMetadata, User, text};
use crate::site::i18n::Messages;
use crate::site::links::{WebLink, picture};
use crate::tries::Wait;

pub(super) use account::{AccountNotice, AccountPage, AppLink, AppRow, PasswordProblem, SessionRow};
pub(super) use consent::ConsentPage;
pub(super) use device::{DeviceConfirmPage, DeviceDonePage, DevicePage, DeviceProblem};
pub(super) use error::{ErrorPage, Problem};
pub(super) use form_post::FormPostPage;
pub(super) use permission::Permission;
pub(super) use place::Place;
pub(super) use sign_in::{LoginPage, LoginProblem, SelectAccountPage};
pub(super) use sign_out::{LoggedOutPage, LogoutPage};
pub(super) use stranger::StrangerPage;

/// The application a page speaks of.
#[derive(Debug, Clone)]
pub(super) struct Application {
    pub name: String,
    pub logo: Option<String>,
    pub home: Option<WebLink>,
    /// It registered itself: nobody here has looked at it.
    pub unchecked: bool,
}

impl Application {
    /// A client as it describes itself, in this language where it does.
    pub(super) fn of(client: &ClientMetadata, tag: &str) -> Self {
        let said = |member, plain| client.origin.localized(member, tag).or(plain);
        let name = said("client_name", None).unwrap_or(&client.name);
        let logo = said("logo_uri", client.logo_uri.as_deref());
        let home = said("client_uri", client.client_uri.as_deref());
        Self { unchecked: client.is_self_registered(), ..Self::new(name, logo, home) }
    }

    /// From the client's metadata; an address that is not safe to show is left out.
    pub(super) fn new(name: &str, logo_uri: Option<&str>, client_uri: Option<&str>) -> Self {
        Self {
            // Those of clients that were registered before names had to be readable as well.
            name: text::escaped(name.trim()).into_owned(),
            logo: logo_uri.and_then(picture),
            home: client_uri.and_then(WebLink::parse),
            unchecked: false,
        }
    }

    /// Stands for a logo where there is none.
    pub(super) fn initial(&self) -> String {
        initial(&self.name)
    }
}

fn initial(name: &str) -> String {
    let first = name.chars().find(|c| c.is_alphanumeric());
    first.map(|c| c.to_uppercase().collect()).unwrap_or_default()
}

/// Who is signed in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person<'a> {
    /// What they call themselves: a name, else the user name.
    pub name: &'a str,
    /// Tells apart who have the same name.
    pub username: &'a str,
}

impl<'a> Person<'a> {
    pub(super) fn of(user: &'a User) -> Self {
        Self { name: user.display_name(), username: &user.username }
    }
}

/// That there were too many tries, and how long to wait.
fn too_many(key: &str, wait: Wait, text: &Messages) -> String {
    text.with(key, &[("wait", &text.wait(wait.0))])
}

/// Somebody who is signed in in this browser.
#[derive(Debug, Clone)]
pub(super) struct AccountRow {
    pub session: String,
    /// What the person calls themselves: a name, else the user name.
    pub name: String,
    pub username: String,
}

impl AccountRow {
    /// Stands for a picture.
    pub(super) fn initial(&self) -> String {
        initial(&self.name)
    }
}
