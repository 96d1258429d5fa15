//! Grants that are gone through in steps to find those that nobody needs any more.
//!
//! One that has ended may still be needed. So those that have are gone through in the order of their ends, and what was
//! passed is not looked at again with each round, however much of it there is.

mod place;

use std::sync::{Mutex, PoisonError};

use sqlx::FromRow;

use super::db::values;
use super::purge::BATCH;
use super::{Storage, StorageError};
use crate::model::{ClientId, GrantId, Timestamp};
use place::Place;
pub(super) use place::Walks;

/// How many grants a step looks at.
const STEP: i64 = 1000;
/// Seconds after which those that were passed are looked at again: they may not be needed any more.
const LOOK_AGAIN: i64 = 3600;

/// But for the last grant of a client in a session that lives: by it the client is told when that session ends.
macro_rules! unless_needed {
    () => {
        " AND NOT (EXISTS (SELECT 1 FROM sessions s WHERE s.id = g.session_id) \
         AND EXISTS (SELECT 1 FROM clients c WHERE c.id = g.client_id AND (c.backchannel_logout OR c.frontchannel_logout)) \
         AND NOT EXISTS (SELECT 1 FROM grants n WHERE n.session_id = g.session_id \
         AND n.client_id = g.client_id AND n.created_at > g.created_at))"
    };
}

/// A walk through the grants in one state, by the time after which they are not kept.
struct Path {
    /// The last time of the next step; none: there is no more than a step.
    next: &'static str,
    /// Deletes a batch of those in it that are not needed.
    delete: &'static str,
}

macro_rules! in_step {
    ($time:literal) => {
        concat!($time, " > $1 AND ", $time, " <= $2")
    };
}

macro_rules! path {
    ($time:literal, $which:literal) => {
        Path {
            next: concat!(
                "SELECT ",
                $time,
                " FROM grants g WHERE ",
                $which,
                in_step!($time),
                " ORDER BY 1 LIMIT 1 OFFSET $3"
            ),
            // Which ones is asked for a second time: somebody may redeem the code meanwhile.
            delete: concat!(
                "DELETE FROM grants AS g WHERE ",
                $which,
                "id IN (SELECT g.id FROM grants g WHERE ",
                $which,
                in_step!($time),
                unless_needed!(),
                " LIMIT $3)"
            ),
        }
    };
}

const ENDED: Path = path!("g.expires_at", "");
const UNREDEEMED: Path = path!("g.code_expires_at", "g.state = 'code' AND ");
// Tokens of a grant whose row is gone are as good as revoked. Counted from when it was made: nobody sends its consent form
// again that much later, which would make another grant.
const REVOKED: Path = path!("g.created_at", "g.state = 'revoked' AND ");

/// What a step came to.
pub(super) struct Stepped {
    pub removed: u64,
    /// Whether there is nothing behind it.
    pub is_over: bool,
}

impl Storage {
    /// A step of each walk through those that have ended.
    pub(super) async fn remove_ended_grants(
        &self,
        now: Timestamp,
        ended_before: i64,
    ) -> Result<Stepped, StorageError> {
        let walks = &self.walks;
        let mut all = Stepped { removed: 0, is_over: true };
        for (path, place) in
            [(ENDED, &walks.ended), (UNREDEEMED, &walks.unredeemed), (REVOKED, &walks.revoked)]
        {
            let stepped = self.step(&path, place, now, ended_before).await?;
            all.removed += stepped.removed;
            all.is_over &= stepped.is_over;
        }
        Ok(all)
    }

    async fn step(
        &self,
        path: &Path,
        place: &Mutex<Option<Place>>,
        now: Timestamp,
        ended_before: i64,
    ) -> Result<Stepped, StorageError> {
        let before = *place.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |place: &Place| (0..LOOK_AGAIN).contains(&now.since(place.begun_at));
        let Place { begun_at, after } =
            before.filter(fresh).unwrap_or(Place { begun_at: now, after: i64::MIN });
        let next: Option<(i64,)> =
            self.db.fetch_optional(path.next, values![after, ended_before, STEP - 1]).await?;
        let until = next.map_or(ended_before, |(time,)| time);
        let removed = self.db.execute(path.delete, values![after, until, BATCH]).await?;
        // After a full batch there may be more in this step.
        let is_done = removed < BATCH as u64;
        let after = if is_done { until.max(after) } else { after };
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(Place { begun_at, after });
        Ok(Stepped { removed, is_over: is_done && next.is_none() })
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
