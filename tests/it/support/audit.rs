//! What the audit log holds.

use chancery::audit::{self, Flaw, Place, Verified};
use chancery::storage::AuditRange;
use serde_json::Value;

use super::server::TestServer;

impl TestServer {
    /// Every entry, after doing what the server does each second.
    pub async fn audit_log(&self) -> Vec<Value> {
        let app = &self.app;
        app.audit.flush(app.now()).await.unwrap();
        app.audit.chain_waiting(app.now()).await.unwrap();
        let (mut entries, mut after) = (Vec::new(), 0);
        loop {
            let batch = app.storage.chained_audit_entries(AuditRange::after(after)).await.unwrap();
            let Some(last) = batch.last() else { return entries };
            after = last.number;
            entries.extend(batch.iter().map(audit::line));
        }
    }

    /// What `work` left in the log.
    pub async fn told<T>(&self, work: impl Future<Output = T>) -> (Vec<Value>, T) {
        let before = self.audit_log().await.len();
        let done = work.await;
        (self.audit_log().await.split_off(before), done)
    }

    pub async fn verify_audit_log(&self, kept: Option<&Place>) -> Result<Verified, Flaw> {
        self.app.audit.verify(kept).await.unwrap()
    }
}

/// Asserts that these are the entries, in this order, with these members and maybe others.
#[track_caller]
pub fn assert_told(entries: &[Value], expected: &[Value]) {
    let names = |entries: &[Value]| entries.iter().map(|entry| entry["event"].clone()).collect::<Vec<_>>();
    assert_eq!(names(entries), names(expected), "{entries:#?}");
    for (entry, expected) in entries.iter().zip(expected) {
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&entry[name], value, "{name}: {entry:#}");
        }
    }
}
