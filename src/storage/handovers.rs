//! Authorization requests in the hands of external pages: every step is answered once and taken once.

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{
    ConsentGeneration, Handover, HandoverStep, LoginFacts, RequestId, SessionId, SignInGeneration, Timestamp,
    UserId,
};

#[derive(FromRow)]
struct HandoverRow {
    request_id: String,
    step: String,
    salt: String,
    session_id: Option<String>,
    subject: Option<String>,
    answer: Option<String>,
    answered_at: Option<i64>,
    login: Option<String>,
    sign_in_generation: Option<i64>,
    consent_generation: Option<i64>,
}

impl HandoverRow {
    fn into_handover(self) -> Result<Handover, StorageError> {
        let impossible =
            |what: &dyn ToString| StorageError::impossible("handovers", &self.request_id, what.to_string());
        let step = HandoverStep::named(&self.step);
        let login: Option<LoginFacts> = self
            .login
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| impossible(&error))?;
        Ok(Handover {
            step: step.ok_or_else(|| impossible(&"unknown step"))?,
            request_id: RequestId::new(self.request_id),
            salt: self.salt,
            session_id: self.session_id.map(SessionId::new),
            subject: self.subject.map(UserId::new),
            answer: self.answer,
            answered_at: self.answered_at.map(Timestamp::from_unix),
            sign_in: self.sign_in_generation.map(SignInGeneration::new),
            consent: self.consent_generation.map(ConsentGeneration::new),
            login: login.unwrap_or_default(),
        })
    }
}

/// What an answer counts for, of what it says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub sign_in: Option<SignInGeneration>,
    pub consent: Option<ConsentGeneration>,
}

impl Storage {
    /// Hands a stored request to the login page.
    pub async fn insert_handover(&self, handover: &Handover) -> Result<(), StorageError> {
        const INSERT: &str = "INSERT INTO handovers (request_id, step, salt, session_id, subject) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (request_id) DO NOTHING";
        let bound = values![
            handover.request_id.as_str(),
            handover.step.as_str(),
            &handover.salt,
            handover.session_id.as_ref().map(SessionId::as_str),
            handover.subject.as_ref().map(UserId::as_str),
        ];
        self.db.execute(INSERT, bound).await.map(|_| ())
    }

    pub async fn handover(&self, id: &RequestId) -> Result<Option<Handover>, StorageError> {
        const FIND: &str = "SELECT request_id, step, salt, session_id, subject, answer, answered_at, login, \
             sign_in_generation, consent_generation \
             FROM handovers WHERE request_id = $1";
        let row: Option<HandoverRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(HandoverRow::into_handover).transpose()
    }

    /// Notes what a page said. True for the first answer of a step, and for the very same one again while the browser
    /// has not come back with its verifier: a page that lost our response may ask again.
    pub async fn answer_handover(
        &self,
        id: &RequestId,
        (from, to): (HandoverStep, HandoverStep),
        answer: &str,
        counts: Counts,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const ANSWER: &str = "UPDATE handovers SET step = $3, answer = $4, \
             answered_at = CASE WHEN step = $2 THEN $5 ELSE answered_at END, \
             sign_in_generation = CASE WHEN step = $2 AND $6 IS NOT NULL THEN $6 ELSE sign_in_generation END, \
             consent_generation = CASE WHEN step = $2 AND $7 IS NOT NULL THEN $7 ELSE consent_generation END \
             WHERE request_id = $1 AND (step = $2 OR (step = $3 AND answer = $4))";
        let bound = values![
            id.as_str(),
            from.as_str(),
            to.as_str(),
            answer,
            now.unix(),
            counts.sign_in.map(SignInGeneration::number),
            counts.consent.map(ConsentGeneration::number),
        ];
        Ok(self.db.execute(ANSWER, bound).await? == 1)
    }

    /// Takes the login page's answer: the request goes on to consent. True for exactly one caller.
    pub async fn take_login(
        &self,
        id: &RequestId,
        subject: &UserId,
        login: &LoginFacts,
    ) -> Result<bool, StorageError> {
        const TAKE: &str = "UPDATE handovers SET step = 'consent', subject = $2, login = $3, answer = NULL \
             WHERE request_id = $1 AND step = 'login_answered'";
        let login = serde_json::to_string(login)
            .map_err(|error| StorageError::impossible("handovers", id.as_str(), error.to_string()))?;
        Ok(self.db.execute(TAKE, values![id.as_str(), subject.as_str(), &login]).await? == 1)
    }

    /// Takes the last answer: the request is over. True for exactly one caller.
    pub async fn end_handover(&self, id: &RequestId, from: HandoverStep) -> Result<bool, StorageError> {
        const END: &str =
            "UPDATE handovers SET step = 'over', answer = NULL WHERE request_id = $1 AND step = $2";
        Ok(self.db.execute(END, values![id.as_str(), from.as_str()]).await? == 1)
    }
}
