//! Where a registration comes from and what it says of the software.

use clap::Args;

use crate::cli::given::{self, Given, replace, set_text};
use crate::model::{ApplicationType, ClientOrigin};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OriginArgs {
    /// Which redirect URIs the client may have: web, https only; native, its own scheme or loopback as well.
    #[arg(long, value_name = "TYPE", value_parser = given::word::<ApplicationType>)]
    pub application_type: Option<Given<ApplicationType>>,
    /// How to reach the people who run it; may be repeated.
    #[arg(long = "contact", value_name = "TEXT")]
    pub contacts: Vec<String>,
    /// What software it is a copy of.
    #[arg(long, value_name = "ID")]
    pub software_id: Option<String>,
    /// The version of that software.
    #[arg(long, value_name = "VERSION")]
    pub software_version: Option<String>,
}

impl OriginArgs {
    /// Puts what was given into `place`.
    pub(crate) fn apply(self, place: &mut ClientOrigin) {
        given::set(&mut place.application_type, self.application_type);
        replace(&mut place.contacts, self.contacts);
        set_text(&mut place.software_id, self.software_id);
        set_text(&mut place.software_version, self.software_version);
    }
}
