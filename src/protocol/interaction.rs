//! What has to happen before a code may be issued (OpenID Connect Core 3.1.2.3, 3.1.2.4): sign in, consent, or nothing.

use super::error::{ErrorCode, OAuthError};
use crate::model::{AuthorizationRequest, Client, Prompt, ScopeSet, Timestamp};

/// What is known about the person at the browser.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// When the browser's session last saw a proof of identity.
    pub auth_time: Option<Timestamp>,
    /// What the user allowed this client before.
    pub consented: Option<&'a ScopeSet>,
    /// When the request came in, where it has waited for the person meanwhile.
    pub waiting_since: Option<Timestamp>,
    /// Whether the person has just said yes to this very request.
    pub decided: bool,
    pub now: Timestamp,
}

/// The next step.
#[derive(Debug)]
pub enum Step {
    SignIn,
    /// Ask for consent; `new` is what was not allowed before.
    Consent {
        new: ScopeSet,
    },
    Issue,
    Refuse(OAuthError),
}

/// Decides the next step of a request.
pub fn next(request: &AuthorizationRequest, client: &Client, situation: Situation<'_>) -> Step {
    let silent = request.prompts(Prompt::None);
    if !is_signed_in(request, situation) {
        return if silent {
            refuse(ErrorCode::LoginRequired, "The user has to sign in.")
        } else {
            Step::SignIn
        };
    }
    match missing_consent(request, client, situation) {
        None => Step::Issue,
        Some(_) if silent => refuse(ErrorCode::ConsentRequired, "The user has to give consent."),
        Some(new) => Step::Consent { new },
    }
}

fn refuse(code: ErrorCode, description: &'static str) -> Step {
    Step::Refuse(OAuthError::new(code, description))
}

fn is_signed_in(request: &AuthorizationRequest, situation: Situation<'_>) -> bool {
    let Some(auth_time) = situation.auth_time else { return false };
    // Signing in for this very request satisfies whatever it asks.
    if situation.waiting_since.is_some_and(|since| auth_time >= since) {
        return true;
    }
    let asks_again = request.prompts(Prompt::Login) || request.prompts(Prompt::SelectAccount);
    let too_old = request.max_age.is_some_and(|most| situation.now.since(auth_time) > most);
    !asks_again && !too_old
}

fn missing_consent(
    request: &AuthorizationRequest,
    client: &Client,
    situation: Situation<'_>,
) -> Option<ScopeSet> {
    if situation.decided {
        return None;
    }
    let nothing = ScopeSet::default();
    let new = request.scope.without(situation.consented.unwrap_or(&nothing));
    if request.prompts(Prompt::Consent) {
        return Some(new);
    }
    let covered = situation.consented.is_some() && new.is_empty();
    (!client.skip_consent && !covered).then_some(new)
}
