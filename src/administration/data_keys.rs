//! Replacing the master key, and the data keys that it seals.

use std::time::Duration;

use super::{Administration, Failed};
use crate::model::{DataKeyState, SealedDataKey};
use crate::secrets::{Replaced, Replacement, SecretsError};

/// Within which what was begun is done.
const SETTLE: Duration = Duration::from_secs(5);

/// What is to be replaced beside the master key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretsReplacement {
    /// The data key too.
    pub data_key: bool,
    /// The data key too, and nothing counts any more that was made with one before.
    pub everything: bool,
    /// Between the moment when a new data key is there and its first use: every server has to notice it first.
    pub wait: Duration,
}

/// What was replaced.
#[derive(Debug)]
pub(crate) struct SecretsReplaced {
    /// The id of the one that everything is sealed under now.
    pub master_key: String,
    pub replaced: Replaced,
    /// Data keys that count no more.
    pub ended: Vec<i64>,
    /// Users of whom everything was ended.
    pub users_ended: u64,
    /// Data keys that count and that a previous master key gives away, with its id.
    pub derived: Vec<(i64, String)>,
}

impl Administration<'_> {
    /// Can be done again after it was stopped.
    pub(crate) async fn replace_secrets(&self, asked: SecretsReplacement) -> Result<SecretsReplaced, Failed> {
        let audit = self.services.audit()?;
        let (storage, master, actor) = (self.storage, &**audit.master_key(), self.actor.clone());
        let replacement = Replacement { storage, master, audit, actor, now: self.now() };
        Ok(steps(&replacement, asked).await?)
    }
}

/// Whatever was begun before is ended too.
async fn steps(
    replacement: &Replacement<'_>,
    asked: SecretsReplacement,
) -> Result<SecretsReplaced, SecretsError> {
    let data_keys = replacement.seal_data_keys().await?;
    let begun = replacement.storage.data_keys().await?.iter().any(|key| key.state == DataKeyState::Next);
    let is_new = asked.data_key || asked.everything;
    if begun || is_new {
        let number = replacement.make_data_key().await?;
        tokio::time::sleep(asked.wait).await;
        replacement.begin_data_key(number).await?;
    }
    let mut replaced = replacement.seal_the_rest().await?;
    let (mut ended, mut users_ended) = (Vec::new(), 0);
    if asked.everything {
        // What was begun with the data key before has to be written, and its entries chained.
        tokio::time::sleep(asked.wait.min(SETTLE)).await;
        let late = replacement.seal_the_rest().await?;
        ended = replacement.end_earlier().await?;
        // What users have was made with what counts no more: their applications hear of it, and nothing is left in between.
        users_ended = replacement.end_users().await?;
        replaced.signing_keys += late.signing_keys;
        replaced.clients += late.clients;
    }
    let derived = derived(replacement).await?;
    let master_key = replacement.master.id().to_owned();
    let replaced = Replaced { data_keys, ..replaced };
    Ok(SecretsReplaced { master_key, replaced, ended, users_ended, derived })
}

async fn derived(replacement: &Replacement<'_>) -> Result<Vec<(i64, String)>, SecretsError> {
    let keys = replacement.storage.data_keys().await?;
    let counting = keys.iter().filter(|key| key.state != DataKeyState::Ended);
    let from = |key: &SealedDataKey| {
        let from = replacement.master.derived_from(key).filter(|id| *id != replacement.master.id())?;
        Some((key.number, from.to_owned()))
    };
    Ok(counting.filter_map(from).collect())
}
