//! The data keys of this installation: made, opened with the master key, and replaced (docs/adr/0054).

use crate::audit::{Actor, Audit, ChainError, Ended, Event};
use crate::crypto::master_key::{MasterKey, MasterKeyError};
use crate::keys;
use crate::model::{DataKeyState, Noted, SealedDataKey, Secret, Timestamp, UserId};
use crate::registry::clients;
use crate::storage::{Ending, SealedClientSecrets, Storage, StorageError};

/// Why the data keys could not be opened or replaced.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("another process replaces the data keys at this moment; run it again")]
    Raced,
}

/// Opens the data keys. The first start makes the first one: of processes that start together one makes it, all use it.
pub async fn open(storage: &Storage, master: &MasterKey, now: Timestamp) -> Result<(), SecretsError> {
    let mut keys = storage.data_keys().await?;
    if keys.is_empty() {
        storage.insert_data_key(Noted::nothing(), &first(storage, master, now).await?).await?;
        keys = storage.data_keys().await?;
    }
    Ok(master.load(&keys, false)?)
}

/// Opens them again, because they changed.
pub async fn reload(storage: &Storage, master: &MasterKey) -> Result<(), SecretsError> {
    Ok(master.load(&storage.data_keys().await?, true)?)
}

/// The first data key: of random bits, or where there was none before, one that makes what was made then count.
async fn first(storage: &Storage, master: &MasterKey, now: Timestamp) -> Result<SealedDataKey, SecretsError> {
    if storage.is_unused().await? {
        return Ok(master.new_data_key(1, DataKeyState::Current, now)?);
    }
    let (signing, head) = (storage.sealed_signing_keys().await?, storage.audit_marks().await?.head);
    let opens = |master: &MasterKey| match signing.last() {
        Some(key) => master.open(keys::SEALING_PURPOSE, &key.sealed).is_ok(),
        None => crate::audit::is_head_set_by(master, &head),
    };
    Ok(master.adopted_data_key(now, opens)?.ok_or(MasterKeyError::WrongKey)?)
}

/// What a replacement changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Replaced {
    /// Data keys that were sealed again under the master key.
    pub data_keys: u64,
    /// Signing keys that were sealed again under the current data key.
    pub signing_keys: u64,
    /// Clients whose secrets were.
    pub clients: u64,
}

/// Replaces the keys of an installation. Every step can be done again, and does nothing then.
pub struct Replacement<'a> {
    pub storage: &'a Storage,
    pub master: &'a MasterKey,
    pub audit: &'a Audit,
    pub actor: Actor,
    pub now: Timestamp,
}

impl Replacement<'_> {
    /// Seals every data key under the first master key.
    pub async fn seal_data_keys(&self) -> Result<u64, SecretsError> {
        let mut written = 0;
        for key in self.storage.data_keys().await? {
            let Some(sealed) = self.master.reseal_data_key(&key, key.state)? else { continue };
            let under = Event::MasterKeyReplaced {
                data_key: key.number,
                from: &key.sealed_under,
                to: &sealed.sealed_under,
            };
            let noted = self.audit.noted(&self.actor, &[under], self.now);
            written += u64::from(self.storage.replace_data_key(noted, &key, &sealed).await?);
        }
        reload(self.storage, self.master).await?;
        Ok(written)
    }

    /// Makes the next data key, unless there is one that has not begun. Its number.
    pub async fn make_data_key(&self) -> Result<i64, SecretsError> {
        let keys = self.storage.data_keys().await?;
        let last = keys.last().ok_or(MasterKeyError::NoDataKey)?;
        if last.state == DataKeyState::Next {
            return Ok(last.number);
        }
        let number = last.number + 1;
        let key = self.master.new_data_key(number, DataKeyState::Next, self.now)?;
        let made = Event::DataKeyMade { data_key: number };
        let noted = self.audit.noted(&self.actor, &[made], self.now);
        if !self.storage.insert_data_key(noted, &key).await? {
            return Err(SecretsError::Raced);
        }
        Ok(number)
    }

    /// From now on everything is made with this data key.
    pub async fn begin_data_key(&self, number: i64) -> Result<(), SecretsError> {
        let begun = Event::DataKeyBegun { data_key: number };
        let noted = self.audit.noted(&self.actor, &[begun], self.now);
        self.storage.begin_data_key(noted, number).await?;
        reload(self.storage, self.master).await
    }

    /// Ends everything of every user who has anything, as the operator's `user sign-out --everything` does: what they have
    /// counts no more, and their applications are told. Who was ended already has nothing, so that it can be gone on with. How
    /// many there were.
    pub async fn end_users(&self) -> Result<u64, SecretsError> {
        let everything = self.storage.clone().ending(Ending::Everything);
        let (mut after, mut number) = (UserId::new(""), 0);
        loop {
            let batch = self.storage.users_with_access(&after).await?;
            let Some(last) = batch.last() else { return Ok(number) };
            for user in &batch {
                let ended = Event::UserSignedOut { user, ended: Ended::Everything };
                let noted = self.audit.noted(&self.actor, &[ended], self.now);
                everything.end_sessions(noted, user, self.now).await?;
                number += 1;
            }
            after = last.clone();
        }
    }

    /// Seals what is sealed under the current data key.
    pub async fn seal_the_rest(&self) -> Result<Replaced, SecretsError> {
        let mut replaced = Replaced::default();
        for key in self.storage.sealed_signing_keys().await? {
            let Some(sealed) = self.master.reseal(keys::SEALING_PURPOSE, &key.sealed)? else { continue };
            replaced.signing_keys += u64::from(self.storage.reseal_signing_key(&key, &sealed).await?);
        }
        let mut after = String::new();
        loop {
            let batch = self.storage.sealed_client_secrets(&after).await?;
            let Some(last) = batch.last() else { return Ok(replaced) };
            after = last.id.as_str().to_owned();
            let mut changed = Vec::with_capacity(batch.len());
            for from in batch {
                changed.extend(self.client_again(&from)?.map(|to| (from, to)));
            }
            if !changed.is_empty() {
                replaced.clients += self.storage.reseal_client_secrets(&changed).await?;
            }
        }
    }

    /// A client's secrets under the current data key. None: they are.
    fn client_again(
        &self,
        from: &SealedClientSecrets,
    ) -> Result<Option<SealedClientSecrets>, MasterKeyError> {
        let again = |sealed: &Secret| match sealed.expose() {
            "" => Ok(None),
            _ => clients::reseal_secret(self.master, &from.id, sealed),
        };
        let (current, retired) = (again(&from.current)?, again(&from.retired)?);
        let changed = current.is_some() || retired.is_some();
        Ok(changed.then(|| SealedClientSecrets {
            id: from.id.clone(),
            current: current.unwrap_or_else(|| from.current.clone()),
            retired: retired.unwrap_or_else(|| from.retired.clone()),
        }))
    }

    /// Lets nothing count any more that was made with an earlier data key. The numbers of those that ended.
    pub async fn end_earlier(&self) -> Result<Vec<i64>, SecretsError> {
        // What waits is chained while it counts, and both ends of the log are marked with the current data key.
        self.audit.chain_waiting(self.now).await?;
        self.audit.mark_again().await?;
        let mut ended = Vec::new();
        for key in self.storage.data_keys().await? {
            if key.state != DataKeyState::Earlier {
                continue;
            }
            let Some(sealed) = self.master.reseal_data_key(&key, DataKeyState::Ended)? else { continue };
            let told = Event::DataKeyEnded { data_key: key.number };
            let noted = self.audit.noted(&self.actor, &[told], self.now);
            if !self.storage.replace_data_key(noted, &key, &sealed).await? {
                return Err(SecretsError::Raced);
            }
            ended.push(key.number);
        }
        reload(self.storage, self.master).await?;
        Ok(ended)
    }
}
