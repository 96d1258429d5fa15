//! Signing keys: which sign or did, and replacing them.

use super::{Administration, Failed, NotDone, Outcome};
use crate::keys::{self, Keeper, KeyRing, RotationTimes};
use crate::model::{Algorithm, KeyId, RetiredKey, SigningKey, Timestamp};

/// Why keys are not replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyRefusal {
    #[error("{0} is not in keys.algorithms")]
    NotConfigured(Algorithm),
    #[error("there is no key {0}")]
    Unknown(KeyId),
}

/// What was made, and what kept the server from making the rest, if anything did.
#[derive(Debug)]
pub(crate) struct Rotated {
    pub made: Vec<SigningKey>,
    pub rest: Result<(), Failed>,
}

/// A key as it is listed.
#[derive(Debug)]
pub(crate) struct ListedKey {
    pub id: KeyId,
    pub algorithm: Algorithm,
    pub state: KeyState,
    pub created_at: Timestamp,
    pub active_from: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl ListedKey {
    fn published((key, state): (SigningKey, KeyState)) -> Self {
        let SigningKey { id, algorithm, created_at, active_from, expires_at, .. } = key;
        Self { id, algorithm, state, created_at, active_from, expires_at }
    }

    fn retired(key: RetiredKey) -> Self {
        let RetiredKey { id, algorithm, created_at, active_from, expires_at, .. } = key;
        let expires_at = Some(expires_at);
        Self { id, algorithm, state: KeyState::Retired, created_at, active_from, expires_at }
    }
}

impl Administration<'_> {
    /// The oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<ListedKey>, Failed> {
        let now = self.now();
        let retired = self.storage.retired_keys(now, now.plus(-self.settings.keys.hint_seconds)).await?;
        let keys = self.storage.signing_keys(now).await?;
        let states = states(&keys, now);
        let published = keys.into_iter().zip(states).map(ListedKey::published);
        Ok(retired.into_iter().map(ListedKey::retired).chain(published).collect())
    }

    /// Makes a key of this algorithm, or of each; `at_once` they sign before others can have seen them.
    pub(crate) async fn rotate_keys(
        &self,
        asked: Option<Algorithm>,
        at_once: bool,
    ) -> Outcome<Rotated, KeyRefusal> {
        let configured = &self.settings.keys.algorithms;
        let algorithms: Vec<Algorithm> = match asked {
            Some(algorithm) if !configured.contains(&algorithm) => {
                return Err(NotDone::Refused(KeyRefusal::NotConfigured(algorithm)));
            }
            Some(algorithm) => vec![algorithm],
            None => configured.clone(),
        };
        let (keeper, now) = (self.keeper().await?, self.now());
        keys::ensure(&keeper, configured, now).await?;
        let times = RotationTimes::of(self.settings);
        let times = RotationTimes { publish: if at_once { 0 } else { times.publish }, ..times };
        let mut made = Vec::new();
        for algorithm in algorithms {
            match keys::rotate(&keeper, algorithm, now, times).await {
                Ok(key) => made.push(key),
                Err(error) => return Ok(Rotated { made, rest: Err(error.into()) }),
            }
        }
        Ok(Rotated { made, rest: Ok(()) })
    }

    /// Takes a leaked key away at once: every token it signed is worthless from then on.
    pub(crate) async fn withdraw_key(&self, id: &KeyId) -> Outcome<(), KeyRefusal> {
        let keeper = self.keeper().await?;
        match keys::withdraw(&keeper, id, self.now(), RotationTimes::of(self.settings)).await? {
            true => Ok(()),
            false => Err(NotDone::Refused(KeyRefusal::Unknown(id.clone()))),
        }
    }

    /// A key sealed under another master key would keep every server from loading any of them.
    async fn keeper(&self) -> Result<Keeper<'_>, Failed> {
        let keeper = Keeper { audit: self.services.audit()?, actor: self.actor.clone() };
        KeyRing::open(keeper.audit.master_key(), &self.storage.signing_keys(self.now()).await?)?;
        Ok(keeper)
    }
}

/// What a key is for at a moment. Nothing stores it: the times decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// Published, and does not sign yet.
    Next,
    /// Signs.
    Current,
    /// Published for the tokens it signed.
    Retiring,
    /// Not published any more: an ID token that it signed is a hint, and nothing else.
    Retired,
}

impl KeyState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }
}

/// The states of `keys`, which are the oldest first. As the key ring chooses: the youngest whose time has come signs,
/// and before any has, the first.
fn states(keys: &[SigningKey], now: Timestamp) -> Vec<KeyState> {
    let state = |(index, key): (usize, &SigningKey)| {
        let same = |other: &&SigningKey| other.algorithm == key.algorithm;
        let older = keys[..index].iter().any(|other| same(&other));
        let replaced = keys[index + 1..].iter().any(|other| same(&other) && other.active_from <= now);
        match (key.active_from <= now || !older, replaced) {
            (_, true) => KeyState::Retiring,
            (true, false) => KeyState::Current,
            (false, false) => KeyState::Next,
        }
    };
    keys.iter().enumerate().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyId, Secret};

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn key(algorithm: Algorithm, active_from: i64) -> SigningKey {
        SigningKey {
            id: KeyId::new("k"),
            algorithm,
            sealed_private_key: Secret::new(""),
            public_key: String::new(),
            created_at: NOW,
            active_from: NOW.plus(active_from),
            expires_at: None,
        }
    }

    #[test]
    fn the_youngest_key_whose_time_has_come_is_current() {
        let es = |from| key(Algorithm::ES256, from);
        let keys = [es(-20), key(Algorithm::RS256, -15), es(-10), es(10)];
        assert_eq!(
            states(&keys, NOW),
            [KeyState::Retiring, KeyState::Current, KeyState::Current, KeyState::Next]
        );
        assert_eq!(states(&[es(10), es(20)], NOW), [KeyState::Current, KeyState::Next]);
    }
}
