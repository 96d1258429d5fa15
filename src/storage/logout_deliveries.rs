//! Clients that are to be told that a session has ended: written with its end, claimed once an attempt.

use sqlx::FromRow;

use super::db::{Transaction, values};
use super::{Storage, StorageError};
use crate::model::{ClientId, DeliveryState, LogoutDelivery, SessionId, Timestamp, UserId};

/// A delivery for each client with a grant of one of the sessions `s`. In this order, so that two who end the same
/// sessions wait for each other and not in a circle.
macro_rules! tell {
    ($of:literal) => {
        concat!(
            "INSERT INTO logout_deliveries (session_id, client_id, user_id, state, attempts, ended_at, due_at) \
             SELECT DISTINCT s.id, g.client_id, s.user_id, 'waiting', 0, CAST($1 AS BIGINT), CAST($1 AS BIGINT) \
             FROM sessions s JOIN grants g ON g.session_id = s.id JOIN clients c ON c.id = g.client_id \
             WHERE c.backchannel_logout AND ",
            $of,
            " ORDER BY 1, 2 ON CONFLICT (session_id, client_id) DO NOTHING"
        )
    };
}

#[derive(FromRow)]
struct DeliveryRow {
    session_id: String,
    client_id: String,
    user_id: String,
    state: String,
    attempts: i64,
    ended_at: i64,
    due_at: i64,
    problem: Option<String>,
}

impl DeliveryRow {
    fn into_delivery(self) -> Result<LogoutDelivery, StorageError> {
        let impossible = |what: &dyn ToString| {
            StorageError::impossible("logout_deliveries", &self.session_id, what.to_string())
        };
        let at = Timestamp::from_unix(self.due_at);
        let state = match self.state.as_str() {
            "waiting" => DeliveryState::Waiting { due_at: at },
            "delivered" => DeliveryState::Delivered { at },
            "given_up" => DeliveryState::GivenUp { at },
            _ => return Err(impossible(&"unknown state")),
        };
        let attempts = u32::try_from(self.attempts).map_err(|error| impossible(&error))?;
        Ok(LogoutDelivery {
            session_id: SessionId::new(self.session_id),
            client_id: ClientId::new(self.client_id),
            user_id: UserId::new(self.user_id),
            ended_at: Timestamp::from_unix(self.ended_at),
            attempts,
            state,
            problem: self.problem,
        })
    }
}

/// A session is about to be ended by its user: its clients are to be told.
pub(super) async fn tell_of(
    tx: &mut Transaction,
    session: &SessionId,
    user: &UserId,
    now: Timestamp,
) -> Result<(), StorageError> {
    const TELL: &str = tell!("s.id = $2 AND s.user_id = $3");
    tx.execute(TELL, values![now.unix(), session.as_str(), user.as_str()]).await.map(|_| ())
}

/// Every session of a user is about to be ended: their clients are to be told.
pub(super) async fn tell_of_all(
    tx: &mut Transaction,
    user: &UserId,
    now: Timestamp,
) -> Result<(), StorageError> {
    const TELL: &str = tell!("s.user_id = $2");
    tx.execute(TELL, values![now.unix(), user.as_str()]).await.map(|_| ())
}

impl Storage {
    /// Deliveries whose time has come, at most so many of one client, so that one that does not answer takes the place
    /// of none.
    pub async fn due_logouts(
        &self,
        now: Timestamp,
        per_client: i64,
        most: i64,
    ) -> Result<Vec<LogoutDelivery>, StorageError> {
        const DUE: &str = "SELECT session_id, client_id, user_id, state, attempts, ended_at, due_at, problem FROM \
             (SELECT d.*, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY due_at, session_id) AS place \
             FROM logout_deliveries d WHERE state = 'waiting' AND due_at <= $1) AS waiting \
             WHERE place <= $2 ORDER BY due_at, session_id LIMIT $3";
        let rows: Vec<DeliveryRow> = self.db.fetch_all(DUE, values![now.unix(), per_client, most]).await?;
        rows.into_iter().map(DeliveryRow::into_delivery).collect()
    }

    /// Begins the next attempt of a delivery. True for exactly one caller, however many try at once; should that one
    /// never come back, the next attempt is at `again_at`.
    pub async fn claim_logout(
        &self,
        delivery: &LogoutDelivery,
        now: Timestamp,
        again_at: Timestamp,
    ) -> Result<bool, StorageError> {
        const CLAIM: &str = "UPDATE logout_deliveries SET attempts = attempts + 1, due_at = $5 \
             WHERE session_id = $1 AND client_id = $2 AND state = 'waiting' AND attempts = $3 AND due_at <= $4";
        let bound = values![
            delivery.session_id.as_str(),
            delivery.client_id.as_str(),
            i64::from(delivery.attempts),
            now.unix(),
            again_at.unix(),
        ];
        Ok(self.db.execute(CLAIM, bound).await? == 1)
    }

    /// Notes how an attempt ended: the delivery's new state and problem. A later attempt is not overwritten.
    pub async fn note_logout(&self, delivery: &LogoutDelivery) -> Result<(), StorageError> {
        const NOTE: &str = "UPDATE logout_deliveries SET state = $4, due_at = $5, problem = $6 \
             WHERE session_id = $1 AND client_id = $2 AND state = 'waiting' AND attempts = $3";
        let bound = values![
            delivery.session_id.as_str(),
            delivery.client_id.as_str(),
            i64::from(delivery.attempts),
            delivery.state.as_str(),
            delivery.state.at().unix(),
            delivery.problem.as_deref(),
        ];
        self.db.execute(NOTE, bound).await.map(|_| ())
    }

    /// How many deliveries wait; beyond a hundred thousand it does not count further.
    pub async fn waiting_logouts(&self) -> Result<i64, StorageError> {
        const WAITING: &str = "SELECT COUNT(*) FROM \
             (SELECT 1 FROM logout_deliveries WHERE state = 'waiting' LIMIT 100000) AS waiting";
        let counted: Option<(i64,)> = self.db.fetch_optional(WAITING, &[]).await?;
        Ok(counted.map_or(0, |(number,)| number))
    }

    /// The deliveries that are there, the youngest first.
    pub async fn logout_deliveries(&self, most: i64) -> Result<Vec<LogoutDelivery>, StorageError> {
        const LIST: &str = "SELECT session_id, client_id, user_id, state, attempts, ended_at, due_at, problem \
             FROM logout_deliveries ORDER BY ended_at DESC, session_id, client_id LIMIT $1";
        let rows: Vec<DeliveryRow> = self.db.fetch_all(LIST, values![most]).await?;
        rows.into_iter().map(DeliveryRow::into_delivery).collect()
    }
}
