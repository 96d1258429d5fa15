//! New grants: inserted from the rows that they come from.

use super::authority::{Authority, Insertion, Yes, inserting};
use super::consents::AllowedColumns;
use super::db::{Locking, Transaction, Value};
use super::grants::{Texts, columns_of};
use super::{Storage, StorageError};
use crate::model::{ConsentGeneration, Grant, Noted};

/// Inserts a grant from what it comes from, with locks in the order of [`super::authority`].
macro_rules! insert_grant {
    ($from:expr, $lock:expr) => {
        inserting!(
            "INSERT INTO grants (id, client_id, user_id, session_id, state, salt, scope, auth_time, amr, redirect_uri, \
             code_challenge, nonce, code_expires_at, refreshable, generation, rotated_at, created_at, expires_at, \
             context, resources, access_token_issued) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21 ",
            $from,
            $lock,
            " ON CONFLICT (id) DO NOTHING"
        )
    };
}

/// On a password: the generation is $22.
const BY_PASSWORD: Locking = insert_grant!(
    "FROM users u JOIN clients cl ON cl.id = $2 WHERE u.id = $3 AND NOT u.disabled AND u.sign_in_generation = $22",
    " FOR SHARE OF u FOR KEY SHARE OF cl"
);

/// On a session: the generation of an earlier yes is $22.
const IN_SESSION: Locking = insert_grant!(
    "FROM users u JOIN sessions s ON s.user_id = u.id JOIN clients cl ON cl.id = $2 \
     WHERE u.id = $3 AND NOT u.disabled AND s.id = $4 AND s.expires_at > $17 \
     AND u.consent_generation = COALESCE($22, u.consent_generation)",
    " FOR SHARE OF u FOR SHARE OF s FOR KEY SHARE OF cl"
);

/// On a session, and on a consent that is remembered for the scope $23 and what $24 says of
/// resources. Who is going to write the consent locks it so that
/// two of them wait for each other, and not in a circle.
macro_rules! upon_consent {
    ($lock:expr) => {
        insert_grant!(
            "FROM users u JOIN sessions s ON s.user_id = u.id JOIN clients cl ON cl.id = $2 \
             JOIN consents c ON c.user_id = u.id AND c.client_id = cl.id \
             WHERE u.id = $3 AND NOT u.disabled AND s.id = $4 AND s.expires_at > $17 \
             AND u.consent_generation = COALESCE($22, u.consent_generation) \
             AND c.scope = $23 AND c.resources = $24 AND (c.expires_at IS NULL OR c.expires_at > $17)",
            $lock
        )
    };
}

const UPON_CONSENT: Locking =
    upon_consent!(" FOR SHARE OF u FOR SHARE OF s FOR KEY SHARE OF cl FOR SHARE OF c");
const BESIDE_CONSENT: Locking =
    upon_consent!(" FOR SHARE OF u FOR SHARE OF s FOR KEY SHARE OF cl FOR NO KEY UPDATE OF c");

/// A statement that inserts a grant, with its values.
struct Insert<'a> {
    sql: Locking,
    values: Vec<Value<'a>>,
}

impl<'a> Insert<'a> {
    fn new(
        grant: &'a Grant,
        texts: &'a Texts,
        authority: Authority<'_>,
        remembered: &'a Option<AllowedColumns>,
        upon_consent: Locking,
    ) -> Result<Self, StorageError> {
        let mut values = columns_of(grant, texts)?.to_vec();
        let sql = match (authority, &grant.session_id, remembered) {
            (Authority::Password(generation), None, None) => {
                values.push(generation.number().into());
                BY_PASSWORD
            }
            (Authority::Session(yes), Some(_), remembered) => {
                values.push(yes.given_at.map(ConsentGeneration::number).into());
                let columns = remembered.iter().flat_map(|allowed| [&allowed.scope, &allowed.resources]);
                values.extend(columns.map(Value::from));
                if remembered.is_some() { upon_consent } else { IN_SESSION }
            }
            _ => {
                let what = "inserted on another authority than it names";
                return Err(StorageError::impossible("grants", grant.id.as_str(), what));
            }
        };
        Ok(Self { sql, values })
    }
}

/// The consent that is built upon, as its columns have it.
fn remembered(authority: Authority<'_>) -> Result<Option<AllowedColumns>, StorageError> {
    match authority {
        Authority::Session(Yes { remembered: Some(consent), .. }) => {
            AllowedColumns::of(&consent.client_id, &consent.allowed).map(Some)
        }
        Authority::Session(Yes { remembered: None, .. }) | Authority::Password(_) => Ok(None),
    }
}

/// Inserts a grant in a transaction that is going to write the consent.
pub(super) async fn insert(
    tx: &mut Transaction,
    grant: &Grant,
    authority: Authority<'_>,
) -> Result<Insertion, StorageError> {
    let (texts, remembered) = (Texts::of(grant)?, remembered(authority)?);
    let Insert { sql, values } = Insert::new(grant, &texts, authority, &remembered, BESIDE_CONSENT)?;
    tx.execute_locking(sql, &values).await.map(Insertion::of)
}

impl Storage {
    /// Inserts a grant, while what it comes from stands.
    pub async fn insert_grant(
        &self,
        noted: Noted,
        grant: &Grant,
        authority: Authority<'_>,
    ) -> Result<Insertion, StorageError> {
        let (texts, remembered) = (Texts::of(grant)?, remembered(authority)?);
        let Insert { sql, values } = Insert::new(grant, &texts, authority, &remembered, UPON_CONSENT)?;
        self.db.noting(noted).execute_locking(sql, &values).await.map(Insertion::of)
    }
}
