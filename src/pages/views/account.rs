//! The account page: applications with access, sessions, the password.

use askama::Template;

use super::{AccountRow, Application, Permission, Person, too_many};
use crate::site::Frame;
use crate::site::i18n::Messages;
use crate::tries::Wait;

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage<'a> {
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
pub(crate) struct AppRow {
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
pub(crate) struct AppLink {
    pub application: Application,
    pub start: String,
}

#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
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
pub(crate) enum AccountNotice {
    PasswordChanged,
    AccessRemoved,
    SessionEnded,
}

impl AccountNotice {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::PasswordChanged, Self::AccessRemoved, Self::SessionEnded];

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
pub(crate) enum PasswordProblem {
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
