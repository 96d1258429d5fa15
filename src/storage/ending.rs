//! What ends beside the sessions, when sessions end.

use super::StorageError;
use super::authority::{ending_grants, withdraw_consents};
use super::db::{Locking, Transaction, values};
use crate::model::{SessionId, Timestamp, UserId};

/// How much ends with a session, or with all of a user (adr/0016, adr/0037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Access that is not for offline use, and codes that nobody redeemed.
    Online,
    /// All access that was given in them.
    Access,
    /// Where all sessions of a user end, every access of theirs and what is remembered as allowed.
    Everything,
}

/// Grants that end with a session: what is not for offline use, and what nobody has come for yet.
macro_rules! online {
    () => {
        "(NOT refreshable OR state = 'code' \
         OR EXISTS (SELECT 1 FROM device_authorizations d WHERE d.id = grants.id AND d.state = 'approved')) \
         AND state <> 'revoked'"
    };
}

/// Revokes what ends with a session.
pub(super) async fn end_access_of_session(
    tx: &mut Transaction,
    ending: Ending,
    session: &SessionId,
    user: &UserId,
) -> Result<(), StorageError> {
    const ONLINE: Locking = ending_grants!(concat!(
        "UPDATE grants SET state = 'revoked' WHERE session_id = $1 AND user_id = $2 AND ",
        online!()
    ));
    const ALL: Locking = ending_grants!(
        "UPDATE grants SET state = 'revoked' WHERE session_id = $1 AND user_id = $2 AND state <> 'revoked'"
    );
    let revoke = if ending == Ending::Online { ONLINE } else { ALL };
    tx.execute_locking(revoke, values![session.as_str(), user.as_str()]).await.map(|_| ())
}

/// Revokes what ends with all sessions of a user.
pub(super) async fn end_access_of_user(
    tx: &mut Transaction,
    ending: Ending,
    user: &UserId,
    now: Timestamp,
) -> Result<(), StorageError> {
    const ONLINE: Locking =
        ending_grants!(concat!("UPDATE grants SET state = 'revoked' WHERE user_id = $1 AND ", online!()));
    const ALL: Locking =
        ending_grants!("UPDATE grants SET state = 'revoked' WHERE user_id = $1 AND state <> 'revoked'");
    const FORGET: &str = "DELETE FROM consents WHERE user_id = $1";
    // What no grant vouches for has nothing but its date.
    const DATE: &str = "UPDATE users SET tokens_not_before = $2 WHERE id = $1";
    let revoke = if ending == Ending::Online { ONLINE } else { ALL };
    tx.execute_locking(revoke, values![user.as_str()]).await?;
    if ending == Ending::Everything {
        // Whoever had the account may have allowed something in its user's name.
        withdraw_consents(tx, user).await?;
        tx.execute(FORGET, values![user.as_str()]).await?;
        tx.execute(DATE, values![user.as_str(), now.unix()]).await?;
    }
    Ok(())
}
