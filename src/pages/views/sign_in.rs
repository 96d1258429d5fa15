//! Signing in: with a password, or as one of those who are signed in in this browser.

use askama::Template;

use super::{AccountRow, Application, too_many};
use crate::site::Frame;
use crate::site::i18n::Messages;
use crate::site::links::ReturnTo;
use crate::tries::Wait;

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
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
pub(crate) enum LoginProblem {
    Wrong,
    UsernameMissing,
    PasswordMissing,
    TooMany(Wait),
    Busy,
    Stale,
}

impl LoginProblem {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] = [
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

#[derive(Template)]
#[template(path = "select_account.html")]
pub(crate) struct SelectAccountPage<'a> {
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
