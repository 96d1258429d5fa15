//! "Is this access token still good?": one question, never answered from a cache.

use sqlx::FromRow;

use super::db::values;
use super::grants::context_of;
use super::users::{UserRow, user_columns};
use super::{Storage, StorageError};
use crate::model::{GrantContext, GrantId, Noted, Timestamp, TokenId, User, UserId};

/// What the database says of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    Good,
    /// The token, its grant, or its user is not.
    Revoked,
}

/// A grant whose tokens count: its code was redeemed, or an access token went out beside it.
macro_rules! grant_is_live {
    () => {
        "(g.state = 'active' OR (g.state = 'code' AND g.access_token_issued)) AS live"
    };
}

#[derive(FromRow)]
struct StateRow {
    live: bool,
    disabled: bool,
    revoked: bool,
}

#[derive(FromRow)]
struct UserStateRow {
    disabled: bool,
    ended: bool,
    revoked: bool,
}

#[derive(FromRow)]
struct GoodUserRow {
    context: Option<String>,
    live: bool,
    revoked: bool,
    #[sqlx(flatten)]
    user: UserRow,
}

#[derive(FromRow)]
struct RevokedRow {
    #[allow(dead_code, reason = "its presence is the answer")]
    id: String,
}

impl Storage {
    /// Whether a token that came from a grant is good: the grant active, the user enabled, the token not revoked.
    pub async fn token_state(&self, grant: &GrantId, token: &TokenId) -> Result<TokenState, StorageError> {
        const STATE: &str = concat!(
            "SELECT ",
            grant_is_live!(),
            ", u.disabled, EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.id = $2) AS revoked \
             FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = $1"
        );
        let row: Option<StateRow> =
            self.db.fetch_optional(STATE, values![grant.as_str(), token.as_str()]).await?;
        Ok(match row {
            Some(row) if row.live && !row.disabled && !row.revoked => TokenState::Good,
            _ => TokenState::Revoked,
        })
    }

    /// Whether a token without a grant (of a client on its own behalf) is good.
    pub async fn lone_token_state(&self, token: &TokenId) -> Result<TokenState, StorageError> {
        const STATE: &str = "SELECT id FROM revoked_tokens WHERE id = $1";
        let row: Option<RevokedRow> = self.db.fetch_optional(STATE, values![token.as_str()]).await?;
        Ok(if row.is_some() { TokenState::Revoked } else { TokenState::Good })
    }

    /// Whether a user's token without a grant is good: the user there and enabled, nothing of theirs ended since it was
    /// issued that it is part of, the token not revoked.
    pub async fn user_token_state(
        &self,
        user: &UserId,
        token: &TokenId,
        issued_at: Timestamp,
    ) -> Result<TokenState, StorageError> {
        const STATE: &str = "SELECT u.disabled, COALESCE(u.tokens_not_before >= $3, FALSE) AS ended, \
             EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.id = $2) AS revoked FROM users u WHERE u.id = $1";
        let bound = values![user.as_str(), token.as_str(), issued_at.unix()];
        let row: Option<UserStateRow> = self.db.fetch_optional(STATE, bound).await?;
        Ok(match row {
            Some(row) if !row.disabled && !row.ended && !row.revoked => TokenState::Good,
            _ => TokenState::Revoked,
        })
    }

    /// The user of a token as of now and what was said of its grant, where [`Storage::token_state`] would call it good.
    pub async fn token_user(
        &self,
        grant: &GrantId,
        token: &TokenId,
    ) -> Result<Option<(User, GrantContext)>, StorageError> {
        const FIND: &str = concat!(
            "SELECT g.user_id, g.context, ",
            grant_is_live!(),
            ", EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.id = $2) AS revoked, ",
            user_columns!(),
            " FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = $1"
        );
        let row: Option<GoodUserRow> =
            self.db.fetch_optional(FIND, values![grant.as_str(), token.as_str()]).await?;
        let Some(row) = row.filter(|row| row.live && !row.revoked) else { return Ok(None) };
        let context = context_of(grant.as_str(), row.context.as_deref())?;
        Ok(Some((row.user.into_user()?, context)).filter(|(user, _)| !user.disabled))
    }

    /// The user of a token without a grant as of now, where [`Storage::user_token_state`] would call it good.
    pub async fn user_of_token(
        &self,
        user: &UserId,
        token: &TokenId,
        issued_at: Timestamp,
    ) -> Result<Option<User>, StorageError> {
        const FIND: &str = concat!(
            "SELECT u.id AS user_id, ",
            user_columns!(),
            " FROM users u WHERE u.id = $1 AND NOT u.disabled \
             AND NOT COALESCE(u.tokens_not_before >= $3, FALSE) \
             AND NOT EXISTS (SELECT 1 FROM revoked_tokens r WHERE r.id = $2)"
        );
        let bound = values![user.as_str(), token.as_str(), issued_at.unix()];
        let row: Option<UserRow> = self.db.fetch_optional(FIND, bound).await?;
        row.map(UserRow::into_user).transpose()
    }

    /// Revokes a single access token until it expires by itself. False where it was revoked before.
    pub async fn revoke_token(
        &self,
        noted: Noted,
        token: &TokenId,
        expires_at: Timestamp,
    ) -> Result<bool, StorageError> {
        const REVOKE: &str =
            "INSERT INTO revoked_tokens (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        Ok(self.db.noting(noted).execute(REVOKE, values![token.as_str(), expires_at.unix()]).await? == 1)
    }
}
