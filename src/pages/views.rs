//! One struct a page: plain values in, HTML out. The handlers fill them and know nothing of HTML.

mod device;
mod place;
mod stranger;

use askama::Template;
use axum::http::StatusCode;

use crate::model::{Catalogue, ClientMetadata, User, text};
use crate::site::Frame;
use crate::site::i18n::Messages;
use crate::site::links::{ReturnTo, WebLink, picture};
use crate::tries::Wait;

pub(super) use device::{DeviceConfirmPage, DeviceDonePage, DevicePage, DeviceProblem};
pub(super) use place::Place;
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

#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage<'a> {
    pub frame: Frame<'a>,
    /// None when a person comes by themselves, to see their account.
    pub application: Option<Application>,
    pub return_to: Option<ReturnTo>,
    pub request: &'a str,
    /// The page of ours to go to, where no application waits; empty for the account page.
    pub return_page: &'a str,
    pub csrf: &'a str,
    pub username: &'a str,
    pub problem: Option<LoginProblem>,
}

impl LoginPage<'_> {
    fn purpose(&self) -> &'static str {
        purpose(self.return_page)
    }

    /// The focus goes where the person must type next; with an error that field is tied to it.
    fn focus_password(&self) -> bool {
        self.problem != Some(LoginProblem::UsernameMissing) && !self.username.is_empty()
    }

    fn username_invalid(&self) -> bool {
        matches!(self.problem, Some(LoginProblem::Wrong | LoginProblem::UsernameMissing))
    }

    fn password_invalid(&self) -> bool {
        matches!(self.problem, Some(LoginProblem::Wrong | LoginProblem::PasswordMissing))
    }
}

/// What one signs in for, where no application waits.
fn purpose(return_page: &str) -> &'static str {
    if return_page.is_empty() { "login.account" } else { "device.sign_in" }
}

/// Why a sign-in did not work. None of these says whether the account exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginProblem {
    Wrong,
    UsernameMissing,
    PasswordMissing,
    TooMany(Wait),
    Busy,
    Stale,
}

impl LoginProblem {
    #[cfg(test)]
    pub(super) const ALL: [Self; 6] = [
        Self::Wrong,
        Self::UsernameMissing,
        Self::PasswordMissing,
        Self::TooMany(Wait(90)),
        Self::Busy,
        Self::Stale,
    ];

    fn sentence(self, text: &Messages) -> String {
        match self {
            Self::TooMany(wait) => too_many(self.key(), wait, text),
            other => text.get(other.key()).to_owned(),
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Wrong => "login.error.wrong",
            Self::UsernameMissing => "login.error.username_missing",
            Self::PasswordMissing => "login.error.password_missing",
            Self::TooMany(_) => "login.error.too_many",
            Self::Busy => "login.error.busy",
            Self::Stale => "login.error.stale",
        }
    }
}

/// That there were too many tries, and how long to wait.
fn too_many(key: &str, wait: Wait, text: &Messages) -> String {
    text.with(key, &[("wait", &text.wait(wait.0))])
}

#[derive(Template)]
#[template(path = "select_account.html")]
pub(super) struct SelectAccountPage<'a> {
    pub frame: Frame<'a>,
    pub application: Option<Application>,
    pub return_to: Option<ReturnTo>,
    pub request: &'a str,
    /// As on the sign-in page.
    pub return_page: &'a str,
    pub csrf: &'a str,
    /// The current one first, if there is one.
    pub accounts: Vec<AccountRow>,
    /// The sign-in page for somebody else.
    pub another: &'a str,
}

impl SelectAccountPage<'_> {
    fn purpose(&self) -> &'static str {
        purpose(self.return_page)
    }
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

#[derive(Template)]
#[template(path = "consent.html")]
pub(super) struct ConsentPage<'a> {
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

/// One permission as a sentence.
#[derive(Debug, Clone)]
pub(super) struct Permission {
    pub sentence: String,
    pub is_new: bool,
}

impl Permission {
    /// In the words of the operator where they speak the page's language, else in ours; better in English than without
    /// any words.
    pub(super) fn new(text: &Messages, catalogue: &Catalogue, scope: &str, is_new: bool) -> Self {
        let described =
            |tag: &str| catalogue.scope(scope).and_then(|known| known.description(tag)).map(str::to_owned);
        let ours = || our_sentence(scope).map(|key| text.get(key).to_owned());
        let neutral = || text.with("scope.other", &[("scope", scope)]);
        let sentence =
            described(text.tag()).or_else(ours).or_else(|| described("en")).unwrap_or_else(neutral);
        Self { sentence, is_new }
    }
}

/// The key of our own sentence about a scope.
fn our_sentence(scope: &str) -> Option<&'static str> {
    match scope {
        "openid" => Some("scope.openid"),
        "profile" => Some("scope.profile"),
        "email" => Some("scope.email"),
        "address" => Some("scope.address"),
        "phone" => Some("scope.phone"),
        "groups" => Some("scope.groups"),
        "offline_access" => Some("scope.offline_access"),
        _ => None,
    }
}

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage<'a> {
    pub frame: Frame<'a>,
    pub csrf: &'a str,
    /// What the person calls themselves: a name, else the user name.
    pub signed_in_as: Person<'a>,
    pub notice: Option<AccountNotice>,
    pub password_problem: Option<PasswordProblem>,
    /// Who else is signed in in this browser.
    pub others: Vec<AccountRow>,
    pub apps: Vec<AppRow>,
    /// What the person may start without having used it.
    pub more_apps: Vec<AppLink>,
    pub sessions: Vec<SessionRow>,
}

impl AccountPage<'_> {
    fn current_invalid(&self) -> bool {
        self.password_problem == Some(PasswordProblem::Wrong)
    }

    fn new_invalid(&self) -> bool {
        use PasswordProblem::{Mismatch, TooLong, TooShort, Unseen};
        matches!(self.password_problem, Some(TooShort(_) | TooLong(_) | Unseen | Mismatch))
    }
}

/// An app with access. Times are said in words: see `Messages::date` and `Messages::when`.
#[derive(Debug, Clone)]
pub(super) struct AppRow {
    pub client_id: String,
    pub application: Application,
    pub permissions: Vec<Permission>,
    /// The names of the resources it may use them at, beside its usual place.
    pub resources: Vec<String>,
    pub since: String,
    pub last_used: Option<String>,
    /// When a refresh token that had been replaced was last presented.
    pub presented_again: Option<String>,
    /// Where it is started, if it can be.
    pub start: Option<String>,
    /// The host of that, where nobody here has looked at it.
    pub start_host: Option<String>,
}

/// An app to start.
#[derive(Debug, Clone)]
pub(super) struct AppLink {
    pub application: Application,
    pub start: String,
}

#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub id: String,
    /// See `browser::describe`.
    pub browser: String,
    /// From `Messages::when`.
    pub since: String,
    pub last_seen: String,
    pub is_current: bool,
}

/// What has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccountNotice {
    PasswordChanged,
    AccessRemoved,
    SessionEnded,
}

impl AccountNotice {
    #[cfg(test)]
    pub(super) const ALL: [Self; 3] = [Self::PasswordChanged, Self::AccessRemoved, Self::SessionEnded];

    fn key(self) -> &'static str {
        match self {
            Self::PasswordChanged => "account.notice.password_changed",
            Self::AccessRemoved => "account.notice.access_removed",
            Self::SessionEnded => "account.notice.session_ended",
        }
    }
}

/// Why the password was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordProblem {
    Wrong,
    /// The fewest characters there must be.
    TooShort(usize),
    /// The most characters there may be.
    TooLong(usize),
    /// It holds something that cannot be seen.
    Unseen,
    Mismatch,
    TooMany(Wait),
    Busy,
}

impl PasswordProblem {
    fn sentence(self, text: &Messages) -> String {
        let (key, count) = match self {
            Self::Wrong => ("account.error.wrong", None),
            Self::TooShort(least) => ("account.error.too_short", Some(least)),
            Self::TooLong(most) => ("account.error.too_long", Some(most)),
            Self::Unseen => ("account.error.unseen", None),
            Self::Mismatch => ("account.error.mismatch", None),
            Self::TooMany(wait) => return too_many("account.error.too_many", wait, text),
            Self::Busy => ("account.error.busy", None),
        };
        text.with(key, &[("count", &count.unwrap_or_default().to_string())])
    }
}

/// "Sign out?" (OpenID Connect RP-Initiated Logout 1.0, 2).
#[derive(Template)]
#[template(path = "logout.html")]
pub(super) struct LogoutPage<'a> {
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
pub(super) struct LoggedOutPage<'a> {
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

/// The browser posts the answer to the application by itself, or at the press of the button.
#[derive(Template)]
#[template(path = "form_post.html")]
pub(super) struct FormPostPage<'a> {
    pub frame: Frame<'a>,
    pub application: Application,
    /// The redirect URI.
    pub action: &'a str,
    pub fields: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage<'a> {
    pub frame: Frame<'a>,
    pub problem: Problem,
    pub application: Option<Application>,
    /// The description for a developer; never anything secret.
    pub detail: Option<&'a str>,
    pub request_id: &'a str,
}

macro_rules! problems {
    ($($variant:ident $key:literal $status:ident,)+) => {
        /// Everything an error page can say, with its status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Problem { $($variant,)+ }

        impl Problem {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            fn title(self) -> &'static str {
                match self { $(Self::$variant => concat!("problem.", $key, ".title"),)+ }
            }

            fn what(self) -> &'static str {
                match self { $(Self::$variant => concat!("problem.", $key, ".what"),)+ }
            }

            fn next(self) -> &'static str {
                match self { $(Self::$variant => concat!("problem.", $key, ".next"),)+ }
            }
        }
    };
}

problems! {
    UnknownApplication "unknown_application" BAD_REQUEST,
    WrongReturnAddress "wrong_return_address" BAD_REQUEST,
    BadRequest "bad_request" BAD_REQUEST,
    Expired "expired" BAD_REQUEST,
    StaleForm "stale_form" FORBIDDEN,
    TooManyRequests "too_many_requests" TOO_MANY_REQUESTS,
    NotFound "not_found" NOT_FOUND,
    Busy "busy" SERVICE_UNAVAILABLE,
    Unavailable "unavailable" SERVICE_UNAVAILABLE,
    Internal "internal" INTERNAL_SERVER_ERROR,
}
