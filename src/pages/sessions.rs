//! Starting a session: from a proof of who somebody is to the cookies of their browser.

use axum::response::Response;

use super::accounts::{Accounts, SignedIn};
use super::answer::Failure;
use super::views::Problem;
use super::visitor::Visitor;
use crate::app::App;
use crate::audit::{Actor, Event, SessionEnd};
use crate::crypto::handle::{self, Purpose};
use crate::crypto::random;
use crate::model::{RequestId, Session, SessionId, Timestamp, User};
use crate::storage::StorageError;

/// RFC 8176 2: password-based authentication.
const AMR_PASSWORD: &str = "pwd";

/// Who proved who they are, when and how.
pub struct Proof<'a> {
    pub user: &'a User,
    pub at: Timestamp,
    pub amr: String,
    pub acr: Option<String>,
}

/// How long a session is to last.
pub struct Term {
    pub ends: Timestamp,
    /// Whether its cookie outlives the run of the browser.
    pub persistent: bool,
    /// It counts for this authorization request only.
    pub only_for: Option<RequestId>,
}

/// What becomes of the account that was the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It stays signed in, and can be chosen again.
    Stays,
    /// It is signed out: the pages of somebody else have no way to choose it.
    Ends,
}

/// A session that was just made, in its browser.
pub struct Started {
    pub session: Session,
    accounts: Accounts,
}

impl Visitor {
    /// Starts a session for a user who has just given their password.
    pub async fn start_session(&self, app: &App, user: &User) -> Result<Started, Failure> {
        let proof = Proof { user, at: app.now(), amr: AMR_PASSWORD.to_owned(), acr: None };
        let ends = app.now().plus(app.settings.sessions.lifetime_seconds);
        let term = Term { ends, persistent: true, only_for: None };
        self.start_session_with(app, proof, term, Before::Stays).await
    }

    /// Starts a session for a user who has just proven who they are. The same user's session in this browser goes on
    /// under a new cookie.
    pub async fn start_session_with(
        &self,
        app: &App,
        proof: Proof<'_>,
        term: Term,
        before: Before,
    ) -> Result<Started, Failure> {
        let (salt, user) = (random::id(), proof.user.clone());
        let mut accounts = self.accounts(app).await?;
        let mut session = self.new_session(app, proof, term);
        let own = accounts.session_of(&user.id).filter(|_| session.only_for.is_none());
        let renewed = match own {
            Some(own) => {
                session.id = own.id.clone();
                app.noting(&Actor::User, signed_in(&session)).renew_session(&session, &salt).await?
            }
            None => false,
        };
        if !renewed {
            app.noting(&Actor::User, signed_in(&session)).insert_session(&session, &salt).await?;
        }
        let handle = handle::issue(&app.master_key, Purpose::Session, session.id.as_str(), 0, &salt)
            .ok_or_else(|| Failure::new(Problem::Internal))?;
        if before == Before::Ends
            && let Some(ended) = accounts.current.take_if(|current| current.session.id != session.id)
        {
            ended.end(app, SessionEnd::Replaced).await?;
        }
        if let Some(surplus) = accounts.enter(SignedIn { session: session.clone(), user, handle }) {
            surplus.end(app, SessionEnd::Replaced).await?;
        }
        Ok(Started { session, accounts })
    }

    fn new_session(&self, app: &App, proof: Proof<'_>, term: Term) -> Session {
        let now = app.now();
        Session {
            id: SessionId::new(random::id()),
            user_id: proof.user.id.clone(),
            auth_time: proof.at,
            amr: proof.amr,
            acr: proof.acr,
            only_for: term.only_for,
            persistent: term.persistent,
            created_at: now,
            last_seen_at: now,
            expires_at: term.ends,
            user_agent: self.user_agent.clone(),
            address: self.address.clone(),
        }
    }
}

fn signed_in(session: &Session) -> Event<'_> {
    Event::SignedIn { user: &session.user_id, session: &session.id, amr: &session.amr }
}

impl SignedIn {
    /// Ends the session, with what ends with it. False when it had ended.
    pub async fn end(&self, app: &App, reason: SessionEnd) -> Result<bool, StorageError> {
        let (user, session) = (&self.user.id, &self.session.id);
        let ended = app.noting(&Actor::User, Event::SessionEnded { user, session, reason });
        ended.end_session(session, user, app.now()).await
    }
}

impl Started {
    /// Gives the browser its cookies.
    pub fn set_cookies(&self, app: &App, response: &mut Response) {
        self.accounts.set_cookies(app, response);
    }
}
