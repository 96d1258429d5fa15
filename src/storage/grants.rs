//! Grants: every change of state is one conditional UPDATE, so that exactly one caller wins.

use sqlx::FromRow;

use super::db::{Transaction, Value, values};
use super::users::{UserRow, user_columns};
use super::{Storage, StorageError};
use crate::model::{
    Authentication, ClientId, CodeConditions, Grant, GrantId, GrantState, Refresh, SessionId, Timestamp,
    User, UserId,
};

const INSERT: &str = "INSERT INTO grants (id, client_id, user_id, session_id, state, salt, scope, auth_time, amr, \
     redirect_uri, code_challenge, nonce, code_expires_at, refreshable, generation, rotated_at, created_at, \
     expires_at, resources) \
     VALUES ($1, $2, $3, $4, 'code', $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $14, $15, $16) \
     ON CONFLICT (id) DO NOTHING";

const FIND: &str = concat!(
    "SELECT g.id AS grant_id, g.client_id, g.user_id, g.session_id, g.state, g.salt, g.scope, g.auth_time, g.amr, \
     g.redirect_uri, g.code_challenge, g.nonce, g.code_expires_at, g.refreshable, g.generation, g.rotated_at, \
     g.created_at AS grant_created_at, g.expires_at AS grant_expires_at, g.resources, ",
    user_columns!(),
    " FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = $1"
);

#[derive(FromRow)]
struct GrantRow {
    grant_id: String,
    client_id: String,
    user_id: String,
    session_id: Option<String>,
    state: String,
    salt: String,
    scope: String,
    auth_time: i64,
    amr: String,
    redirect_uri: String,
    code_challenge: Option<String>,
    nonce: Option<String>,
    code_expires_at: i64,
    refreshable: bool,
    generation: i64,
    rotated_at: i64,
    grant_created_at: i64,
    grant_expires_at: Option<i64>,
    resources: String,
}

#[derive(FromRow)]
struct GrantAndUserRow {
    #[sqlx(flatten)]
    grant: GrantRow,
    #[sqlx(flatten)]
    user: UserRow,
}

impl GrantRow {
    fn into_grant(self) -> Result<Grant, StorageError> {
        let impossible =
            |what: &dyn ToString| StorageError::impossible("grants", &self.grant_id, what.to_string());
        let scope = self.scope.parse().map_err(|error| impossible(&error))?;
        let generation = u32::try_from(self.generation).map_err(|error| impossible(&error))?;
        let state = match self.state.as_str() {
            "code" => GrantState::CodeIssued(CodeConditions {
                expires_at: Timestamp::from_unix(self.code_expires_at),
                redirect_uri: self.redirect_uri,
                code_challenge: self.code_challenge,
                nonce: self.nonce,
                refreshable: self.refreshable,
            }),
            "active" => GrantState::Active {
                refresh: self
                    .refreshable
                    .then_some(Refresh { generation, rotated_at: Timestamp::from_unix(self.rotated_at) }),
            },
            "revoked" => GrantState::Revoked,
            _ => return Err(impossible(&"unknown state")),
        };
        Ok(Grant {
            id: GrantId::new(self.grant_id),
            client_id: ClientId::new(self.client_id),
            user_id: UserId::new(self.user_id),
            session_id: self.session_id.map(SessionId::new),
            scope,
            resources: self.resources.split(' ').filter(|uri| !uri.is_empty()).map(str::to_owned).collect(),
            authentication: Authentication { auth_time: Timestamp::from_unix(self.auth_time), amr: self.amr },
            salt: self.salt,
            created_at: Timestamp::from_unix(self.grant_created_at),
            expires_at: self.grant_expires_at.map(Timestamp::from_unix),
            state,
        })
    }
}

/// One conditional rotation of a grant's refresh token.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// The generation presented. Its successor becomes the valid one.
    pub from: u32,
    pub now: Timestamp,
    /// How many seconds after a rotation its predecessor still gets the same successor.
    pub grace: i64,
}

/// A client that holds live grants of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct AppAccess {
    pub client_id: ClientId,
    pub since: Timestamp,
    pub last_used_at: Timestamp,
}

#[derive(FromRow)]
struct AppAccessRow {
    client_id: String,
    since: i64,
    last_used_at: i64,
}

/// Two lists as the columns hold them: the scope and the resources.
fn lists(grant: &Grant) -> (String, String) {
    (grant.scope.to_string(), grant.resources.join(" "))
}

/// The values of [`INSERT`]; a grant is only ever inserted with its code issued.
fn insert_values<'a>(
    grant: &'a Grant,
    code: &'a CodeConditions,
    (scope, resources): &'a (String, String),
) -> [Value<'a>; 16] {
    [
        grant.id.as_str().into(),
        grant.client_id.as_str().into(),
        grant.user_id.as_str().into(),
        grant.session_id.as_ref().map(SessionId::as_str).into(),
        grant.salt.as_str().into(),
        scope.into(),
        grant.authentication.auth_time.unix().into(),
        grant.authentication.amr.as_str().into(),
        code.redirect_uri.as_str().into(),
        code.code_challenge.as_deref().into(),
        code.nonce.as_deref().into(),
        code.expires_at.unix().into(),
        code.refreshable.into(),
        grant.created_at.unix().into(),
        grant.expires_at.map(Timestamp::unix).into(),
        resources.into(),
    ]
}

fn code_of(grant: &Grant) -> Result<&CodeConditions, StorageError> {
    match &grant.state {
        GrantState::CodeIssued(code) => Ok(code),
        GrantState::Active { .. } | GrantState::Revoked => {
            Err(StorageError::impossible("grants", grant.id.as_str(), "inserted without a code"))
        }
    }
}

/// Inserts a grant in a transaction. False when there is one of this id.
pub(super) async fn insert(tx: &mut Transaction, grant: &Grant) -> Result<bool, StorageError> {
    let lists = lists(grant);
    Ok(tx.execute(INSERT, &insert_values(grant, code_of(grant)?, &lists)).await? == 1)
}

impl Storage {
    /// Inserts a grant whose code was issued. False when there is one of this id: the request was answered before.
    pub async fn insert_grant(&self, grant: &Grant) -> Result<bool, StorageError> {
        let lists = lists(grant);
        Ok(self.db.execute(INSERT, &insert_values(grant, code_of(grant)?, &lists)).await? == 1)
    }

    /// A grant with its user as of now.
    pub async fn grant(&self, id: &GrantId) -> Result<Option<(Grant, User)>, StorageError> {
        let row: Option<GrantAndUserRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(|row| Ok((row.grant.into_grant()?, row.user.into_user()?))).transpose()
    }

    /// Redeems the code of a grant. True for exactly one caller, however many try at once.
    pub async fn redeem_code(&self, id: &GrantId, now: Timestamp) -> Result<bool, StorageError> {
        const REDEEM: &str = "UPDATE grants SET state = 'active', generation = 1, rotated_at = $2 \
             WHERE id = $1 AND state = 'code' AND code_expires_at > $2";
        Ok(self.db.execute(REDEEM, values![id.as_str(), now.unix()]).await? == 1)
    }

    /// Moves a grant's refresh token to the next generation, or confirms that it was moved there within the grace.
    /// True when the successor of `rotation.from` is now the valid generation.
    pub async fn rotate(&self, id: &GrantId, rotation: Rotation) -> Result<bool, StorageError> {
        const ROTATE: &str = "UPDATE grants SET rotated_at = CASE WHEN generation = $2 THEN $4 ELSE rotated_at END, \
             generation = $3 WHERE id = $1 AND state = 'active' AND refreshable \
             AND (generation = $2 OR (generation = $3 AND rotated_at >= $5))";
        let from = i64::from(rotation.from);
        let bound = values![
            id.as_str(),
            from,
            from + 1,
            rotation.now.unix(),
            rotation.now.plus(-rotation.grace).unix(),
        ];
        Ok(self.db.execute(ROTATE, bound).await? == 1)
    }

    /// Revokes a grant, with everything that came from it. Revoking it again changes nothing.
    pub async fn revoke_grant(&self, id: &GrantId) -> Result<(), StorageError> {
        const REVOKE: &str = "UPDATE grants SET state = 'revoked' WHERE id = $1 AND state <> 'revoked'";
        self.db.execute(REVOKE, values![id.as_str()]).await.map(|_| ())
    }

    /// The clients that hold live grants of a user.
    pub async fn access_of(&self, user: &UserId, now: Timestamp) -> Result<Vec<AppAccess>, StorageError> {
        const LIST: &str = "SELECT client_id, MIN(created_at) AS since, MAX(rotated_at) AS last_used_at FROM grants \
             WHERE user_id = $1 AND state = 'active' AND (expires_at IS NULL OR expires_at > $2) \
             GROUP BY client_id ORDER BY client_id";
        let rows: Vec<AppAccessRow> = self.db.fetch_all(LIST, values![user.as_str(), now.unix()]).await?;
        Ok(rows
            .into_iter()
            .map(|row| AppAccess {
                client_id: ClientId::new(row.client_id),
                since: Timestamp::from_unix(row.since),
                last_used_at: Timestamp::from_unix(row.last_used_at),
            })
            .collect())
    }
}
