//! What a user allowed a client, remembered so that only what is new is asked for.

mod allowed;

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::authority::{Authority, Insertion, ending_grants, withdraw_consents};
use super::db::{Locking, Transaction, values};
use super::{Storage, StorageError, new_grants};
use crate::model::{Allowed, ClientId, Grant, Noted, ScopeSet, Timestamp, UserId};
pub(super) use allowed::AllowedColumns;
pub use allowed::Consent;

/// What is to be remembered, in place of what was before.
#[derive(Debug, Clone, PartialEq)]
pub struct Remember {
    pub allowed: Allowed,
    /// None: until it is taken back.
    pub until: Option<Timestamp>,
}

impl Remember {
    /// A new yes beside what was remembered before. What was allowed for a time is not prolonged by the way.
    pub fn adding(before: Option<Consent>, new: Allowed, until: Option<Timestamp>) -> Self {
        match before {
            Some(before)
                if before.expires_at.is_none() && (until.is_none() || new.is_subset(&before.allowed)) =>
            {
                Self { allowed: before.allowed.union(&new), until: None }
            }
            _ => Self { allowed: new, until },
        }
    }
}

#[derive(FromRow)]
struct ConsentRow {
    client_id: String,
    scope: String,
    resources: String,
    created_at: i64,
    expires_at: Option<i64>,
}

impl ConsentRow {
    fn into_consent(self) -> Result<Consent, StorageError> {
        let scope: ScopeSet = self
            .scope
            .parse()
            .map_err(|error| StorageError::impossible("consents", &self.client_id, error))?;
        let resources: BTreeMap<String, ScopeSet> = serde_json::from_str(&self.resources)
            .map_err(|error| StorageError::impossible("consents", &self.client_id, error.to_string()))?;
        Ok(Consent {
            client_id: ClientId::new(self.client_id),
            allowed: Allowed { scope, resources },
            created_at: Timestamp::from_unix(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_unix),
        })
    }
}

impl Storage {
    /// What is still remembered at `now`.
    pub async fn consent(
        &self,
        user: &UserId,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<Option<Consent>, StorageError> {
        const FIND: &str = "SELECT client_id, scope, resources, created_at, expires_at FROM consents \
             WHERE user_id = $1 AND client_id = $2 AND (expires_at IS NULL OR expires_at > $3)";
        let bound = values![user.as_str(), client.as_str(), now.unix()];
        let row: Option<ConsentRow> = self.db.fetch_optional(FIND, bound).await?;
        row.map(ConsentRow::into_consent).transpose()
    }

    pub async fn consents_of(&self, user: &UserId, now: Timestamp) -> Result<Vec<Consent>, StorageError> {
        const LIST: &str = "SELECT client_id, scope, resources, created_at, expires_at FROM consents \
             WHERE user_id = $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY created_at";
        let rows: Vec<ConsentRow> = self.db.fetch_all(LIST, values![user.as_str(), now.unix()]).await?;
        rows.into_iter().map(ConsentRow::into_consent).collect()
    }

    /// Remembers the user's yes and issues the grant, both or neither, while what they come from stands: the authority, and
    /// the request, whose id the grant has. A client that became another has taken its requests along.
    pub async fn approve(
        &self,
        noted: Noted,
        grant: &Grant,
        remembered: &Remember,
        authority: Authority<'_>,
    ) -> Result<Insertion, StorageError> {
        let mut tx = self.db.noting(noted).begin().await?;
        // Its lock on the client first: who makes another of that waits for it, or was waited for and is seen below.
        let issued = new_grants::insert(&mut tx, grant, authority).await?;
        if issued == Insertion::Inserted && !remember(&mut tx, OF_REQUEST, grant, remembered).await? {
            return Ok(Insertion::Nothing);
        }
        tx.commit().await?;
        Ok(issued)
    }

    /// Takes a client's access back: the consent is forgotten and every grant to it revoked, and a yes that is on its way
    /// counts no more. False where there was none.
    pub async fn withdraw(
        &self,
        noted: Noted,
        user: &UserId,
        client: &ClientId,
    ) -> Result<bool, StorageError> {
        const FORGET: &str = "DELETE FROM consents WHERE user_id = $1 AND client_id = $2";
        const REVOKE: Locking = ending_grants!(
            "UPDATE grants SET state = 'revoked' WHERE user_id = $1 AND client_id = $2 AND state <> 'revoked'"
        );
        let mut tx = self.db.noting(noted).begin().await?;
        withdraw_consents(&mut tx, user).await?;
        let revoked = tx.execute_locking(REVOKE, values![user.as_str(), client.as_str()]).await?;
        let forgotten = tx.execute(FORGET, values![user.as_str(), client.as_str()]).await?;
        tx.commit().await?;
        Ok(forgotten + revoked > 0)
    }
}

/// Remembers a yes to what waits under the id $7 in this table.
macro_rules! remember_of {
    ($table:literal) => {
        concat!(
            "INSERT INTO consents (user_id, client_id, scope, created_at, updated_at, expires_at, resources) \
             SELECT $1, $2, $3, $4, $4, $5, $6 FROM ",
            $table,
            " WHERE id = $7 ON CONFLICT (user_id, client_id) \
             DO UPDATE SET scope = $3, updated_at = $4, expires_at = $5, resources = $6"
        )
    };
}

const OF_REQUEST: &str = remember_of!("authorization_requests");
pub(super) const OF_DEVICE: &str = remember_of!("device_authorizations");

/// Remembers the user's yes in a transaction. False when what it was said to is not there any more.
pub(super) async fn remember(
    tx: &mut Transaction,
    sql: &'static str,
    grant: &Grant,
    remembered: &Remember,
) -> Result<bool, StorageError> {
    let allowed = AllowedColumns::of(&grant.client_id, &remembered.allowed)?;
    let bound = values![
        grant.user_id.as_str(),
        grant.client_id.as_str(),
        &allowed.scope,
        grant.created_at.unix(),
        remembered.until.map(Timestamp::unix),
        &allowed.resources,
        grant.id.as_str(),
    ];
    Ok(tx.execute(sql, bound).await? == 1)
}

#[cfg(test)]
mod tests {
    use super::{Consent, Remember};
    use crate::model::{Allowed, ClientId, Timestamp};

    const SOON: Option<Timestamp> = Some(Timestamp::from_unix(60));

    fn adding(
        before: &str,
        expires_at: Option<Timestamp>,
        scope: &str,
        until: Option<Timestamp>,
    ) -> Remember {
        let at_default = |text: &str| Allowed::of(&text.parse().unwrap(), &[]);
        let (client_id, created_at) = (ClientId::new("c"), Timestamp::from_unix(0));
        let before = Consent { client_id, allowed: at_default(before), created_at, expires_at };
        Remember::adding(Some(before), at_default(scope), until)
    }

    #[test]
    fn what_was_allowed_for_a_time_is_not_prolonged_by_the_way() {
        let told = |remember: Remember| (remember.allowed.scope.to_string(), remember.until);
        assert_eq!(told(adding("a", None, "b", None)), ("a b".into(), None));
        assert_eq!(told(adding("a", SOON, "b", None)), ("b".into(), None));
        assert_eq!(told(adding("a", None, "b", SOON)), ("b".into(), SOON));
        assert_eq!(told(adding("a b", None, "b", SOON)), ("a b".into(), None));
    }
}
