//! `[clients]`: what holds for all clients.

use super::reader::Reader;
use super::table::clients;
use crate::model::{AssertionAudience, Profiles};

#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub profiles: Profiles,
    pub assertion_audience: AssertionAudience,
    /// Used assertions, and tokens that were revoked by themselves, of one client in a quarter of an hour.
    pub max_remembered: u32,
}

pub(super) fn read(reader: &mut Reader, profiles: Profiles) -> Option<ClientSettings> {
    let audience = reader.choice(clients::assertion_audience);
    let max_remembered = reader.number(clients::max_remembered);
    Some(ClientSettings { profiles, assertion_audience: audience?, max_remembered: max_remembered? })
}
