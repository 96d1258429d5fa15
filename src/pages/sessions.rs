//! Sessions: from a cookie to a person, from a password to a cookie.

use axum::http::header;
use axum::response::Response;

use super::answer::Failure;
use super::cookies::Cookie;
use super::views::Problem;
use super::visitor::Visitor;
use crate::app::App;
use crate::crypto::handle::{self, Handle, Purpose};
use crate::crypto::random;
use crate::model::{RequestId, Secret, Session, SessionId, Timestamp, User, UserId};

/// RFC 8176 2: password-based authentication.
const AMR_PASSWORD: &str = "pwd";
/// Seconds after which using a session is noted again.
const TOUCH_AFTER: i64 = 600;

/// Someone with a live session.
#[derive(Debug)]
pub struct SignedIn {
    pub session: Session,
    pub user: User,
}

/// Who proved who they are, when and how.
pub struct Proof<'a> {
    pub user: &'a UserId,
    pub at: Timestamp,
    pub amr: String,
    pub acr: Option<String>,
}

/// How long a session is to last.
pub struct Term {
    pub ends: Timestamp,
    /// `Max-Age` of its cookie; none: until the browser closes.
    pub cookie: Option<i64>,
    /// It counts for this authorization request only.
    pub only_for: Option<RequestId>,
}

/// A session that was just made, with the cookie for it.
pub struct Started {
    pub session: Session,
    cookie: Secret,
    cookie_seconds: Option<i64>,
}

impl Visitor {
    /// The person at the browser, if their session is genuine, live, and their account enabled.
    pub async fn signed_in(&self, app: &App) -> Result<Option<SignedIn>, Failure> {
        Ok(self.signed_in_at_all(app).await?.filter(|person| person.session.only_for.is_none()))
    }

    /// The same; a session that counts for this request only counts too.
    pub async fn signed_in_for(&self, app: &App, request: &RequestId) -> Result<Option<SignedIn>, Failure> {
        let counts =
            |only_for: &Option<RequestId>| only_for.as_ref().is_none_or(|only_for| only_for == request);
        Ok(self.signed_in_at_all(app).await?.filter(|person| counts(&person.session.only_for)))
    }

    /// Whoever has a session of any kind, for sign-out.
    pub async fn signed_in_at_all(&self, app: &App) -> Result<Option<SignedIn>, Failure> {
        let handle = self.session_cookie.as_deref().and_then(|text| Handle::parse(Purpose::Session, text));
        let Some(handle) = handle else { return Ok(None) };
        let found = app.storage.session(&SessionId::new(handle.id())).await?;
        let Some((session, user, salt)) = found else { return Ok(None) };
        if !handle.is_genuine(&app.master_key, &salt) || !is_live(app, &session) || user.disabled {
            return Ok(None);
        }
        let now = app.now();
        if now.since(session.last_seen_at) >= TOUCH_AFTER {
            app.storage.touch_session(&session.id, now).await?;
        }
        Ok(Some(SignedIn { session, user }))
    }

    /// Starts a session for a user who has just given their password.
    pub async fn start_session(&self, app: &App, user: &UserId) -> Result<Started, Failure> {
        let lifetime = app.settings.sessions.lifetime_seconds;
        let proof = Proof { user, at: app.now(), amr: AMR_PASSWORD.to_owned(), acr: None };
        let term = Term { ends: app.now().plus(lifetime), cookie: Some(lifetime), only_for: None };
        self.start_session_with(app, proof, term).await
    }

    /// Starts a session for a user who has just proven who they are. The same user's session in this browser goes on
    /// under a new cookie; another's ends.
    pub async fn start_session_with(
        &self,
        app: &App,
        proof: Proof<'_>,
        term: Term,
    ) -> Result<Started, Failure> {
        let (now, salt, user) = (app.now(), random::id(), proof.user);
        let before = self.signed_in(app).await?;
        let mut session = Session {
            id: SessionId::new(random::id()),
            user_id: user.clone(),
            auth_time: proof.at,
            amr: proof.amr,
            acr: proof.acr,
            only_for: term.only_for,
            created_at: now,
            last_seen_at: now,
            expires_at: term.ends,
            user_agent: self.user_agent.clone(),
            address: self.address.clone(),
        };
        let renewed = match before {
            Some(before) if before.user.id == *user && session.only_for.is_none() => {
                session.id = before.session.id;
                app.storage.renew_session(&session, &salt).await?
            }
            Some(before) => {
                app.storage.end_session(&before.session.id, &before.user.id, now).await?;
                false
            }
            None => false,
        };
        if !renewed {
            app.storage.insert_session(&session, &salt).await?;
        }
        let cookie = handle::issue(&app.master_key, Purpose::Session, session.id.as_str(), 0, &salt)
            .ok_or_else(|| Failure::new(Problem::Internal))?;
        Ok(Started { session, cookie, cookie_seconds: term.cookie })
    }
}

impl Started {
    /// Gives the browser its cookie.
    pub fn set_cookie(&self, app: &App, response: &mut Response) {
        let issuer = &app.settings.server.issuer;
        if let Some(value) = Cookie::Session.write(issuer, self.cookie.expose(), self.cookie_seconds) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// Whether a session is neither over nor forgotten.
pub fn is_live(app: &App, session: &Session) -> bool {
    let now = app.now();
    session.expires_at > now && now.since(session.last_seen_at) < app.settings.sessions.idle_seconds
}

/// Takes the session cookie away.
pub fn clear_cookie(app: &App, response: &mut Response) {
    if let Some(value) = Cookie::Session.write(&app.settings.server.issuer, "", Some(0)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
