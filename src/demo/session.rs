//! What the demo remembers of a browser: in memory, by a random cookie, for a bounded number of browsers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::crypto::random;

/// The oldest is forgotten for a new one.
const MOST: usize = 200;

/// One browser.
#[derive(Clone, Default)]
pub(super) struct Session {
    /// What a form has to bring along, so that no other site can press a button here.
    pub csrf: String,
    pub started: Option<SignIn>,
    pub tokens: Option<Tokens>,
    pub outcome: Option<Outcome>,
}

/// A sign-in that left for the server and has not come back.
#[derive(Clone)]
pub(crate) struct SignIn {
    pub state: String,
    pub nonce: String,
    pub code_verifier: String,
}

/// What a sign-in gave.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub id_token: String,
    pub claims: Value,
    pub userinfo: Value,
}

/// What the last step did.
#[derive(Clone)]
pub(super) struct Outcome {
    pub failed: bool,
    /// One sentence for a newcomer.
    pub told: String,
    /// What the server answered.
    pub answer: String,
}

#[derive(Default)]
pub(super) struct Sessions(Mutex<Known>);

#[derive(Default)]
struct Known {
    sessions: HashMap<String, Session>,
    order: VecDeque<String>,
}

impl Sessions {
    pub(super) fn get(&self, id: &str) -> Option<Session> {
        self.known().sessions.get(id).cloned()
    }

    /// Begins a session under a new id; the one it follows, if any, ends.
    pub(super) fn begin(&self, previous: Option<&str>, mut session: Session) -> String {
        let id = random::secret().expose().to_owned();
        session.csrf = random::secret().expose().to_owned();
        let mut known = self.known();
        if let Some(previous) = previous {
            known.forget(previous);
        }
        while known.order.len() >= MOST {
            let Some(oldest) = known.order.pop_front() else { break };
            known.sessions.remove(&oldest);
        }
        known.order.push_back(id.clone());
        known.sessions.insert(id.clone(), session);
        id
    }

    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.known().sessions.get_mut(id) {
            change(session);
        }
    }

    pub(super) fn end(&self, id: &str) {
        self.known().forget(id);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self, id: &str) {
        self.sessions.remove(id);
        self.order.retain(|known| known != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_sessions_is_bounded_and_the_oldest_goes_first() {
        let sessions = Sessions::default();
        let first = sessions.begin(None, Session::default());
        let others: Vec<String> = (0..MOST).map(|_| sessions.begin(None, Session::default())).collect();
        assert!(sessions.get(&first).is_none());
        assert!(others.iter().all(|id| sessions.get(id).is_some()));
    }

    #[test]
    fn a_session_that_is_followed_by_another_ends() {
        let sessions = Sessions::default();
        let first = sessions.begin(None, Session::default());
        let second = sessions.begin(Some(&first), Session::default());
        assert!(sessions.get(&first).is_none() && sessions.get(&second).is_some());
    }
}
