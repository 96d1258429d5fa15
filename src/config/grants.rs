//! `[grants]`: which grants are offered beside those that are always there.

use super::reader::Reader;
use super::table::grants;

#[derive(Clone, Debug)]
pub struct GrantSettings {
    pub password: bool,
    /// Whether response types other than `code` and `code id_token` are offered.
    pub implicit: bool,
}

impl GrantSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let password = reader.boolean(grants::password);
        let implicit = reader.boolean(grants::implicit);
        Some(Self { password: password?, implicit: implicit? })
    }
}
