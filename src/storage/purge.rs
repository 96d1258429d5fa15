//! Removes what has expired, in small batches, safely with many processes at once.

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{ClientId, GrantId, Timestamp};

/// Rows a statement removes at most, so that no lock is held for long.
const BATCH: i64 = 500;
/// How many grants without an end a step of the walk looks at.
const STEP: i64 = 1000;

/// What was revoked by itself, and an assertion that was used, are kept this long after they expired, for a clock that was
/// ahead and is put right: until then they would be good again. Assertions are many.
const TOKEN_KEPT: i64 = 24 * 3600;
const ASSERTION_KEPT: i64 = 2 * 3600;

/// But for the last grant of a client in a session that lives: by it the client is told when that session ends.
macro_rules! unless_needed {
    () => {
        " AND NOT (EXISTS (SELECT 1 FROM sessions s WHERE s.id = g.session_id) \
         AND EXISTS (SELECT 1 FROM clients c WHERE c.id = g.client_id AND (c.backchannel_logout OR c.frontchannel_logout)) \
         AND NOT EXISTS (SELECT 1 FROM grants n WHERE n.session_id = g.session_id \
         AND n.client_id = g.client_id AND n.created_at > g.created_at))"
    };
}

/// Deletes a batch of grants that are not needed.
macro_rules! delete_grants {
    ($still:literal, $over:literal) => {
        concat!(
            "DELETE FROM grants WHERE ",
            $still,
            "id IN (SELECT g.id FROM grants g WHERE ",
            $over,
            unless_needed!(),
            " LIMIT $2)"
        )
    };
}

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
        ];
        rows.into_iter().any(|rows| rows >= BATCH as u64)
    }
}

impl Storage {
    /// One round: at most a batch of every kind.
    pub async fn purge(&self, now: Timestamp) -> Result<Purged, StorageError> {
        const SESSIONS: &str = "DELETE FROM sessions WHERE expires_at <= $1 AND id IN \
             (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)";
        const REQUESTS: &str = "DELETE FROM authorization_requests WHERE id IN \
             (SELECT id FROM authorization_requests WHERE expires_at <= $1 LIMIT $2)";
        // Pushed, and nobody came with them.
        const UNTAKEN_REQUESTS: &str = "DELETE FROM authorization_requests WHERE browser = '' AND id IN \
             (SELECT id FROM authorization_requests WHERE browser = '' AND expires_at <= $1 LIMIT $2)";
        // What no device came for: the grant has the same id. They are few.
        const UNCLAIMED_GRANTS: &str = "DELETE FROM grants WHERE id IN \
             (SELECT id FROM device_authorizations WHERE state = 'approved' AND expires_at <= $1)";
        const DEVICES: &str = "DELETE FROM device_authorizations WHERE id IN \
             (SELECT id FROM device_authorizations WHERE expires_at <= $1 LIMIT $2)";
        const ENDED_GRANTS: &str = delete_grants!("", "g.expires_at <= $1");
        const UNREDEEMED_GRANTS: &str =
            delete_grants!("state = 'code' AND ", "g.state = 'code' AND g.code_expires_at <= $1");
        // Tokens of a grant whose row is gone are as good as revoked. Counted from when it was made: nobody sends its consent
        // form again that much later, which would make another grant.
        const REVOKED_GRANTS: &str = delete_grants!("", "g.state = 'revoked' AND g.created_at <= $1");
        const TOKENS: &str = "DELETE FROM revoked_tokens WHERE id IN \
             (SELECT id FROM revoked_tokens WHERE expires_at <= $1 LIMIT $2)";
        const ASSERTIONS: &str = "DELETE FROM used_assertions WHERE id IN \
             (SELECT id FROM used_assertions WHERE expires_at <= $1 LIMIT $2)";
        const CONSENTS: &str = "DELETE FROM consents WHERE expires_at <= $1 AND (user_id, client_id) IN \
             (SELECT user_id, client_id FROM consents WHERE expires_at <= $1 LIMIT $2)";
        // Operators make them, so they are few.
        const REGISTRATION_TOKENS: &str =
            "DELETE FROM registration_tokens WHERE expires_at <= $1 OR (uses_left <= 0 AND created_at <= $2)";
        const LOGOUTS: &str = "DELETE FROM logout_deliveries WHERE (session_id, client_id) IN \
             (SELECT session_id, client_id FROM logout_deliveries WHERE state <> 'waiting' AND due_at <= $1 LIMIT $2)";

        let ended_before = now.plus(-self.kept).unix();
        let unclaimed = self.db.execute(UNCLAIMED_GRANTS, values![ended_before]).await?;
        let ended = self.db.execute(ENDED_GRANTS, values![ended_before, BATCH]).await?;
        let unredeemed = self.db.execute(UNREDEEMED_GRANTS, values![ended_before, BATCH]).await?;
        let revoked = self.db.execute(REVOKED_GRANTS, values![ended_before, BATCH]).await?;
        self.db.execute(REGISTRATION_TOKENS, values![now.unix(), ended_before]).await?;
        let untaken = self.db.execute(UNTAKEN_REQUESTS, values![now.unix(), BATCH]).await?;
        Ok(Purged {
            sessions: self.db.execute(SESSIONS, values![now.unix(), BATCH]).await?,
            requests: untaken + self.db.execute(REQUESTS, values![ended_before, BATCH]).await?,
            devices: self.db.execute(DEVICES, values![ended_before, BATCH]).await?,
            grants: unclaimed + ended + unredeemed + revoked,
            tokens: self.db.execute(TOKENS, values![now.plus(-TOKEN_KEPT).unix(), BATCH]).await?,
            assertions: self.db.execute(ASSERTIONS, values![now.plus(-ASSERTION_KEPT).unix(), BATCH]).await?,
            registrations: self.purge_registrations(now, BATCH).await?,
            logouts: self.db.execute(LOGOUTS, values![ended_before, BATCH]).await?,
            consents: self.db.execute(CONSENTS, values![now.unix(), BATCH]).await?,
        })
    }
}

/// A grant without an end of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndlessGrant {
    pub id: GrantId,
    pub client_id: ClientId,
    pub last_used_at: Timestamp,
}

/// A step of looking at all of them.
pub struct GrantWalk {
    pub grants: Vec<EndlessGrant>,
    pub is_over: bool,
}

#[derive(FromRow)]
struct EndlessRow {
    id: String,
    client_id: String,
    rotated_at: i64,
}

impl Storage {
    /// The next grants without an end after this place, in the order of their ids.
    pub async fn endless_grants_after(&self, place: &str) -> Result<GrantWalk, StorageError> {
        const NEXT: &str = "SELECT id, client_id, rotated_at FROM grants \
             WHERE expires_at IS NULL AND id > $1 ORDER BY id LIMIT $2";
        let rows: Vec<EndlessRow> = self.db.fetch_all(NEXT, values![place, STEP]).await?;
        let is_over = rows.len() < STEP as usize;
        let grants = rows.into_iter().map(|row| EndlessGrant {
            id: GrantId::new(row.id),
            client_id: ClientId::new(row.client_id),
            last_used_at: Timestamp::from_unix(row.rotated_at),
        });
        Ok(GrantWalk { grants: grants.collect(), is_over })
    }

    /// Deletes a grant without an end, unless it was used meanwhile.
    pub async fn remove_unused_grant(
        &self,
        id: &GrantId,
        last_used_at: Timestamp,
    ) -> Result<u64, StorageError> {
        const REMOVE: &str = concat!(
            "DELETE FROM grants WHERE state = 'active' AND expires_at IS NULL AND rotated_at = $2 AND id IN \
             (SELECT g.id FROM grants g WHERE g.id = $1",
            unless_needed!(),
            ")"
        );
        self.db.execute(REMOVE, values![id.as_str(), last_used_at.unix()]).await
    }
}
