//! The device authorization grant (RFC 8628): user codes, and what a poll is answered.

use super::error::{ErrorCode, OAuthError};
use crate::model::{Client, DeviceAuthorization, DeviceState, Timestamp};

/// Seconds between two polls (RFC 8628 3.2).
pub const INTERVAL: i64 = 5;
/// Seconds by which the interval grows when a device is too quick (RFC 8628 3.5).
const SLOW_DOWN: i64 = 5;

/// RFC 8628 6.1: letters without vowels, so that no word comes up, and none that looks like another.
pub const ALPHABET: [u8; 20] = *b"BCDFGHJKLMNPQRSTVWXZ";
/// 34.5 bits. RFC 8628 5.1: enough for the lifetime of a code and the number of attempts.
pub const LENGTH: usize = 8;
/// Bytes of a typed code that are looked at.
const LONGEST_TYPED: usize = 64;

/// A user code in the one form that is compared: eight letters of [`ALPHABET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// What a person typed. RFC 8628 6.1: case and punctuation do not matter.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > LONGEST_TYPED {
            return None;
        }
        let ignored =
            |c: &char| !c.is_whitespace() && !c.is_ascii_punctuation() && !matches!(c, '–' | '—' | '‐' | '‑');
        let letters: String = typed.chars().filter(ignored).map(|c| c.to_ascii_uppercase()).collect();
        let valid = letters.len() == LENGTH && letters.bytes().all(|letter| ALPHABET.contains(&letter));
        valid.then_some(Self(letters))
    }

    /// The letters alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a device shows it and a person compares it: `WDJB-MJHT`.
    pub fn displayed(&self) -> String {
        let (first, second) = self.0.split_at(LENGTH / 2);
        format!("{first}-{second}")
    }
}

/// What to do with a poll.
#[derive(Debug)]
pub enum Verdict {
    /// It is approved: give the tokens, once.
    Claim,
    /// Not yet. Note the poll with this interval from now on.
    Wait { error: OAuthError, interval: i64 },
    /// Refuse, and leave everything as it is.
    Refuse(OAuthError),
}

/// Judges a poll of an authenticated client with a genuine device code (RFC 8628 3.5).
pub fn judge(device: &DeviceAuthorization, client: &Client, now: Timestamp) -> Verdict {
    // RFC 8628 3.4: the code was issued to one client. Another one cannot use it up.
    if device.client_id != client.id {
        return Verdict::Refuse(OAuthError::invalid_grant("The device code was issued to another client."));
    }
    let refuse = |code, description: &'static str| Verdict::Refuse(OAuthError::new(code, description));
    match &device.state {
        DeviceState::Consumed { .. } => Verdict::Refuse(used()),
        DeviceState::Denied { .. } => refuse(ErrorCode::AccessDenied, "The user did not give consent."),
        DeviceState::Pending { .. } | DeviceState::Approved { .. } if device.expires_at <= now => refuse(
            ErrorCode::ExpiredToken,
            "The device code has expired. Start again at the device authorization endpoint.",
        ),
        DeviceState::Approved { .. } => Verdict::Claim,
        DeviceState::Pending { last_polled_at } => wait(device.interval, *last_polled_at, now),
    }
}

/// The answer to every use of a device code after the one that got the tokens.
pub fn used() -> OAuthError {
    OAuthError::invalid_grant("The device code was used before.")
}

/// The answer when what was approved has been taken back before the device came for it.
pub fn taken_back() -> OAuthError {
    OAuthError::new(ErrorCode::AccessDenied, "The user has taken the access back.")
}

fn wait(interval: i64, last_polled_at: Option<Timestamp>, now: Timestamp) -> Verdict {
    let too_quick = last_polled_at.is_some_and(|last| now.since(last) < interval);
    if too_quick {
        // RFC 8628 3.5: for this and all subsequent requests.
        let interval = interval + SLOW_DOWN;
        let description = format!("The device polls too often: wait {interval} seconds between two polls.");
        return Verdict::Wait { error: OAuthError::new(ErrorCode::SlowDown, description), interval };
    }
    let description = "The user has not decided yet. Poll again after the interval.";
    let error = OAuthError::new(ErrorCode::AuthorizationPending, description);
    Verdict::Wait { error, interval }
}

#[cfg(test)]
mod tests {
    use super::{ALPHABET, UserCode, Verdict, judge};
    use crate::model::{
        Client, ClientId, DeviceAuthorization, DeviceAuthorizationId, DeviceState, NetworkAddress, Timestamp,
        UserId,
    };

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn client(id: &str) -> Client {
        let metadata = serde_json::json!({
            "client_id": id, "client_name": "App", "grant_types": [], "scope": "openid",
            "token_endpoint_auth_method": "none", "client_id_issued_at": 0,
        });
        crate::model::strict(metadata)
    }

    fn device(state: DeviceState) -> DeviceAuthorization {
        DeviceAuthorization {
            id: DeviceAuthorizationId::new("d"),
            salt: String::new(),
            client_id: ClientId::new("app"),
            scope: "openid".parse().unwrap(),
            resources: Vec::new(),
            state,
            interval: 5,
            address: NetworkAddress::UNKNOWN,
            user_agent: String::new(),
            created_at: NOW.plus(-60),
            expires_at: NOW.plus(60),
        }
    }

    fn outcome(device: &DeviceAuthorization, client_id: &str, now: Timestamp) -> String {
        match judge(device, &client(client_id), now) {
            Verdict::Claim => "claim".into(),
            Verdict::Wait { error, interval } => format!("{} {interval}", error.code.as_str()),
            Verdict::Refuse(error) => error.code.as_str().into(),
        }
    }

    #[test]
    fn a_user_code_is_forgiving_to_type() {
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "W D J B - M J H T", "wdjb–mjht", "wdjb.mjht"]
        {
            assert_eq!(UserCode::parse(typed).unwrap().displayed(), "WDJB-MJHT", "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_a_user_code_is_none() {
        let long = "B".repeat(9);
        for typed in ["", "WDJB-MJH", &long, "ADJB-MJHT", "WDJB-MJH1", "ẂDJB-MJHT", &"-".repeat(100)] {
            assert!(UserCode::parse(typed).is_none(), "{typed}");
        }
    }

    #[test]
    fn the_alphabet_has_no_vowel_and_no_letter_twice() {
        let mut sorted = ALPHABET;
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(!ALPHABET.iter().any(|letter| b"AEIOUY".contains(letter)));
    }

    fn pending(polled_ago: Option<i64>) -> DeviceState {
        DeviceState::Pending { last_polled_at: polled_ago.map(|seconds| NOW.plus(-seconds)) }
    }

    /// The states after somebody has decided: approved, denied, consumed.
    fn decided() -> [DeviceState; 3] {
        let user_id = UserId::new("ada");
        [
            DeviceState::Approved { user_id: user_id.clone() },
            DeviceState::Denied { user_id: user_id.clone() },
            DeviceState::Consumed { user_id },
        ]
    }

    #[test]
    fn a_poll_is_answered_by_state_time_and_pace() {
        let [approved, denied, consumed] = decided();
        for (state, expected) in [
            (pending(None), "authorization_pending 5"),
            (pending(Some(5)), "authorization_pending 5"),
            (pending(Some(4)), "slow_down 10"),
            (approved, "claim"),
            (denied, "access_denied"),
            (consumed, "invalid_grant"),
        ] {
            let device = device(state);
            assert_eq!(outcome(&device, "app", NOW), expected, "{device:?}");
            assert_eq!(outcome(&device, "other", NOW), "invalid_grant");
        }
    }

    #[test]
    fn what_nobody_decided_or_fetched_in_time_has_expired() {
        let late = NOW.plus(60);
        let [approved, denied, consumed] = decided();
        for (state, expected) in [
            (pending(None), "expired_token"),
            (approved, "expired_token"),
            (denied, "access_denied"),
            (consumed, "invalid_grant"),
        ] {
            assert_eq!(outcome(&device(state), "app", late), expected);
        }
    }
}
