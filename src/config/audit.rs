//! `[audit]`: how long the audit log is kept.

use super::reader::Reader;
use super::table::audit;

#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// None: for ever.
    pub retention_days: Option<i64>,
}

impl AuditSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let retention_days = reader.lifetime(audit::retention_days);
        Some(Self { retention_days: retention_days? })
    }
}
