//! Refresh tokens (RFC 6749 6, RFC 9700 4.14): rotation, the grace for a lost response, replay.

use super::error::{ErrorCode, OAuthError};
use crate::model::{Client, Grant, GrantState, Lifetime, Refresh, RotationPolicy, ScopeSet, Timestamp};

/// How long refresh tokens live, for one client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefreshPolicy {
    /// Since the last rotation.
    pub idle: Lifetime,
    /// Seconds after a rotation in which its predecessor gets the same successor again; 0: none, not even at once.
    pub grace: i64,
    pub rotation: RotationPolicy,
    /// Seconds a token has to be old before it is used.
    pub interval: Option<i64>,
}

/// What to do with a presented refresh token.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is the valid one: give its successor.
    Rotate,
    /// It is the immediate predecessor of the valid one, within the grace: give that one again.
    RotateAgain,
    /// It is the valid one and stays it.
    Reuse,
    /// An older one: somebody holds a copy. Revoke the grant (RFC 9700 4.14.2).
    Replay,
    Refuse(OAuthError),
}

/// Judges a genuine refresh token of this generation, presented by an authenticated client.
pub(crate) fn judge(
    grant: &Grant,
    client: &Client,
    generation: u32,
    policy: RefreshPolicy,
    now: Timestamp,
) -> Verdict {
    // RFC 6749 10.4: the binding between token and client MUST be checked.
    if grant.client_id != client.id {
        return Verdict::Refuse(OAuthError::invalid_grant("The refresh token was issued to another client."));
    }
    let GrantState::Active { refresh: Some(current) } = &grant.state else {
        return Verdict::Refuse(revoked());
    };
    if is_expired(grant, *current, policy, now) {
        return Verdict::Refuse(OAuthError::invalid_grant(
            "The refresh token has expired. The user has to sign in.",
        ));
    }
    let is_predecessor = generation.checked_add(1) == Some(current.generation);
    let in_grace = policy.grace > 0 && now.since(current.rotated_at) <= policy.grace;
    if generation == current.generation {
        return valid(*current, policy, now);
    }
    if is_predecessor && in_grace { Verdict::RotateAgain } else { Verdict::Replay }
}

/// Whether a grant of which this scope is left is still refreshed: it would come with a refresh token today. Nothing is
/// revoked when not, so that an operator's slip ends nobody's access for good.
pub(crate) fn must_be_allowed(client: &Client, left: ScopeSet) -> Result<ScopeSet, OAuthError> {
    if client.gets_refresh_token(&left) {
        return Ok(left);
    }
    Err(OAuthError::invalid_grant("The client may not refresh what it was granted any more."))
}

fn valid(current: Refresh, policy: RefreshPolicy, now: Timestamp) -> Verdict {
    if policy.interval.is_some_and(|seconds| now.since(current.rotated_at) < seconds) {
        let description = "The client refreshes more often than it is registered to. Try again later.";
        return Verdict::Refuse(OAuthError::new(ErrorCode::TemporarilyUnavailable, description));
    }
    match policy.rotation {
        RotationPolicy::Rotate => Verdict::Rotate,
        RotationPolicy::Reuse => Verdict::Reuse,
    }
}

/// Whether the chain has come to its end, by its own age or because it was not used.
pub(crate) fn is_expired(grant: &Grant, current: Refresh, policy: RefreshPolicy, now: Timestamp) -> bool {
    let ends = [grant.expires_at, policy.idle.end(current.rotated_at)];
    ends.into_iter().flatten().any(|end| end <= now)
}

/// The answer where the grant is over.
pub(crate) fn revoked() -> OAuthError {
    OAuthError::invalid_grant("The refresh token was revoked. The user has to sign in.")
}

/// The answer to a replay.
pub(crate) fn replayed() -> OAuthError {
    OAuthError::invalid_grant(
        "The refresh token was used before, so the grant is revoked. The user has to sign in.",
    )
}
