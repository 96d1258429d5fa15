//! Counts of what was guessed wrong, the same for every process. Each row is one limit. A try is counted before it is
//! checked, under all its limits or none, so that many at once are no more than the same one after another.

use sqlx::FromRow;

use super::db::{Value, values};
use super::users::{CredentialsRow, credentials_columns, login_keys, whom_login_names};
use super::{Credentials, Storage, StorageError};
use crate::model::{Timestamp, TryLimit};

/// The most limits that one try counts under.
const MOST: usize = 3;

/// The limits of a try as rows `asked`, in an order that is the same in every statement: so none waits for another in a
/// circle. $1 is the time.
macro_rules! asked {
    () => {
        "WITH asked (place, id, allowance, free, step, most, kept) AS (VALUES (1, CAST($2 AS TEXT), \
         CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT)), \
         (2, $8, $9, $10, $11, $12, $13), (3, $14, $15, $16, $17, $18, $19)) "
    };
}

#[derive(FromRow)]
struct TriedRow {
    #[sqlx(flatten)]
    credentials: CredentialsRow,
    tried: bool,
    tried_here: bool,
}

/// Who is meant by what was typed, and whether anything was wrong lately that concerns the next try.
#[derive(Debug)]
pub struct Tried {
    pub credentials: Credentials,
    /// For this account, from this network, or both.
    pub by_strangers: bool,
    /// For this account in this browser.
    pub here: bool,
}

/// The ids of the rows that a password counts under; an account is a user's id, or what stands for a name nobody has.
/// `network` and `browser` have no dot.
pub(crate) mod id {
    pub(crate) fn pair(network: &str, account: &str) -> String {
        format!("p.{network}.{account}")
    }

    pub(crate) fn network(network: &str) -> String {
        format!("n.{network}")
    }

    pub(crate) fn account(account: &str) -> String {
        format!("a.{account}")
    }

    pub(crate) fn browser(browser: &str, account: &str) -> String {
        format!("b.{browser}.{account}")
    }
}

#[derive(FromRow)]
struct WaitRow {
    wait: i64,
}

impl Storage {
    /// [`Storage::credentials`], and whether there are counts: in the same statement, so that a sign-in at which nothing
    /// was wrong before costs no other one.
    pub async fn credentials_and_tries(
        &self,
        login: &str,
        (network, browser): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Tried>, StorageError> {
        const FIND: &str = concat!(
            "SELECT ",
            credentials_columns!(),
            ", EXISTS (SELECT 1 FROM tries t WHERE t.expires_at > $4 \
             AND t.id IN ('p.' || $2 || '.' || u.id, 'n.' || $2, 'a.' || u.id)) AS tried, \
             EXISTS (SELECT 1 FROM tries t WHERE t.expires_at > $4 AND t.id = 'b.' || $3 || '.' || u.id) \
             AS tried_here FROM users u ",
            whom_login_names!("$1", "$5", "$6")
        );
        let [name, mail, plain] = login_keys(login);
        let bound = values![&name, network, browser, now.unix(), &mail, &plain];
        let row: Option<TriedRow> = self.db.fetch_optional(FIND, bound).await?;
        row.map(|row| {
            Ok(Tried {
                credentials: row.credentials.into_credentials()?,
                by_strangers: row.tried,
                here: row.tried_here,
            })
        })
        .transpose()
    }

    /// Counts a try under each of its limits, if none of them says to wait. Of many at once that come to a limit together,
    /// one that is refused may yet count under its other limits.
    pub async fn count_try(&self, limits: &[TryLimit], now: Timestamp) -> Result<bool, StorageError> {
        const COUNT: &str = concat!(
            asked!(),
            "INSERT INTO tries (id, number, pause, next_at, expires_at) \
             SELECT a.id, 1, CASE WHEN a.free > 1 THEN 0 ELSE a.step END, \
             CAST($1 AS BIGINT) + CASE WHEN a.free > 1 THEN 0 ELSE a.step END, $1 + a.step + a.kept FROM asked a \
             WHERE a.id <> '' AND NOT EXISTS \
             (SELECT 1 FROM tries t JOIN asked b ON b.id = t.id WHERE t.next_at > $1 + b.allowance) ORDER BY a.place \
             ON CONFLICT (id) DO UPDATE SET (number, pause, next_at, expires_at) = \
             (SELECT n.number, n.pause, n.paid_at + n.pause, n.paid_at + n.pause + n.kept FROM \
             (SELECT m.number, m.paid_at, m.kept, CASE WHEN m.number < m.free THEN 0 WHEN m.pause = 0 THEN m.step \
             WHEN m.pause * 2 > m.most THEN m.most ELSE m.pause * 2 END AS pause FROM \
             (SELECT a.free, a.step, a.most, a.kept, \
             CASE WHEN tries.expires_at > $1 THEN tries.number + 1 ELSE 1 END AS number, \
             CASE WHEN tries.expires_at > $1 THEN tries.pause ELSE 0 END AS pause, \
             CASE WHEN tries.next_at > $1 THEN tries.next_at ELSE $1 END AS paid_at \
             FROM asked a WHERE a.id = tries.id) m) n) \
             WHERE tries.next_at <= $1 + (SELECT a.allowance FROM asked a WHERE a.id = tries.id)"
        );
        let counted = self.db.execute(COUNT, &bound(limits, now)).await?;
        Ok(counted == limits.len() as u64)
    }

    /// Takes a try back that was right after all. With `forget` so are the wrong ones before it under the first limit,
    /// which is that of whoever has just shown who they are.
    pub async fn take_try_back(
        &self,
        limits: &[TryLimit],
        forget: bool,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        const TAKE_BACK: &str = concat!(
            asked!(),
            "INSERT INTO tries (id, number, pause, next_at, expires_at) \
             SELECT a.id, 0, 0, CAST($1 AS BIGINT), $1 FROM asked a WHERE a.id <> '' ORDER BY a.place \
             ON CONFLICT (id) DO UPDATE SET \
             number = CASE WHEN $20 AND tries.id = $2 THEN 0 ELSE tries.number - 1 END, \
             pause = CASE WHEN $20 AND tries.id = $2 THEN 0 ELSE tries.pause END, \
             next_at = CASE WHEN $20 AND tries.id = $2 THEN $1 ELSE tries.next_at - tries.pause END"
        );
        let mut bound = bound(limits, now);
        bound.push(forget.into());
        self.db.execute(TAKE_BACK, &bound).await?;
        Ok(())
    }

    /// Seconds until none of the limits says to wait.
    pub async fn wait_for_try(&self, limits: &[TryLimit], now: Timestamp) -> Result<i64, StorageError> {
        const WAIT: &str = concat!(
            asked!(),
            "SELECT t.next_at - a.allowance - $1 AS wait FROM tries t JOIN asked a ON a.id = t.id \
             ORDER BY t.next_at - a.allowance DESC LIMIT 1"
        );
        let row: Option<WaitRow> = self.db.fetch_optional(WAIT, &bound(limits, now)).await?;
        Ok(row.map_or(0, |row| row.wait))
    }
}

fn bound(limits: &[TryLimit], now: Timestamp) -> Vec<Value<'_>> {
    let mut bound = vec![now.unix().into()];
    for place in 0..MOST {
        let limit = limits.get(place);
        bound.push(limit.map_or("", |limit| limit.id.as_str()).into());
        let rule = limit.map(|limit| limit.rule).unwrap_or_default();
        bound.extend([rule.allowance, rule.free, rule.step, rule.most, rule.kept].map(Value::from));
    }
    bound
}
