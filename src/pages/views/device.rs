//! The pages for devices (RFC 8628 3.3).

use askama::Template;

use super::{Application, Permission, Person, Place, too_many};
use crate::site::Frame;
use crate::site::i18n::Messages;
use crate::tries::Wait;

/// "Enter the code".
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct DevicePage<'a> {
    pub frame: Frame<'a>,
    pub csrf: &'a str,
    pub signed_in_as: Person<'a>,
    /// What was typed, or what the link says.
    pub user_code: &'a str,
    /// The code came with a link: it has to be compared instead of typed.
    pub linked: bool,
    pub problem: Option<DeviceProblem>,
}

/// Why a code did not lead on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceProblem {
    Missing,
    /// Unknown, expired, or decided: which, is nobody's business.
    Wrong,
    TooMany(Wait),
}

impl DeviceProblem {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Missing, Self::Wrong, Self::TooMany(Wait(1))];

    fn sentence(self, text: &Messages) -> String {
        match self {
            Self::TooMany(wait) => too_many(self.key(), wait, text),
            other => text.get(other.key()).to_owned(),
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Missing => "device.error.missing",
            Self::Wrong => "device.error.wrong",
            Self::TooMany(_) => "device.error.too_many",
        }
    }
}

/// "Allow this device?"
#[derive(Template)]
#[template(path = "device_confirm.html")]
pub(crate) struct DeviceConfirmPage<'a> {
    pub frame: Frame<'a>,
    pub application: Application,
    pub signed_in_as: Person<'a>,
    pub csrf: &'a str,
    /// As the device shows it.
    pub user_code: &'a str,
    /// The resources that are asked for.
    pub resources: Vec<Place>,
    pub permissions: Vec<Permission>,
    /// `offline_access` is among them: it lasts until it is taken back.
    pub offline: bool,
    /// Where the request came from.
    pub address: &'a str,
    /// See `browser::recognise`.
    pub device: Option<String>,
    /// From `Messages::minutes_ago`.
    pub asked: String,
}

impl DeviceConfirmPage<'_> {
    /// "New" tells something only beside permissions that are not.
    fn mark_new(&self) -> bool {
        self.permissions.iter().any(|permission| !permission.is_new)
    }
}

/// What was decided, and that the device goes on by itself.
#[derive(Template)]
#[template(path = "device_done.html")]
pub(crate) struct DeviceDonePage<'a> {
    pub frame: Frame<'a>,
    pub application: Application,
    pub allowed: bool,
}
