//! Removes what has expired, in small batches, safely with many processes at once.

use super::db::values;
use super::{Storage, StorageError};
use crate::model::Timestamp;

/// Rows a statement removes at most, so that no lock is held for long.
pub(super) const BATCH: i64 = 500;

/// What was revoked by itself, and an assertion that was used, are kept this long after they expired, for a clock that was
/// ahead and is put right: until then they would be good again. Assertions are many.
const TOKEN_KEPT: i64 = 24 * 3600;
const ASSERTION_KEPT: i64 = 2 * 3600;

/// Requests for which nobody signed in are kept this long after they expired at most: anybody can make them. Whoever comes
/// back to their page in that time starts again where they were.
const UNANSWERED_KEPT: i64 = 3600;

/// How many rows of each kind one round removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    pub sessions: u64,
    pub requests: u64,
    pub devices: u64,
    pub grants: u64,
    pub tokens: u64,
    pub assertions: u64,
    pub registrations: u64,
    pub logouts: u64,
    pub consents: u64,
    pub tries: u64,
    /// Whether grants are left to look at.
    pub grants_left: bool,
}

impl Purged {
    /// Whether another round may find more.
    pub fn is_full(&self) -> bool {
        let rows = [
            self.sessions,
            self.requests,
            self.devices,
            self.grants,
            self.tokens,
            self.assertions,
            self.registrations,
            self.logouts,
            self.consents,
            self.tries,
        ];
        self.grants_left || rows.into_iter().any(|rows| rows >= BATCH as u64)
    }
}

impl Storage {
    /// One round: at most a batch of every kind.
    pub async fn purge(&self, now: Timestamp) -> Result<Purged, StorageError> {
        const SESSIONS: &str = "DELETE FROM sessions WHERE expires_at <= $1 AND id IN \
             (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)";
        const REQUESTS: &str = "DELETE FROM authorization_requests WHERE id IN \
             (SELECT id FROM authorization_requests WHERE expires_at <= $1 LIMIT $2)";
        const UNANSWERED_REQUESTS: &str = "DELETE FROM authorization_requests WHERE session_id IS NULL AND id IN \
             (SELECT id FROM authorization_requests WHERE session_id IS NULL AND expires_at <= $1 LIMIT $2)";
        // Pushed, and nobody came with them.
        const UNTAKEN_REQUESTS: &str = "DELETE FROM authorization_requests WHERE browser = '' AND id IN \
             (SELECT id FROM authorization_requests WHERE browser = '' AND expires_at <= $1 LIMIT $2)";
        // What no device came for: the grant has the same id, and goes first.
        const UNCLAIMED_GRANTS: &str = "DELETE FROM grants WHERE id IN \
             (SELECT d.id FROM device_authorizations d JOIN grants g ON g.id = d.id \
             WHERE d.state = 'approved' AND d.expires_at <= $1 LIMIT $2)";
        const DEVICES: &str = "DELETE FROM device_authorizations WHERE id IN \
             (SELECT d.id FROM device_authorizations d WHERE d.expires_at <= $1 \
             AND NOT (d.state = 'approved' AND EXISTS (SELECT 1 FROM grants g WHERE g.id = d.id)) LIMIT $2)";
        const TOKENS: &str = "DELETE FROM revoked_tokens WHERE id IN \
             (SELECT id FROM revoked_tokens WHERE expires_at <= $1 LIMIT $2)";
        const ASSERTIONS: &str = "DELETE FROM used_assertions WHERE id IN \
             (SELECT id FROM used_assertions WHERE expires_at <= $1 LIMIT $2)";
        const CONSENTS: &str = "DELETE FROM consents WHERE expires_at <= $1 AND (user_id, client_id) IN \
             (SELECT user_id, client_id FROM consents WHERE expires_at <= $1 LIMIT $2)";
        // One that is counted under meanwhile stays.
        const TRIES: &str = "DELETE FROM tries WHERE expires_at <= $1 AND id IN \
             (SELECT id FROM tries WHERE expires_at <= $1 LIMIT $2)";
        // Operators make them, so they are few.
        const REGISTRATION_TOKENS: &str =
            "DELETE FROM registration_tokens WHERE expires_at <= $1 OR (uses_left <= 0 AND created_at <= $2)";
        const LOGOUTS: &str = "DELETE FROM logout_deliveries WHERE (session_id, client_id) IN \
             (SELECT session_id, client_id FROM logout_deliveries WHERE state <> 'waiting' AND due_at <= $1 LIMIT $2)";

        let ended_before = now.plus(-self.kept()).unix();
        let unclaimed = self.db.execute(UNCLAIMED_GRANTS, values![ended_before, BATCH]).await?;
        let walked = self.remove_ended_grants(now, ended_before).await?;
        self.db.execute(REGISTRATION_TOKENS, values![now.unix(), ended_before]).await?;
        let untaken = self.db.execute(UNTAKEN_REQUESTS, values![now.unix(), BATCH]).await?;
        let unanswered_before = now.plus(-self.kept().min(UNANSWERED_KEPT)).unix();
        let unanswered = self.db.execute(UNANSWERED_REQUESTS, values![unanswered_before, BATCH]).await?;
        Ok(Purged {
            sessions: self.db.execute(SESSIONS, values![now.unix(), BATCH]).await?,
            requests: untaken + unanswered + self.db.execute(REQUESTS, values![ended_before, BATCH]).await?,
            devices: self.db.execute(DEVICES, values![ended_before, BATCH]).await?,
            grants: unclaimed + walked.removed,
            grants_left: !walked.is_over,
            tokens: self.db.execute(TOKENS, values![now.plus(-TOKEN_KEPT).unix(), BATCH]).await?,
            assertions: self.db.execute(ASSERTIONS, values![now.plus(-ASSERTION_KEPT).unix(), BATCH]).await?,
            registrations: self.purge_registrations(now, BATCH).await?,
            logouts: self.db.execute(LOGOUTS, values![ended_before, BATCH]).await?,
            consents: self.db.execute(CONSENTS, values![now.unix(), BATCH]).await?,
            tries: self.db.execute(TRIES, values![now.unix(), BATCH]).await?,
        })
    }
}
