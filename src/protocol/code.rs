//! Redeeming an authorization code (RFC 6749 4.1.3, RFC 7636 4.6, RFC 9700 2.1.1).

use super::error::OAuthError;
use super::{pkce, redirect_uri};
use crate::model::{Client, CodeBinding, CodeConditions, GrantState, NewGrant, Presence, Timestamp};

/// What the client sent beside the code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub redirect_uri: Option<&'a str>,
    pub code_verifier: Option<&'a str>,
    pub now: Timestamp,
}

/// What to do with an attempt to redeem a code.
#[derive(Debug)]
pub(crate) enum Verdict<'a> {
    Redeem(&'a CodeConditions),
    /// Refuse, and the code is spent: the right client had its one attempt. So has whoever says they are a public client,
    /// with a code that is not theirs: its user has to start again. The other way would be to let them guess.
    Spend(OAuthError),
    /// Refuse, and take back what the code was redeemed for: whoever redeemed it, or this one, stole it (RFC 6749 4.1.2).
    Revoke(OAuthError),
    /// Refuse, and leave everything as it is.
    Refuse(OAuthError),
}

/// Judges an attempt of an authenticated client.
pub(crate) fn judge<'g>(new: &'g NewGrant, client: &Client, attempt: Attempt<'_>) -> Verdict<'g> {
    let NewGrant { grant, code: binding, .. } = new;
    // RFC 6749 4.1.3: the code MUST have been issued to this client. Another one cannot spend it.
    if grant.client_id != client.id {
        return Verdict::Refuse(OAuthError::invalid_grant("The code was issued to another client."));
    }
    let fits = check_conditions(binding, client, attempt);
    let code = match &grant.state {
        GrantState::CodeIssued(code) => code,
        GrantState::Revoked if !binding.redeemed => return Verdict::Refuse(ended(new)),
        // RFC 6749 4.1.2: what a code used twice gave SHOULD be revoked. Only where it is shown that who presents it could
        // have redeemed it: whoever found it in a log must not end what its client has.
        GrantState::Active { .. } | GrantState::Revoked => {
            return if fits.is_ok() { Verdict::Revoke(used()) } else { Verdict::Refuse(used_unproven()) };
        }
    };
    // Told before anything else: nothing the client could do better would help.
    if new.user.disabled {
        return Verdict::Refuse(ended(new));
    }
    if code.expires_at <= attempt.now {
        return Verdict::Spend(expired());
    }
    match fits.and_then(|()| check_registration(binding, client)) {
        Ok(()) => Verdict::Redeem(code),
        Err(error) => Verdict::Spend(error),
    }
}

/// The answer to a client that shows that a code is its own, each time but the first.
pub(crate) fn used() -> OAuthError {
    OAuthError::invalid_grant("The code was used before. What it had been redeemed for is revoked.")
}

/// It may have been taken from the client since, because somebody else receives what is sent there.
fn check_registration(code: &CodeBinding, client: &Client) -> Result<(), OAuthError> {
    if client.redirect_uris.iter().any(|registered| redirect_uri::matches(registered, &code.redirect_uri)) {
        return Ok(());
    }
    Err(OAuthError::invalid_grant(
        "The redirect_uri of the authorization request is not registered for the client any more.",
    ))
}

/// The answer after its time.
pub(crate) fn expired() -> OAuthError {
    OAuthError::invalid_grant("The code has expired. Start again at /authorize.")
}

/// The answer to whoever has only the code.
fn used_unproven() -> OAuthError {
    OAuthError::invalid_grant("The code was used before.")
}

/// The answer where a code that nobody used is good for nothing.
fn ended(new: &NewGrant) -> OAuthError {
    OAuthError::invalid_grant(match new.user.disabled {
        true => "The user is disabled.",
        false => {
            "The code was never redeemed, but is good no more: its user signed out or took access back, or an attempt failed. Start again at /authorize."
        }
    })
}

fn check_conditions(code: &CodeBinding, client: &Client, attempt: Attempt<'_>) -> Result<(), OAuthError> {
    let needs_uri = client.policy().token_redirect_uri == Presence::Required;
    match (attempt.redirect_uri, &code.code_challenge) {
        (Some(uri), _) if uri != code.redirect_uri => {
            return Err(OAuthError::invalid_grant(
                "redirect_uri is not the one of the authorization request.",
            ));
        }
        // RFC 6749 4.1.3: REQUIRED if it was sent before; PKCE makes it needless (OAuth 2.1), unless the client is
        // registered to send it.
        (None, challenge) if needs_uri || challenge.is_none() => {
            return Err(OAuthError::invalid_grant("The parameter redirect_uri is missing."));
        }
        _ => {}
    }
    match (&code.code_challenge, attempt.code_verifier) {
        (None, None) => Ok(()),
        // RFC 9700 2.1.1: a verifier without a challenge is an attempted downgrade.
        (None, Some(_)) => Err(OAuthError::invalid_grant("The authorization request had no code_challenge.")),
        (Some(_), None) => Err(OAuthError::invalid_grant("The parameter code_verifier is missing.")),
        (Some(challenge), Some(verifier))
            if pkce::is_verifier(verifier) && pkce::matches(challenge, verifier) =>
        {
            Ok(())
        }
        (Some(_), Some(_)) => Err(OAuthError::invalid_grant("code_verifier does not match code_challenge.")),
    }
}
