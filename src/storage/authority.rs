//! What things come from. Whatever is made of a sign-in, a session or a yes is made only while that still stands, and
//! stays standing until it is made: the rows are locked (docs/adr/0033, docs/endings.md).
//!
//! Two sides keep it so. Who makes something locks the user, the session, the client and the consent, in this order, in
//! the very statement that inserts ([`Authority`]). Who ends something locks the user first ([`end_sign_ins`],
//! [`withdraw_consents`], [`hold`]) and the clients of the grants then ([`ending_grants`]), or ends what one client has and locks
//! that ([`hold_client`]), and tells, deletes and revokes in later statements, each of which sees all that was
//! made before the lock.

use super::db::{Locking, Transaction, values};
use super::{Consent, StorageError};
use crate::model::{ClientId, ConsentGeneration, SignInGeneration, UserId};

/// A statement that inserts on an authority: its columns, what it selects for them, and what must hold. `$lock` is what
/// keeps the rows as they are until the end; SQLite has one writer, and needs none.
macro_rules! inserting {
    ($insert:expr, $from:expr, $lock:expr, $after:expr) => {
        crate::storage::db::Locking {
            postgres: concat!($insert, $from, $lock, $after),
            sqlite: concat!($insert, $from, $after),
        }
    };
}
pub(super) use inserting;

/// A statement that ends grants of a user, each of which it takes only after the grant's client: whoever ends all of a
/// client's, or deletes it, has that row alone, and is in the middle of none of them.
macro_rules! ending_grants {
    ($sql:expr) => {
        crate::storage::db::Locking {
            postgres: concat!(
                $sql,
                " AND EXISTS (SELECT 1 FROM clients cl WHERE cl.id = grants.client_id FOR KEY SHARE)"
            ),
            sqlite: $sql,
        }
    };
}
pub(super) use ending_grants;

/// What a grant comes from. None is inserted without naming it.
#[derive(Debug, Clone, Copy)]
pub enum Authority<'a> {
    /// A password that was right: the user is enabled, and no ending of all their sign-ins came between.
    Password(SignInGeneration),
    /// The session of the grant: it lives and is this user's, who is enabled.
    Session(Yes<'a>),
}

/// What was said before in this session's name, as far as something is made of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Yes<'a> {
    /// The consent that was read and is built upon: it stands as it was.
    pub remembered: Option<&'a Consent>,
    /// A yes that was given earlier: the user has taken no access back since.
    pub given_at: Option<ConsentGeneration>,
}

impl<'a> Yes<'a> {
    /// Built upon what was remembered, if anything was.
    pub fn upon(remembered: Option<&'a Consent>) -> Self {
        Self { remembered, given_at: None }
    }
}

/// What an insertion on an authority came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Insertion {
    Inserted,
    /// There is one of this id already, or the authority has ended: nothing was written.
    Nothing,
}

impl Insertion {
    pub(super) fn of(rows: u64) -> Self {
        if rows == 1 { Self::Inserted } else { Self::Nothing }
    }
}

/// Ends whatever a sign-in of this user under way is about to make. The first statement of all that ends every session of
/// a user: it waits for what is being made, and what comes later is refused.
pub(super) async fn end_sign_ins(tx: &mut Transaction, user: &UserId) -> Result<bool, StorageError> {
    const RAISE: &str = "UPDATE users SET sign_in_generation = sign_in_generation + 1 WHERE id = $1";
    Ok(tx.lock(RAISE, values![user.as_str()]).await? == 1)
}

/// The same for a yes of theirs that is on its way.
pub(super) async fn withdraw_consents(tx: &mut Transaction, user: &UserId) -> Result<bool, StorageError> {
    const RAISE: &str = "UPDATE users SET consent_generation = consent_generation + 1 WHERE id = $1";
    Ok(tx.lock(RAISE, values![user.as_str()]).await? == 1)
}

/// Waits for what is being made of this user's sessions and grants, and lets nothing else be made until the end of the
/// transaction. The first statement of all that ends some of it.
pub(super) async fn hold(tx: &mut Transaction, user: &UserId) -> Result<bool, StorageError> {
    const HOLD: &str = "UPDATE users SET sign_in_generation = sign_in_generation WHERE id = $1";
    Ok(tx.lock(HOLD, values![user.as_str()]).await? == 1)
}

/// The same of what is being made for a client. The first statement of all that ends what it was granted. Who makes a grant
/// has its client's row in share, and a mere UPDATE of other columns would not wait for that.
pub(super) async fn hold_client(tx: &mut Transaction, client: &ClientId) -> Result<(), StorageError> {
    const HOLD: Locking = Locking {
        postgres: "SELECT id FROM clients WHERE id = $1 FOR UPDATE",
        sqlite: "SELECT id FROM clients WHERE id = $1",
    };
    tx.lock_rows(HOLD, values![client.as_str()]).await
}
