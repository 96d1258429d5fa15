//! Grants: every change of state is one conditional UPDATE, so that exactly one caller wins.

use sqlx::FromRow;

use super::authority::inserting;
use super::db::{Locking, Value, values};
use super::users::{UserRow, user_columns};
use super::{Storage, StorageError};
use crate::model::{
    Authentication, ClientId, CodeBinding, CodeConditions, Grant, GrantContext, GrantId, GrantState,
    NewGrant, Noted, Refresh, SessionId, Timestamp, User, UserId,
};

/// Grants with their users; what is given is selected beside them.
macro_rules! grant_and_user {
    ($($more:literal)?) => {
        concat!(
            "SELECT g.id AS grant_id, g.client_id, g.user_id, g.session_id, g.state, g.salt, g.scope, g.auth_time, \
             g.amr, g.redirect_uri, g.code_challenge, g.nonce, g.code_expires_at, g.refreshable, g.generation, \
             g.rotated_at, g.created_at AS grant_created_at, g.expires_at AS grant_expires_at, g.context, \
             g.resources, g.access_token_issued, ",
            user_columns!(),
            $($more,)?
            " FROM grants g JOIN users u ON u.id = g.user_id "
        )
    };
}

const FIND: &str = concat!(grant_and_user!(), "WHERE g.id = $1");

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
    context: Option<String>,
    resources: String,
    access_token_issued: bool,
}

#[derive(FromRow)]
struct GrantAndUserRow {
    #[sqlx(flatten)]
    grant: GrantRow,
    #[sqlx(flatten)]
    user: UserRow,
}

#[derive(FromRow)]
struct NewGrantRow {
    #[sqlx(flatten)]
    grant: GrantRow,
    #[sqlx(flatten)]
    user: UserRow,
    others: i64,
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
                access_token_issued: self.access_token_issued,
            }),
            "active" => GrantState::Active {
                refresh: self
                    .refreshable
                    .then_some(Refresh { generation, rotated_at: Timestamp::from_unix(self.rotated_at) }),
            },
            "revoked" => GrantState::Revoked,
            _ => return Err(impossible(&"unknown state")),
        };
        let context = context_of(&self.grant_id, self.context.as_deref())?;
        Ok(Grant {
            id: GrantId::new(self.grant_id),
            client_id: ClientId::new(self.client_id),
            user_id: UserId::new(self.user_id),
            session_id: self.session_id.map(SessionId::new),
            scope,
            resources: resources_of(&self.resources),
            authentication: Authentication { auth_time: Timestamp::from_unix(self.auth_time), amr: self.amr },
            context,
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
    /// How many seconds after a rotation its predecessor still gets the same successor; 0: none.
    pub grace: i64,
}

/// What an ID token says of where it came from.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    pub user: &'a UserId,
    pub client: &'a ClientId,
    pub session: Option<&'a SessionId>,
    pub auth_time: Timestamp,
    pub issued_at: Timestamp,
}

/// The columns that depend on the state.
struct StateColumns<'a> {
    state: &'static str,
    redirect_uri: &'a str,
    code_challenge: Option<&'a str>,
    nonce: Option<&'a str>,
    code_expires_at: Timestamp,
    refreshable: bool,
    access_token_issued: bool,
    generation: u32,
    rotated_at: Timestamp,
}

impl<'a> StateColumns<'a> {
    /// A grant is inserted with its code issued, or active where it never had a code.
    fn of(grant: &'a Grant) -> Result<Self, StorageError> {
        let without_code = Self {
            state: "active",
            redirect_uri: "",
            code_challenge: None,
            nonce: None,
            code_expires_at: grant.created_at,
            refreshable: false,
            access_token_issued: true,
            generation: 1,
            rotated_at: grant.created_at,
        };
        match &grant.state {
            GrantState::CodeIssued(code) => Ok(Self {
                state: "code",
                redirect_uri: &code.redirect_uri,
                code_challenge: code.code_challenge.as_deref(),
                nonce: code.nonce.as_deref(),
                code_expires_at: code.expires_at,
                refreshable: code.refreshable,
                access_token_issued: code.access_token_issued,
                generation: 0,
                rotated_at: grant.created_at,
            }),
            GrantState::Active { refresh: None } => Ok(without_code),
            GrantState::Active { refresh: Some(Refresh { generation, rotated_at }) } => Ok(Self {
                refreshable: true,
                generation: *generation,
                rotated_at: *rotated_at,
                ..without_code
            }),
            GrantState::Revoked => {
                Err(StorageError::impossible("grants", grant.id.as_str(), "inserted when it was revoked"))
            }
        }
    }
}

/// What a column of resources holds: URIs, separated by spaces.
pub(super) fn resources_of(column: &str) -> Vec<String> {
    column.split(' ').filter(|uri| !uri.is_empty()).map(str::to_owned).collect()
}

/// What a column of JSON says about a grant.
pub(super) fn context_of(id: &str, context: Option<&str>) -> Result<GrantContext, StorageError> {
    let Some(json) = context else { return Ok(GrantContext::default()) };
    serde_json::from_str(json).map_err(|error| StorageError::impossible("grants", id, error.to_string()))
}

/// The column; null where nothing was said.
fn context_column(grant: &Grant) -> Result<Option<String>, StorageError> {
    if grant.context == GrantContext::default() {
        return Ok(None);
    }
    let json = serde_json::to_string(&grant.context);
    json.map(Some).map_err(|error| StorageError::impossible("grants", grant.id.as_str(), error.to_string()))
}

/// The columns whose text has to be put together.
pub(super) struct Texts {
    scope: String,
    context: Option<String>,
    resources: String,
}

impl Texts {
    pub(super) fn of(grant: &Grant) -> Result<Self, StorageError> {
        Ok(Self {
            scope: grant.scope.to_string(),
            context: context_column(grant)?,
            resources: grant.resources.join(" "),
        })
    }
}

/// The columns of a new grant.
pub(super) fn columns_of<'a>(grant: &'a Grant, texts: &'a Texts) -> Result<[Value<'a>; 21], StorageError> {
    let columns = StateColumns::of(grant)?;
    Ok([
        grant.id.as_str().into(),
        grant.client_id.as_str().into(),
        grant.user_id.as_str().into(),
        grant.session_id.as_ref().map(SessionId::as_str).into(),
        columns.state.into(),
        grant.salt.as_str().into(),
        texts.scope.as_str().into(),
        grant.authentication.auth_time.unix().into(),
        grant.authentication.amr.as_str().into(),
        columns.redirect_uri.into(),
        columns.code_challenge.into(),
        columns.nonce.into(),
        columns.code_expires_at.unix().into(),
        columns.refreshable.into(),
        i64::from(columns.generation).into(),
        columns.rotated_at.unix().into(),
        grant.created_at.unix().into(),
        grant.expires_at.map(Timestamp::unix).into(),
        texts.context.as_deref().into(),
        texts.resources.as_str().into(),
        columns.access_token_issued.into(),
    ])
}

impl Storage {
    /// A grant with its user as of now.
    pub async fn grant(&self, id: &GrantId) -> Result<Option<(Grant, User)>, StorageError> {
        let row: Option<GrantAndUserRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(|row| Ok((row.grant.into_grant()?, row.user.into_user()?))).transpose()
    }

    /// The same of a grant that is about to give its first tokens, and how many others with refresh tokens the user has
    /// with the client.
    pub async fn new_grant(&self, id: &GrantId) -> Result<Option<NewGrant>, StorageError> {
        const FIND_NEW: &str = concat!(
            grant_and_user!(
                ", (SELECT COUNT(*) FROM grants o WHERE o.user_id = g.user_id AND o.client_id = g.client_id \
                 AND o.state = 'active' AND o.refreshable AND o.id <> g.id) AS others"
            ),
            "WHERE g.id = $1"
        );
        let row: Option<NewGrantRow> = self.db.fetch_optional(FIND_NEW, values![id.as_str()]).await?;
        let read = |row: NewGrantRow| {
            let code = CodeBinding {
                redirect_uri: row.grant.redirect_uri.clone(),
                code_challenge: row.grant.code_challenge.clone(),
                redeemed: row.grant.generation > 0,
            };
            Ok(NewGrant {
                code,
                grant: row.grant.into_grant()?,
                user: row.user.into_user()?,
                others: row.others,
            })
        };
        row.map(read).transpose()
    }

    /// The newest live grant that an ID token of these claims may have come from, with its user as of now: of the same
    /// sign-in, while its session lives, and of an enabled user.
    pub async fn grant_of_id_token(
        &self,
        sign_in: SignIn<'_>,
        now: Timestamp,
    ) -> Result<Option<(Grant, User)>, StorageError> {
        const FIND: &str = concat!(
            grant_and_user!(),
            "LEFT JOIN sessions s ON s.id = g.session_id AND s.expires_at > $6 \
             WHERE g.user_id = $1 AND g.client_id = $2 AND COALESCE(g.session_id, '') = $3 AND g.auth_time = $4 \
             AND g.created_at <= $5 AND g.state = 'active' AND (g.expires_at IS NULL OR g.expires_at > $6) \
             AND (g.session_id IS NULL OR s.id IS NOT NULL) AND NOT u.disabled \
             ORDER BY g.created_at DESC, g.id LIMIT 1"
        );
        let SignIn { user, client, session, auth_time, issued_at } = sign_in;
        let bound = values![
            user.as_str(),
            client.as_str(),
            session.map_or("", SessionId::as_str),
            auth_time.unix(),
            issued_at.unix(),
            now.unix(),
        ];
        let row: Option<GrantAndUserRow> = self.db.fetch_optional(FIND, bound).await?;
        row.map(|row| Ok((row.grant.into_grant()?, row.user.into_user()?))).transpose()
    }

    /// Redeems the code of a grant. True for exactly one caller, however many try at once.
    pub async fn redeem_code(&self, id: &GrantId, now: Timestamp) -> Result<bool, StorageError> {
        // Not `state = 'code' AND`: Postgres would take the index of the unredeemed, which it thinks is as good as empty,
        // and read every code that somebody has in hand.
        const REDEEM: &str = "UPDATE grants SET state = 'active', generation = 1, rotated_at = $2 \
             WHERE id = $1 AND code_expires_at > CASE state WHEN 'code' THEN $2 END";
        Ok(self.db.execute(REDEEM, values![id.as_str(), now.unix()]).await? == 1)
    }

    /// Moves a grant's refresh token to the next generation. False when `rotation.from` is not the valid one.
    pub async fn rotate(&self, id: &GrantId, rotation: Rotation) -> Result<bool, StorageError> {
        const ROTATE: &str = "UPDATE grants SET rotated_at = $4, generation = $3 \
             WHERE id = $1 AND state = 'active' AND refreshable AND generation = $2";
        let from = i64::from(rotation.from);
        let bound = values![id.as_str(), from, from + 1, rotation.now.unix()];
        Ok(self.db.execute(ROTATE, bound).await? == 1)
    }

    /// Confirms that a grant's refresh token was moved to the next generation within the grace, and counts that it was
    /// presented again. False when it was not, and always without a grace.
    pub async fn rotate_again(&self, id: &GrantId, rotation: Rotation) -> Result<bool, StorageError> {
        const AGAIN: &str = "UPDATE grants SET grace_uses = grace_uses + 1, grace_used_at = $4 \
             WHERE id = $1 AND state = 'active' AND refreshable AND generation = $2 AND rotated_at >= $3";
        if rotation.grace <= 0 {
            return Ok(false);
        }
        let bound = values![
            id.as_str(),
            i64::from(rotation.from) + 1,
            rotation.now.plus(-rotation.grace).unix(),
            rotation.now.unix(),
        ];
        Ok(self.db.execute(AGAIN, bound).await? == 1)
    }

    /// Notes that a refresh token was used that stays valid. False when it is not the valid one any more.
    pub async fn use_refresh_token(
        &self,
        id: &GrantId,
        generation: u32,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const USE: &str = "UPDATE grants SET rotated_at = $3 \
             WHERE id = $1 AND state = 'active' AND refreshable AND generation = $2";
        Ok(self.db.execute(USE, values![id.as_str(), i64::from(generation), now.unix()]).await? == 1)
    }

    /// Makes a grant one that is not refreshed, and so ends with its session.
    pub async fn end_refreshing(&self, id: &GrantId) -> Result<(), StorageError> {
        const END: &str = "UPDATE grants SET refreshable = FALSE WHERE id = $1 AND refreshable";
        self.db.execute(END, values![id.as_str()]).await.map(|_| ())
    }

    /// Revokes a user's oldest grants with refresh tokens to a client, so that with `newest` at most `most` are left. Where
    /// there are some, the user and the client are locked before any of them: no ending of either is in the middle of them.
    pub async fn revoke_oldest_grants(
        &self,
        noted: Noted,
        newest: &Grant,
        most: i64,
    ) -> Result<u64, StorageError> {
        const REVOKE: Locking = inserting!(
            "UPDATE grants SET state = 'revoked' WHERE state = 'active' AND id IN (SELECT old.id FROM \
             (SELECT id, user_id, client_id FROM grants WHERE user_id = $1 AND client_id = $2 AND state = 'active' \
             AND refreshable AND id <> $3 ORDER BY created_at DESC, id LIMIT 1000 OFFSET $4) old ",
            "JOIN users u ON u.id = old.user_id JOIN clients cl ON cl.id = old.client_id",
            " FOR NO KEY UPDATE OF u FOR KEY SHARE OF cl",
            ")"
        );
        let bound = values![newest.user_id.as_str(), newest.client_id.as_str(), newest.id.as_str(), most - 1];
        self.db.noting(noted).execute_locking(REVOKE, bound).await
    }

    /// Revokes a grant, with everything that came from it. Revoking it again changes nothing.
    pub async fn revoke_grant(&self, noted: Noted, id: &GrantId) -> Result<(), StorageError> {
        const REVOKE: &str = "UPDATE grants SET state = 'revoked' WHERE id = $1 AND state <> 'revoked'";
        self.db.noting(noted).execute(REVOKE, values![id.as_str()]).await.map(|_| ())
    }
}
