//! Starting a session: from a proof of who somebody is to the cookies of their browser.

use axum::http::header;
use axum::response::Response;

use super::accounts::{Accounts, SignedIn};
use super::answer::Failure;
use super::cookies::Cookie;
use super::views::Problem;
use super::visit::Visit;
use crate::app::App;
use crate::audit::{Actor, Event, SessionEnd};
use crate::crypto::handle::{self, Purpose};
use crate::crypto::known_browser::KnownBrowser;
use crate::crypto::random;
use crate::grants::password_check::Recognised;
use crate::model::{AuthorizationRequestId, Session, SessionId, SignInGeneration, Timestamp, User};
use crate::storage::{Insertion, StorageError};

/// RFC 8176 2: password-based authentication.
const AMR_PASSWORD: &str = "pwd";
/// Seconds that a browser is known in after a sign-in: half a year.
const KNOWN_FOR: i64 = 180 * 86_400;

/// Who proved who they are, when and how.
pub(crate) struct Proof<'a> {
    pub user: &'a User,
    /// What the proof counts for.
    pub counts: SignInGeneration,
    pub at: Timestamp,
    pub amr: String,
    pub acr: Option<String>,
}

/// How long a session is to last.
pub(crate) struct Term {
    pub ends: Timestamp,
    /// Whether its cookie outlives the run of the browser.
    pub persistent: bool,
    /// It counts for this authorization request only.
    pub only_for: Option<AuthorizationRequestId>,
}

/// What becomes of the account that was the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// It stays signed in, and can be chosen again.
    Stays,
    /// It is signed out: the pages of somebody else have no way to choose it.
    Ends,
}

/// A session that was just made, in its browser.
pub(crate) struct Started {
    pub session: Session,
    accounts: Accounts,
    /// The browser, which the user is known in from now on.
    known: Option<KnownBrowser>,
}

impl Visit {
    /// Starts a session for a user who has just given their password.
    pub(crate) async fn start_session(&self, recognised: &Recognised) -> Result<Option<Started>, Failure> {
        let Recognised { user, proof: counts, known_since } = recognised;
        let proof =
            Proof { user, counts: *counts, at: self.app.now(), amr: AMR_PASSWORD.to_owned(), acr: None };
        let ends = self.app.now().plus(self.app.settings.sessions.lifetime_seconds);
        let term = Term { ends, persistent: true, only_for: None };
        let started = self.start_session_with(proof, term, Before::Stays).await?;
        let known =
            KnownBrowser::after_sign_in(self.known.as_ref(), &self.app.master_key, &user.id, known_since);
        Ok(started.map(|started| Started { known: Some(known), ..started }))
    }

    /// Starts a session for a user who has just proven who they are. The same user's session in this browser goes on
    /// under a new cookie. None where everything of that user was ended after the proof.
    pub(crate) async fn start_session_with(
        &self,
        proof: Proof<'_>,
        term: Term,
        before: Before,
    ) -> Result<Option<Started>, Failure> {
        let (salt, user, counts) = (random::id(), proof.user.clone(), proof.counts);
        let mut accounts = self.accounts().await?;
        let mut session = self.new_session(proof, term);
        let own = accounts.session_of(&user.id).filter(|_| session.only_for.is_none());
        let renewed = match own {
            Some(own) => {
                session.id = own.id.clone();
                let noted = self.app.noted(&Actor::User, signed_in(&session));
                self.app.storage.renew_session(noted, &session, &salt, counts).await?
            }
            None => false,
        };
        if !renewed {
            let noted = self.app.noted(&Actor::User, signed_in(&session));
            if self.app.storage.insert_session(noted, &session, &salt, counts).await? == Insertion::Nothing {
                return Ok(None);
            }
            end_surplus(&self.app, &session).await?;
        }
        let handle = handle::issue(&self.app.master_key, Purpose::Session, session.id.as_str(), 0, &salt)
            .ok_or_else(|| Failure::new(Problem::Internal))?;
        if before == Before::Ends
            && let Some(ended) = accounts.current.take_if(|current| current.session.id != session.id)
        {
            ended.end(&self.app, SessionEnd::Replaced).await?;
        }
        if let Some(surplus) = accounts.enter(SignedIn { session: session.clone(), user, handle }) {
            surplus.end(&self.app, SessionEnd::Replaced).await?;
        }
        Ok(Some(Started { session, accounts, known: None }))
    }

    fn new_session(&self, proof: Proof<'_>, term: Term) -> Session {
        let now = self.app.now();
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
            address: self.address,
        }
    }
}

fn signed_in(session: &Session) -> Event<'_> {
    Event::SignedIn { user: &session.user_id, session: &session.id, amr: &session.amr }
}

/// Whoever has the password of an account can start as many as they like.
async fn end_surplus(app: &App, session: &Session) -> Result<(), StorageError> {
    let (user, now, reason) = (&session.user_id, app.now(), SessionEnd::TooMany);
    for surplus in app.storage.surplus_sessions(session, app.settings.sessions.max_per_user, now).await? {
        let ended = Event::SessionEnded { user, session: &surplus, reason };
        app.storage.end_session(app.noted(&Actor::User, ended), &surplus, user, now).await?;
    }
    Ok(())
}

impl SignedIn {
    /// Ends the session, with what ends with it. False when it had ended.
    pub(crate) async fn end(&self, app: &App, reason: SessionEnd) -> Result<bool, StorageError> {
        let (user, session) = (&self.user.id, &self.session.id);
        let noted = app.noted(&Actor::User, Event::SessionEnded { user, session, reason });
        app.storage.end_session(noted, session, user, app.now()).await
    }
}

impl Started {
    /// Gives the browser its cookies.
    pub(crate) fn set_cookies(&self, app: &App, response: &mut Response) {
        self.accounts.set_cookies(app, response);
        let issuer = &app.settings.server.issuer;
        let known = self.known.as_ref().map(KnownBrowser::cookie);
        if let Some(cookie) = known.and_then(|known| Cookie::Known.write(issuer, &known, Some(KNOWN_FOR))) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}
