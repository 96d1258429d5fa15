//! Browser sessions.

use sqlx::FromRow;

use super::authority::{Insertion, hold, inserting};
use super::db::{Locking, Transaction, Value, values};
use super::ending::{Ending, end_access_of_session, end_access_of_user};
use super::logout_deliveries::{tell_of, tell_of_all};
use super::users::{UserRow, user_columns};
use super::{Storage, StorageError};
use crate::model::{
    AuthorizationRequestId, ClientId, NetworkAddress, Noted, Session, SessionId, SignInGeneration, Timestamp,
    User, UserId,
};

/// How many sessions one statement looks for.
pub const MOST_AT_ONCE: usize = 8;

macro_rules! session_columns {
    () => {
        "s.id AS session_id, s.salt, s.user_id, s.auth_time, s.amr, s.created_at AS session_created_at, \
         s.last_seen_at, s.expires_at, s.user_agent, s.address, s.acr, s.request_id, s.persistent"
    };
}

#[derive(FromRow)]
struct SessionRow {
    session_id: String,
    salt: String,
    user_id: String,
    auth_time: i64,
    amr: String,
    session_created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    user_agent: String,
    address: String,
    acr: Option<String>,
    request_id: Option<String>,
    persistent: bool,
}

impl SessionRow {
    /// The session, and the salt of its cookie.
    fn into_session(self) -> (Session, String) {
        let session = Session {
            id: SessionId::new(self.session_id),
            user_id: UserId::new(self.user_id),
            auth_time: Timestamp::from_unix(self.auth_time),
            amr: self.amr,
            acr: self.acr,
            only_for: self.request_id.map(AuthorizationRequestId::new),
            persistent: self.persistent,
            created_at: Timestamp::from_unix(self.session_created_at),
            last_seen_at: Timestamp::from_unix(self.last_seen_at),
            expires_at: Timestamp::from_unix(self.expires_at),
            user_agent: self.user_agent,
            address: NetworkAddress::written(&self.address),
        };
        (session, self.salt)
    }
}

#[derive(FromRow)]
struct SignedInRow {
    #[sqlx(flatten)]
    session: SessionRow,
    #[sqlx(flatten)]
    user: UserRow,
}

impl Storage {
    /// Starts a session on a proof of this generation, while its user is enabled. `salt` makes its cookie: see
    /// [`crate::crypto::handle`].
    pub async fn insert_session(
        &self,
        noted: Noted,
        session: &Session,
        salt: &str,
        proof: SignInGeneration,
    ) -> Result<Insertion, StorageError> {
        const INSERT: Locking = inserting!(
            "INSERT INTO sessions (id, salt, user_id, auth_time, amr, created_at, last_seen_at, expires_at, \
             user_agent, address, acr, request_id, persistent) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 ",
            "FROM users u WHERE u.id = $3 AND NOT u.disabled AND u.sign_in_generation = $14",
            " FOR SHARE OF u",
            ""
        );
        let address = session.address.to_string();
        let bound = values![
            session.id.as_str(),
            salt,
            session.user_id.as_str(),
            session.auth_time.unix(),
            &session.amr,
            session.created_at.unix(),
            session.last_seen_at.unix(),
            session.expires_at.unix(),
            &session.user_agent,
            &address,
            session.acr.as_deref(),
            session.only_for.as_ref().map(AuthorizationRequestId::as_str),
            session.persistent,
            proof.number(),
        ];
        self.db.noting(noted).execute_locking(INSERT, bound).await.map(Insertion::of)
    }

    /// Live sessions of a user that are too many beside this one: those that were used the longest ago.
    pub async fn surplus_sessions(
        &self,
        session: &Session,
        most: i64,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StorageError> {
        const FIND: &str = "SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 AND expires_at > $3 \
             ORDER BY last_seen_at DESC, id LIMIT $4 OFFSET $5";
        let bound = values![
            session.user_id.as_str(),
            session.id.as_str(),
            now.unix(),
            MOST_AT_ONCE as i64,
            most - 1,
        ];
        let rows: Vec<(String,)> = self.db.fetch_all(FIND, bound).await?;
        Ok(rows.into_iter().map(|(id,)| SessionId::new(id)).collect())
    }

    /// The user of a live session proved again who they are: as with a new one. A new salt makes the cookies given out
    /// before worthless. False where the session or the proof has ended.
    pub async fn renew_session(
        &self,
        noted: Noted,
        session: &Session,
        salt: &str,
        proof: SignInGeneration,
    ) -> Result<bool, StorageError> {
        // The subquery is answered, and its row locked, before the session is written.
        const RENEW: Locking = inserting!(
            "UPDATE sessions SET salt = $2, auth_time = $3, amr = $4, last_seen_at = $5, expires_at = $6, \
             user_agent = $7, address = $8, acr = $9, persistent = $10 WHERE id = $1 AND user_id = ",
            "(SELECT u.id FROM users u WHERE u.id = $11 AND NOT u.disabled AND u.sign_in_generation = $12",
            " FOR SHARE OF u",
            ")"
        );
        let address = session.address.to_string();
        let bound = values![
            session.id.as_str(),
            salt,
            session.auth_time.unix(),
            &session.amr,
            session.last_seen_at.unix(),
            session.expires_at.unix(),
            &session.user_agent,
            &address,
            session.acr.as_deref(),
            session.persistent,
            session.user_id.as_str(),
            proof.number(),
        ];
        Ok(self.db.noting(noted).execute_locking(RENEW, bound).await? == 1)
    }

    /// The sessions of these ids with their users and their cookies' salts, whether or not they have expired; no more
    /// than [`MOST_AT_ONCE`].
    pub async fn sessions(&self, ids: &[SessionId]) -> Result<Vec<(Session, User, String)>, StorageError> {
        const FIND: &str = concat!(
            "SELECT ",
            session_columns!(),
            ", ",
            user_columns!(),
            " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id IN ($1, $2, $3, $4, $5, $6, $7, $8)"
        );
        // No session's id is empty.
        let mut bound = [Value::Text(""); MOST_AT_ONCE];
        for (value, id) in bound.iter_mut().zip(ids) {
            *value = id.as_str().into();
        }
        let rows: Vec<SignedInRow> = self.db.fetch_all(FIND, &bound).await?;
        let read = |row: SignedInRow| {
            let (session, salt) = row.session.into_session();
            Ok((session, row.user.into_user()?, salt))
        };
        rows.into_iter().map(read).collect()
    }

    /// The live sessions of a user, the last used first.
    pub async fn sessions_of(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StorageError> {
        const LIST: &str = concat!(
            "SELECT ",
            session_columns!(),
            " FROM sessions s WHERE s.user_id = $1 AND s.expires_at > $2 AND s.request_id IS NULL \
             ORDER BY s.last_seen_at DESC"
        );
        let rows: Vec<SessionRow> = self.db.fetch_all(LIST, values![user.as_str(), now.unix()]).await?;
        Ok(rows.into_iter().map(|row| row.into_session().0).collect())
    }

    /// Notes that a session was used.
    pub async fn touch_session(&self, id: &SessionId, now: Timestamp) -> Result<(), StorageError> {
        const TOUCH: &str = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2";
        self.db.execute(TOUCH, values![id.as_str(), now.unix()]).await.map(|_| ())
    }

    /// The clients with a grant of this session that have a page to show when it ends.
    pub async fn frontchannel_clients(&self, id: &SessionId) -> Result<Vec<ClientId>, StorageError> {
        const FIND: &str = "SELECT DISTINCT g.client_id FROM grants g JOIN clients c ON c.id = g.client_id \
             WHERE g.session_id = $1 AND c.frontchannel_logout ORDER BY g.client_id";
        let rows: Vec<(String,)> = self.db.fetch_all(FIND, values![id.as_str()]).await?;
        Ok(rows.into_iter().map(|(id,)| ClientId::new(id)).collect())
    }

    /// Ends a session of this user, and the access that ends with it: as [`Storage::ending`] says. The clients are going to be told. Ending it again changes nothing.
    pub async fn end_session(
        &self,
        noted: Noted,
        id: &SessionId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const DELETE: &str = "DELETE FROM sessions WHERE id = $1 AND user_id = $2";
        let mut tx = self.db.noting(noted).begin().await?;
        hold(&mut tx, user).await?;
        tell_of(&mut tx, id, user, now).await?;
        let ended = tx.execute(DELETE, values![id.as_str(), user.as_str()]).await? == 1;
        end_access_of_session(&mut tx, self.ending, id, user).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

#[derive(FromRow)]
struct ExpiredRow {
    id: String,
    user_id: String,
}

impl Storage {
    /// Ends sessions whose lifetime is over, a batch of them; not those that counted for one request only. How many
    /// were found.
    pub async fn end_expired_sessions(&self, now: Timestamp) -> Result<usize, StorageError> {
        const FIND: &str =
            "SELECT id, user_id FROM sessions WHERE expires_at <= $1 AND request_id IS NULL LIMIT 100";
        let rows: Vec<ExpiredRow> = self.db.fetch_all(FIND, values![now.unix()]).await?;
        for row in &rows {
            self.end_expired_session(&SessionId::new(&row.id), &UserId::new(&row.user_id), now).await?;
        }
        Ok(rows.len())
    }

    /// Unless it was renewed or ended meanwhile.
    async fn end_expired_session(
        &self,
        id: &SessionId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        const DELETE: &str = "DELETE FROM sessions WHERE id = $1 AND expires_at <= $2";
        let mut tx = self.db.begin().await?;
        hold(&mut tx, user).await?;
        tell_of(&mut tx, id, user, now).await?;
        if tx.execute(DELETE, values![id.as_str(), now.unix()]).await? == 0 {
            return Ok(());
        }
        end_access_of_session(&mut tx, self.ending, id, user).await?;
        tx.commit().await
    }
}

/// Ends every session of a user whose sign-ins were ended before, and what ends with them. The clients are going to be
/// told.
pub(super) async fn end_sessions(
    tx: &mut Transaction,
    ending: Ending,
    user: &UserId,
    now: Timestamp,
) -> Result<(), StorageError> {
    const DELETE: &str = "DELETE FROM sessions WHERE user_id = $1";
    tell_of_all(tx, user, now).await?;
    tx.execute(DELETE, values![user.as_str()]).await?;
    end_access_of_user(tx, ending, user, now).await
}
