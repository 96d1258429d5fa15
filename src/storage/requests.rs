//! Authorization requests that wait for a person.

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{
    AuthorizationRequestId, Means, PendingRequest, RequestAccount, RequestOwner, SessionId, Timestamp,
};

/// What stands in the column where the browser's digest will be. No digest is empty.
const NO_BROWSER: &str = "";

#[derive(FromRow)]
struct RequestRow {
    id: String,
    parameters: String,
    browser: String,
    session_id: Option<String>,
    chosen: bool,
    created_at: i64,
    expires_at: i64,
}

impl RequestRow {
    fn into_request(self) -> Result<PendingRequest, StorageError> {
        let impossible = |what: String| StorageError::impossible("authorization_requests", &self.id, what);
        let request =
            serde_json::from_str(&self.parameters).map_err(|error| impossible(error.to_string()))?;
        let by = if self.chosen { Means::Choice } else { Means::SignIn };
        let account = self.session_id.map(|id| RequestAccount { session_id: SessionId::new(id), by });
        let owner = match (self.browser.as_str(), account) {
            (NO_BROWSER, None) => RequestOwner::Nobody,
            (NO_BROWSER, Some(_)) => return Err(impossible("an account of no browser".to_owned())),
            (_, account) => RequestOwner::Browser { digest: self.browser, account },
        };
        Ok(PendingRequest {
            id: AuthorizationRequestId::new(self.id),
            request,
            owner,
            created_at: Timestamp::from_unix(self.created_at),
            expires_at: Timestamp::from_unix(self.expires_at),
        })
    }
}

impl Storage {
    pub async fn insert_request(&self, pending: &PendingRequest) -> Result<(), StorageError> {
        const INSERT: &str = "INSERT INTO authorization_requests (id, client_id, parameters, browser, created_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let parameters = serde_json::to_string(&pending.request).map_err(|error| {
            StorageError::impossible("authorization_requests", pending.id.as_str(), error.to_string())
        })?;
        let browser = match &pending.owner {
            RequestOwner::Nobody => NO_BROWSER,
            RequestOwner::Browser { digest, .. } => digest,
        };
        let bound = values![
            pending.id.as_str(),
            pending.request.client_id.as_str(),
            &parameters,
            browser,
            pending.created_at.unix(),
            pending.expires_at.unix(),
        ];
        self.db.execute(INSERT, bound).await.map(|_| ())
    }

    /// A stored request, expired or not: an expired one is started again from what is kept here.
    pub async fn request(&self, id: &AuthorizationRequestId) -> Result<Option<PendingRequest>, StorageError> {
        const FIND: &str = "SELECT id, parameters, browser, session_id, chosen, created_at, expires_at \
             FROM authorization_requests WHERE id = $1";
        let row: Option<RequestRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(RequestRow::into_request).transpose()
    }

    /// Gives a request that belongs to no browser yet to this one, or opens it again in the browser it belongs to while
    /// nobody has signed in for it and no answer went back. However many browsers try at once, it is one's.
    pub async fn take_request(
        &self,
        id: &AuthorizationRequestId,
        browser: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StorageError> {
        const TAKE: &str = "UPDATE authorization_requests SET browser = $2, \
             expires_at = CASE WHEN browser = '' THEN $4 ELSE expires_at END \
             WHERE id = $1 AND expires_at > $3 AND session_id IS NULL AND NOT answered AND browser IN ('', $2) \
             AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.id = $1)";
        let bound = values![id.as_str(), browser, now.unix(), until.unix()];
        Ok(self.db.execute(TAKE, bound).await? == 1)
    }

    /// Notes that an answer other than a grant, which has the request's id, went back to the application.
    pub async fn note_answered(&self, id: &AuthorizationRequestId) -> Result<(), StorageError> {
        const NOTE: &str = "UPDATE authorization_requests SET answered = TRUE WHERE id = $1";
        self.db.execute(NOTE, values![id.as_str()]).await.map(|_| ())
    }

    /// Notes who goes on with this request.
    pub async fn set_request_account(
        &self,
        id: &AuthorizationRequestId,
        session: &SessionId,
        by: Means,
    ) -> Result<(), StorageError> {
        const UPDATE: &str = "UPDATE authorization_requests SET session_id = $2, chosen = $3 WHERE id = $1";
        let bound = values![id.as_str(), session.as_str(), by == Means::Choice];
        self.db.execute(UPDATE, bound).await.map(|_| ())
    }
}
