//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): what a logout token says, and what an answer to it means.

use serde::Serialize;

use crate::model::{ClientId, SessionId, Timestamp, TokenId};

/// Seconds a logout token is good for (section 2.4 recommends at most two minutes).
pub(crate) const LIFETIME: i64 = 120;
/// Seconds to wait after each failed attempt; after one more the delivery is given up.
const PAUSES: [i64; 7] = [15, 60, 300, 900, 3600, 10_800, 21_600];

/// Section 2.4. A `nonce` is prohibited, so that it never passes for an ID token.
#[derive(Debug, Serialize)]
pub(crate) struct LogoutTokenClaims<'a> {
    pub iss: &'a str,
    pub sub: &'a str,
    pub aud: &'a ClientId,
    pub iat: Timestamp,
    pub exp: Timestamp,
    pub jti: TokenId,
    pub events: Events,
    pub sid: &'a SessionId,
}

/// RFC 8417 2.2: the one event, whose value is an empty object.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Events {
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    logout: Empty,
}

#[derive(Debug, Default, Serialize)]
struct Empty {}

/// What a client made of a logout token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// The same request would get the same answer.
    Refused,
    /// It may be better later.
    Failed,
}

/// Section 2.8: 200, or 204 where a framework makes that of an empty body, is success; 400 says that the request was
/// invalid or the logout failed. Whatever else comes is not the client's own word.
pub(crate) fn judge(status: u16) -> Answer {
    match status {
        200 | 204 => Answer::Done,
        400 => Answer::Refused,
        _ => Answer::Failed,
    }
}

/// Seconds to wait after this many failed attempts; none: it is given up.
pub(crate) fn pause_after(attempts: u32) -> Option<i64> {
    PAUSES.get(usize::try_from(attempts).ok()?.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::{Answer, judge, pause_after};

    #[test]
    fn only_200_and_204_are_success_and_only_400_is_final() {
        for status in 100..600 {
            let expected = match status {
                200 | 204 => Answer::Done,
                400 => Answer::Refused,
                _ => Answer::Failed,
            };
            assert_eq!(judge(status), expected, "{status}");
        }
    }

    #[test]
    fn the_pauses_grow_until_it_is_given_up() {
        let pauses: Vec<i64> = (1..).map_while(pause_after).collect();
        assert_eq!(pauses.len(), 7);
        assert!(pauses.is_sorted_by(|before, after| before < after));
        assert_eq!(pause_after(8), None);
    }
}
