//! Making keys, and replacing them without a gap: a new key is published before it signs, and the old one stays
//! published until the last token it signed has expired. Times decide, not a state, so replicas agree.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::KeyError;
use super::key_pair::KeyPair;
use crate::audit::{Actor, Audit, Event};
use crate::config::Settings;
use crate::crypto::master_key::MasterKey;
use crate::model::{Algorithm, KeyId, SigningKey, Timestamp};
use crate::protocol::registration::MAX_ACCESS_TOKEN_LIFETIME;
use crate::storage::Succession;

/// What a private key is sealed for.
pub const SEALING_PURPOSE: &str = "signing key";

/// How long keys overlap.
#[derive(Debug, Clone, Copy)]
pub struct RotationTimes {
    /// Seconds a new key is published before it signs: at least what others cache the JWK Set for.
    pub publish: i64,
    /// Seconds an old key stays published after it last signed: at least the longest lifetime of a token.
    pub retire: i64,
}

impl RotationTimes {
    pub fn of(settings: &Settings) -> Self {
        let tokens = &settings.tokens;
        Self {
            publish: settings.keys.publish_seconds,
            // How long a token can be around after its key stopped signing. A client may have a lifetime of its own.
            retire: MAX_ACCESS_TOKEN_LIFETIME.max(tokens.access_token_seconds).max(tokens.id_token_seconds),
        }
    }
}

/// Who makes and withdraws keys.
pub struct Keeper<'a> {
    pub audit: &'a Audit,
    pub actor: Actor,
}

impl Keeper<'_> {
    /// Adds a key; false when another process took its number first.
    async fn add(
        &self,
        key: &SigningKey,
        number: i64,
        retire_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, KeyError> {
        let made = Event::KeyMade { kid: &key.id, alg: key.algorithm };
        let noted = self.audit.noted(&self.actor, &[made], now);
        Ok(self.audit.storage().insert_signing_key(noted, key, number, retire_at).await?)
    }
}

/// Makes a key and seals it.
pub(super) fn make(
    master: &MasterKey,
    algorithm: Algorithm,
    now: Timestamp,
    active_from: Timestamp,
) -> Result<SigningKey, KeyError> {
    let pkcs8 = KeyPair::generate(algorithm)?;
    let pair = KeyPair::from_pkcs8(algorithm, &pkcs8)?;
    Ok(SigningKey {
        id: pair.id(),
        algorithm,
        sealed_private_key: master.seal(SEALING_PURPOSE, &pkcs8)?,
        public_key: pair.jwk().to_string(),
        created_at: now,
        active_from,
        expires_at: None,
    })
}

async fn make_off_thread(
    master: &Arc<MasterKey>,
    algorithm: Algorithm,
    now: Timestamp,
    active_from: Timestamp,
) -> Result<SigningKey, KeyError> {
    let master = Arc::clone(master);
    spawn_blocking(move || make(&master, algorithm, now, active_from)).await.map_err(|_| KeyError::Library)?
}

/// Makes the first key of every algorithm that has none. Of replicas that start together one makes it, all use it.
pub async fn ensure(keeper: &Keeper<'_>, algorithms: &[Algorithm], now: Timestamp) -> Result<(), KeyError> {
    for algorithm in algorithms {
        // The number is asked first: a key that another process adds after that has this very number, so either it is
        // seen here or the insert below is refused.
        let number = keeper.audit.storage().next_key_number(*algorithm).await?;
        let present = keeper.audit.storage().signing_keys(now).await?;
        if present.iter().any(|key| key.algorithm == *algorithm) {
            continue;
        }
        let key = make_off_thread(keeper.audit.master_key(), *algorithm, now, now).await?;
        keeper.add(&key, number, now, now).await?;
    }
    Ok(())
}

/// Rotates what has signed for `every` seconds when its successor comes. Of replicas that find this at once one makes the
/// successor.
pub async fn rotate_when_due(
    keeper: &Keeper<'_>,
    algorithms: &[Algorithm],
    now: Timestamp,
    (every, times): (i64, RotationTimes),
) -> Result<(), KeyError> {
    for algorithm in algorithms {
        // The number first, as above.
        let number = keeper.audit.storage().next_key_number(*algorithm).await?;
        let present = keeper.audit.storage().signing_keys(now).await?;
        let youngest = present.iter().rfind(|key| key.algorithm == *algorithm);
        let due = youngest.is_some_and(|key| key.active_from.plus(every - times.publish) <= now);
        if !due {
            continue;
        }
        let active_from = now.plus(times.publish);
        let key = make_off_thread(keeper.audit.master_key(), *algorithm, now, active_from).await?;
        if keeper.add(&key, number, active_from.plus(times.retire), now).await? {
            tracing::info!(kid = %key.id, %algorithm, active_from = active_from.unix(), "made the next signing key");
        }
    }
    Ok(())
}

/// Takes a key away at once: nothing that it signed counts any more, not as a hint either, and another key follows it. False
/// when there is no such key.
pub async fn withdraw(
    keeper: &Keeper<'_>,
    id: &KeyId,
    now: Timestamp,
    times: RotationTimes,
) -> Result<bool, KeyError> {
    let storage = keeper.audit.storage();
    let (published, retired) =
        (storage.signing_keys(now).await?, storage.retired_keys(now, Timestamp::from_unix(0)).await?);
    let published = published.iter().map(|key| (&key.id, key.algorithm));
    let mut all = published.chain(retired.iter().map(|key| (&key.id, key.algorithm)));
    let Some((_, algorithm)) = all.find(|(known, _)| *known == id) else { return Ok(false) };
    let successor = make_off_thread(keeper.audit.master_key(), algorithm, now, now).await?;
    // Where the key signs, another has to at once; one that only waits is followed as by a rotation.
    let waits = Succession { from: now.plus(times.publish), overlap: times.retire };
    let withdrawn = Event::KeyWithdrawn { kid: id };
    let noted = keeper.audit.noted(&keeper.actor, &[withdrawn], now);
    Ok(keeper.audit.storage().withdraw_signing_key(noted, id, &successor, waits).await?)
}

/// Adds a key that signs after `times.publish` seconds, and sets the end of the older ones.
pub async fn rotate(
    keeper: &Keeper<'_>,
    algorithm: Algorithm,
    now: Timestamp,
    times: RotationTimes,
) -> Result<SigningKey, KeyError> {
    let active_from = now.plus(times.publish);
    let number = keeper.audit.storage().next_key_number(algorithm).await?;
    let key = make_off_thread(keeper.audit.master_key(), algorithm, now, active_from).await?;
    if keeper.add(&key, number, active_from.plus(times.retire), now).await? {
        Ok(key)
    } else {
        Err(KeyError::Raced)
    }
}
