//! The accounts that are signed in in one browser: the current one, and others that can be chosen.
//!
//! The browser holds a handle of each session: of the current one in a cookie of its own, of the others in a second
//! cookie. Nothing in the database says that they belong together, so that a cookie which somebody planted in a browser
//! never leads to a session that is started there later (`docs/adr/0018`).

use axum::http::header;
use axum::response::Response;

use super::answer::Failure;
use super::cookies::{Cookie, SEPARATOR};
use super::session_state;
use super::visit::Visit;
use crate::app::App;
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{AuthorizationRequestId, Secret, Session, SessionId, User, UserId};
use crate::storage::MOST_AT_ONCE;

/// Accounts beside the current one.
const MOST_OTHERS: usize = MOST_AT_ONCE - 1;
/// Seconds after which using a session is noted again.
const TOUCH_AFTER: i64 = 600;

/// Someone with a live session.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub session: Session,
    pub user: User,
    /// The handle that the browser holds.
    pub handle: Secret,
}

/// Everybody who is signed in in a browser.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// Whose turn it is where nothing says otherwise.
    pub current: Option<SignedIn>,
    /// The last used first.
    pub others: Vec<SignedIn>,
    /// Whether the browser has the cookie of the others.
    others_known: bool,
}

impl Visit {
    /// The current account of the browser, if its session is genuine, live, and its user enabled.
    pub(crate) async fn signed_in(&self) -> Result<Option<SignedIn>, Failure> {
        let current = self.accounts().await?.current;
        if let Some(person) = &current {
            touch(&self.app, &person.session).await?;
        }
        Ok(current)
    }

    /// The account with this session; one that counts for this request only counts too.
    pub(crate) async fn signed_in_for(
        &self,
        request: &AuthorizationRequestId,
        session: &SessionId,
    ) -> Result<Option<SignedIn>, Failure> {
        let person = self.accounts_at_all().await?.find(session).cloned();
        let counts =
            |person: &SignedIn| person.session.only_for.as_ref().is_none_or(|only_for| only_for == request);
        Ok(person.filter(counts))
    }

    /// Every account of the browser. A session that counts for one request only is none.
    pub(crate) async fn accounts(&self) -> Result<Accounts, Failure> {
        let mut accounts = self.accounts_at_all().await?;
        accounts.current = accounts.current.filter(|person| person.session.only_for.is_none());
        Ok(accounts)
    }

    /// The same with a current one of any kind, for sign-out.
    pub(crate) async fn accounts_at_all(&self) -> Result<Accounts, Failure> {
        let handle =
            |text: &str| Handle::parse(Purpose::Session, text).map(|handle| (handle, Secret::new(text)));
        let current = self.session_cookie.as_deref().and_then(handle);
        let others = self.accounts_cookie.as_deref().unwrap_or_default().split(SEPARATOR);
        let others: Vec<_> = others.filter_map(handle).take(MOST_OTHERS).collect();
        let ids: Vec<SessionId> =
            current.iter().chain(&others).map(|(handle, _)| SessionId::new(handle.id())).collect();
        if ids.is_empty() {
            return Ok(Accounts { others_known: self.accounts_cookie.is_some(), ..Accounts::default() });
        }
        let mut rows = self.app.storage.sessions(&ids).await?;
        let mut take = |(handle, secret): (Handle, Secret)| {
            let id = handle.id();
            let at = rows.iter().position(|(session, ..)| session.id.as_str() == id)?;
            let (session, user, salt) = rows.swap_remove(at);
            let good = handle.is_genuine(&self.app.master_key, &salt)
                && is_live(&self.app, &session)
                && !user.disabled;
            good.then_some(SignedIn { session, user, handle: secret })
        };
        let accounts = Accounts {
            current: current.and_then(&mut take),
            others: others
                .into_iter()
                .filter_map(take)
                .filter(|other| other.session.only_for.is_none())
                .collect(),
            others_known: self.accounts_cookie.is_some(),
        };
        Ok(accounts)
    }
}

impl Accounts {
    pub(crate) fn is_empty(&self) -> bool {
        self.current.is_none() && self.others.is_empty()
    }

    /// All of them, the current one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &SignedIn> {
        self.current.iter().chain(&self.others)
    }

    /// The same, in the same order.
    pub(crate) fn into_all(self) -> Vec<SignedIn> {
        self.current.into_iter().chain(self.others).collect()
    }

    /// The one with this session.
    pub(crate) fn find(&self, id: &SessionId) -> Option<&SignedIn> {
        self.all().find(|person| person.session.id == *id)
    }

    /// The session of this user.
    pub(crate) fn session_of(&self, user: &UserId) -> Option<&Session> {
        self.all().find(|person| person.user.id == *user).map(|person| &person.session)
    }

    /// Makes one of them the current one. False where there is none with this session.
    pub(crate) fn choose(&mut self, id: &SessionId) -> bool {
        let Some(at) = self.others.iter().position(|person| person.session.id == *id) else {
            return self.current.as_ref().is_some_and(|person| person.session.id == *id);
        };
        let chosen = self.others.remove(at);
        self.others.splice(0..0, self.current.replace(chosen));
        true
    }

    /// Somebody has signed in. The session in their place is their own, if they had one here; what is returned is too much
    /// and has to be ended.
    pub(crate) fn enter(&mut self, person: SignedIn) -> Option<SignedIn> {
        self.remove(&person.session.id);
        self.others.splice(0..0, self.current.replace(person));
        if self.others.len() > MOST_OTHERS { self.others.pop() } else { None }
    }

    /// Somebody has signed out. Nobody takes the place of the current one: that is for a person to choose.
    pub(crate) fn remove(&mut self, id: &SessionId) {
        self.current.take_if(|person| person.session.id == *id);
        self.others.retain(|person| person.session.id != *id);
    }

    /// Everybody has signed out.
    pub(crate) fn clear(&mut self) {
        self.current = None;
        self.others.clear();
    }

    /// Tells the browser.
    pub(crate) fn set_cookies(&self, app: &App, response: &mut Response) {
        let left = |session: &Session| session.persistent.then(|| session.expires_at.since(app.now()));
        let mut set = |cookie: Cookie, value: &str, max_age| {
            if let Some(value) = cookie.write(&app.settings.server.issuer, value, max_age) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        };
        match &self.current {
            Some(person) => set(Cookie::Session, person.handle.expose(), left(&person.session)),
            None => set(Cookie::Session, "", Some(0)),
        }
        if !self.others.is_empty() {
            let handles: Vec<_> = self.others.iter().map(|person| person.handle.expose()).collect();
            // One of them that ends with the run of the browser ends this way for all.
            let lives: Option<Vec<i64>> = self.others.iter().map(|person| left(&person.session)).collect();
            let longest = lives.and_then(|lives| lives.into_iter().max());
            set(Cookie::Accounts, &handles.join(SEPARATOR), longest);
        } else if self.others_known {
            set(Cookie::Accounts, "", Some(0));
        }
        session_state::set_cookie(app, response, self.all().map(|person| person.handle.expose()));
    }
}

/// Notes that a session is in use.
pub(super) async fn touch(app: &App, session: &Session) -> Result<(), Failure> {
    let now = app.now();
    if now.since(session.last_seen_at) >= TOUCH_AFTER {
        app.storage.touch_session(&session.id, now).await?;
    }
    Ok(())
}

/// Whether a session is neither over nor forgotten.
pub(super) fn is_live(app: &App, session: &Session) -> bool {
    let now = app.now();
    session.expires_at > now && now.since(session.last_seen_at) < app.settings.sessions.idle_seconds
}
