//! Authorization requests in the hands of external pages: every step is answered once and taken once.

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{
    AuthorizationRequestId, ConsentGeneration, ExternalPage, Handover, HandoverStep, LiveSession, LoginFacts,
    Noted, PageAnswer, SessionId, SignInGeneration, TakenLogin, Timestamp, UserId,
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
        let missing = |column: &'static str| move || impossible(&format!("no {column} at this step"));
        let live = |session_id: Option<String>, subject: Option<String>| match (session_id, subject) {
            (Some(session_id), Some(user_id)) => Ok(Some(LiveSession {
                session_id: SessionId::new(session_id),
                user_id: UserId::new(user_id),
            })),
            (None, None) => Ok(None),
            _ => Err(impossible(&"session_id and subject do not go together")),
        };
        let login = |subject: Option<String>, login: Option<String>| {
            let subject = subject.map(UserId::new).ok_or_else(missing("subject"))?;
            let facts = login.as_deref().map(serde_json::from_str::<LoginFacts>).transpose();
            let facts = facts.map_err(|error| impossible(&error))?.unwrap_or_default();
            Ok::<_, StorageError>(TakenLogin { subject, facts })
        };
        let answer = |json: Option<String>| {
            let at = self.answered_at.map(Timestamp::from_unix).ok_or_else(missing("answered_at"))?;
            Ok::<_, StorageError>((json.ok_or_else(missing("answer"))?, at))
        };
        let step = match self.step.as_str() {
            "login" => HandoverStep::Login { live: live(self.session_id, self.subject)? },
            "login_answered" => {
                let (json, at) = answer(self.answer)?;
                let counts = self.sign_in_generation.map(SignInGeneration::new);
                let live = live(self.session_id, self.subject)?;
                HandoverStep::LoginAnswered { live, answer: PageAnswer { json, at, counts } }
            }
            "consent" => HandoverStep::Consent { login: login(self.subject, self.login)? },
            "consent_answered" => {
                let (json, at) = answer(self.answer)?;
                let counts = self.consent_generation.map(ConsentGeneration::new);
                let login = login(self.subject, self.login)?;
                HandoverStep::ConsentAnswered { login, answer: PageAnswer { json, at, counts } }
            }
            "over" => HandoverStep::Over,
            _ => return Err(impossible(&"unknown step")),
        };
        Ok(Handover { step, request_id: AuthorizationRequestId::new(self.request_id), salt: self.salt })
    }
}

/// What an answer counts for, of what it says.
#[derive(Debug, Clone, Copy)]
pub enum Counts {
    Nothing,
    SignIn(SignInGeneration),
    Consent(ConsentGeneration),
}

/// The steps at which a page has a request, and has answered it.
const fn steps(page: ExternalPage) -> (&'static str, &'static str) {
    match page {
        ExternalPage::Login => ("login", "login_answered"),
        ExternalPage::Consent => ("consent", "consent_answered"),
    }
}

impl Storage {
    /// Hands a stored request to the login page.
    pub async fn insert_handover(
        &self,
        id: &AuthorizationRequestId,
        salt: &str,
        live: Option<&LiveSession>,
    ) -> Result<(), StorageError> {
        const INSERT: &str = "INSERT INTO handovers (request_id, step, salt, session_id, subject) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (request_id) DO NOTHING";
        let (step, _) = steps(ExternalPage::Login);
        let bound = values![
            id.as_str(),
            step,
            salt,
            live.map(|live| live.session_id.as_str()),
            live.map(|live| live.user_id.as_str()),
        ];
        self.db.execute(INSERT, bound).await.map(|_| ())
    }

    pub async fn handover(&self, id: &AuthorizationRequestId) -> Result<Option<Handover>, StorageError> {
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
        noted: Noted,
        id: &AuthorizationRequestId,
        page: ExternalPage,
        answer: &str,
        counts: Counts,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const ANSWER: &str = "UPDATE handovers SET step = $3, answer = $4, \
             answered_at = CASE WHEN step = $2 THEN $5 ELSE answered_at END, \
             sign_in_generation = CASE WHEN step = $2 AND $6 IS NOT NULL THEN $6 ELSE sign_in_generation END, \
             consent_generation = CASE WHEN step = $2 AND $7 IS NOT NULL THEN $7 ELSE consent_generation END \
             WHERE request_id = $1 AND (step = $2 OR (step = $3 AND answer = $4))";
        let (from, to) = steps(page);
        let (sign_in, consent) = match counts {
            Counts::Nothing => (None, None),
            Counts::SignIn(generation) => (Some(generation.number()), None),
            Counts::Consent(generation) => (None, Some(generation.number())),
        };
        let bound = values![id.as_str(), from, to, answer, now.unix(), sign_in, consent];
        Ok(self.db.noting(noted).execute(ANSWER, bound).await? == 1)
    }

    /// Takes the login page's answer: the request goes on to consent. True for exactly one caller.
    pub async fn take_login(
        &self,
        id: &AuthorizationRequestId,
        subject: &UserId,
        login: &LoginFacts,
    ) -> Result<bool, StorageError> {
        const TAKE: &str = "UPDATE handovers SET step = 'consent', subject = $2, login = $3, answer = NULL \
             WHERE request_id = $1 AND step = 'login_answered'";
        let login = serde_json::to_string(login)
            .map_err(|error| StorageError::impossible("handovers", id.as_str(), error.to_string()))?;
        Ok(self.db.execute(TAKE, values![id.as_str(), subject.as_str(), &login]).await? == 1)
    }

    /// Takes the answer of this page as the last one: the request is over. True for exactly one caller.
    pub async fn end_handover(
        &self,
        id: &AuthorizationRequestId,
        page: ExternalPage,
    ) -> Result<bool, StorageError> {
        const END: &str =
            "UPDATE handovers SET step = 'over', answer = NULL WHERE request_id = $1 AND step = $2";
        let (_, answered) = steps(page);
        Ok(self.db.execute(END, values![id.as_str(), answered]).await? == 1)
    }
}
