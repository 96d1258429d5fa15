//! Where a person goes after signing in, when no application waits for them: one of our own pages. What the browser
//! sends is read, never followed, so that nobody can be led elsewhere.

use crate::app::App;
use crate::grants::device_authorization;
use crate::protocol::Parameters;
use crate::protocol::device::UserCode;

/// The page that asks for a device's code.
pub(super) const DEVICE: &str = "/device";

/// A page of ours that one can come back to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum OwnPage {
    #[default]
    Account,
    /// With the code of the link that led there.
    Device(Option<UserCode>),
}

impl OwnPage {
    /// The `return` value of a request for the sign-in page.
    pub(super) fn requested(app: &App, parameters: &Parameters<'_>) -> Self {
        let (path, query) = match parameters.get("return") {
            Some(sent) => sent.split_once('?').unwrap_or((sent, "")),
            None => return Self::Account,
        };
        if path != DEVICE {
            return Self::Account;
        }
        let link = Parameters::parse(query.as_bytes()).ok();
        Self::Device(link.and_then(|link| device_authorization::code_of_link(&app.master_key, &link)))
    }

    /// Its path and query.
    pub(super) fn path(&self, app: &App) -> String {
        match self {
            Self::Account => "/account".to_owned(),
            Self::Device(None) => DEVICE.to_owned(),
            Self::Device(Some(code)) => {
                format!("{DEVICE}?{}", device_authorization::link_query(&app.master_key, code))
            }
        }
    }
}
