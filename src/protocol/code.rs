//! Redeeming an authorization code (RFC 6749 4.1.3, RFC 7636 4.6, RFC 9700 2.1.1).

use super::error::OAuthError;
use super::{pkce, redirect_uri};
use crate::model::{Client, CodeConditions, Grant, GrantState, Presence, Timestamp};

/// What the client sent beside the code.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub redirect_uri: Option<&'a str>,
    pub code_verifier: Option<&'a str>,
    pub now: Timestamp,
}

/// What to do with an attempt to redeem a code.
#[derive(Debug)]
pub enum Verdict<'a> {
    Redeem(&'a CodeConditions),
    /// Refuse, and the code is spent: the right client had its one attempt.
    Spend(OAuthError),
    /// Refuse, and take back what the code was redeemed for: it was used before (RFC 6749 4.1.2).
    Revoke(OAuthError),
    /// Refuse, and leave everything as it is.
    Refuse(OAuthError),
}

/// Judges an attempt of an authenticated client.
pub fn judge<'g>(grant: &'g Grant, client: &Client, attempt: Attempt<'_>) -> Verdict<'g> {
    // RFC 6749 4.1.3: the code MUST have been issued to this client. Another one cannot spend it.
    if grant.client_id != client.id {
        return Verdict::Refuse(OAuthError::invalid_grant("The code was issued to another client."));
    }
    let code = match &grant.state {
        GrantState::CodeIssued(code) => code,
        GrantState::Active { .. } | GrantState::Revoked => return Verdict::Revoke(used()),
    };
    if code.expires_at <= attempt.now {
        return Verdict::Spend(OAuthError::invalid_grant("The code has expired. Start again at /authorize."));
    }
    match check_conditions(code, client, attempt) {
        Ok(()) => Verdict::Redeem(code),
        Err(error) => Verdict::Spend(error),
    }
}

/// The answer to every use of a code but the first.
pub fn used() -> OAuthError {
    OAuthError::invalid_grant("The code was used before. What it had been redeemed for is revoked.")
}

fn check_conditions(code: &CodeConditions, client: &Client, attempt: Attempt<'_>) -> Result<(), OAuthError> {
    // It may have been taken from the client since, because somebody else receives what is sent there.
    if !client.redirect_uris.iter().any(|registered| redirect_uri::matches(registered, &code.redirect_uri)) {
        return Err(OAuthError::invalid_grant(
            "The redirect_uri of the authorization request is not registered for the client any more.",
        ));
    }
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
