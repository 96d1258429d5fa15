//! `chancery keys`: which keys sign or did, and replacing them.

use serde_json::{Value, json};

use super::args::keys::{KeysCommand, KeysRotate, KeysWithdraw};
use super::open::Context;
use super::{Failure, open, output};
use crate::boot;
use crate::config::Settings;
use crate::keys::{self, Keeper, KeyRing, RotationTimes};
use crate::model::{Algorithm, KeyId, RetiredKey, SigningKey, Timestamp};
use crate::storage::Storage;

pub(super) async fn run(settings: Settings, command: KeysCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    match command {
        KeysCommand::List(output) => list(&settings, &context.storage, context.now, output.json).await?,
        KeysCommand::Rotate(rotate) => self::rotate(&context, rotate).await?,
        KeysCommand::Withdraw(withdraw) => self::withdraw(&context, withdraw).await?,
    }
    context.close().await
}

/// What a key is for at a moment. Nothing stores it: the times decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Published, and does not sign yet.
    Next,
    /// Signs.
    Current,
    /// Published for the tokens it signed.
    Retiring,
    /// Not published any more: an ID token that it signed is a hint, and nothing else.
    Retired,
}

impl State {
    fn as_str(self) -> &'static str {
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
fn states(keys: &[SigningKey], now: Timestamp) -> Vec<State> {
    let state = |(index, key): (usize, &SigningKey)| {
        let same = |other: &&SigningKey| other.algorithm == key.algorithm;
        let older = keys[..index].iter().any(|other| same(&other));
        let replaced = keys[index + 1..].iter().any(|other| same(&other) && other.active_from <= now);
        match (key.active_from <= now || !older, replaced) {
            (_, true) => State::Retiring,
            (true, false) => State::Current,
            (false, false) => State::Next,
        }
    };
    keys.iter().enumerate().map(state).collect()
}

/// One line of the list.
struct Listed<'k> {
    id: &'k KeyId,
    algorithm: Algorithm,
    state: State,
    created_at: Timestamp,
    active_from: Timestamp,
    expires_at: Option<Timestamp>,
}

impl<'k> Listed<'k> {
    fn published((key, state): (&'k SigningKey, State)) -> Self {
        let SigningKey { id, algorithm, created_at, active_from, expires_at, .. } = key;
        let (algorithm, created_at) = (*algorithm, *created_at);
        Self { id, algorithm, state, created_at, active_from: *active_from, expires_at: *expires_at }
    }

    fn retired(key: &'k RetiredKey) -> Self {
        Self {
            id: &key.id,
            algorithm: key.algorithm,
            state: State::Retired,
            created_at: key.created_at,
            active_from: key.active_from,
            expires_at: Some(key.expires_at),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.algorithm.to_string(),
            self.state.as_str().to_owned(),
            output::moment(self.active_from),
            self.expires_at.map_or_else(|| "-".to_owned(), output::moment),
        ]
    }

    fn document(&self) -> Value {
        json!({
            "kid": self.id,
            "alg": self.algorithm,
            "state": self.state.as_str(),
            "created_at": self.created_at,
            "active_from": self.active_from,
            "expires_at": self.expires_at,
        })
    }
}

async fn list(settings: &Settings, storage: &Storage, now: Timestamp, as_json: bool) -> Result<(), Failure> {
    let retired = storage.retired_keys(now, now.plus(-settings.keys.hint_seconds)).await?;
    let keys = storage.signing_keys(now).await?;
    let published = keys.iter().zip(states(&keys, now)).map(Listed::published);
    let all: Vec<Listed> = retired.iter().map(Listed::retired).chain(published).collect();
    if as_json {
        return output::json(&all.iter().map(Listed::document).collect::<Vec<_>>());
    }
    if all.is_empty() {
        output::line("there is no key yet; the server makes its keys when it starts")?;
        return Ok(());
    }
    let rows: Vec<_> = all.iter().map(Listed::row).collect();
    output::table(&["KID", "ALG", "STATE", "SIGNS FROM", "PUBLISHED UNTIL"], &rows)?;
    Ok(())
}

async fn rotate(context: &Context<'_>, asked: KeysRotate) -> Result<(), Failure> {
    let Context { settings, storage, now, .. } = context;
    let now = *now;
    let configured = &settings.keys.algorithms;
    let algorithms: Vec<Algorithm> = match asked.alg {
        Some(algorithm) if !configured.contains(&algorithm) => {
            return Err(Failure::refused(format!(
                "{algorithm} is not in keys.algorithms\n    add it there first: the server then makes its first key"
            )));
        }
        Some(algorithm) => vec![algorithm],
        None => configured.clone(),
    };
    let keeper = Keeper { audit: context.audit()?, actor: open::operator() };
    // A key sealed under another master key would keep every server from loading any of them.
    KeyRing::open(keeper.audit.master_key(), &storage.signing_keys(now).await?)?;
    keys::ensure(&keeper, configured, now).await?;
    let times = boot::rotation_times(settings);
    let times = RotationTimes { publish: if asked.now { 0 } else { times.publish }, ..times };
    for algorithm in algorithms {
        let key = keys::rotate(&keeper, algorithm, now, times).await?;
        if !asked.output.json {
            let from = output::moment(key.active_from);
            output::line(&format!("made {algorithm} key {}, which signs from {from}", key.id))?;
        }
    }
    if asked.output.json { list(settings, storage, now, true).await } else { Ok(()) }
}

async fn withdraw(context: &Context<'_>, asked: KeysWithdraw) -> Result<(), Failure> {
    let Context { settings, storage, now, .. } = context;
    let now = *now;
    let keeper = Keeper { audit: context.audit()?, actor: open::operator() };
    KeyRing::open(keeper.audit.master_key(), &storage.signing_keys(now).await?)?;
    let kid = KeyId::new(asked.kid);
    if !keys::withdraw(&keeper, &kid, now, boot::rotation_times(settings)).await? {
        return Err(Failure::refused(format!("there is no key {kid}\n    `chancery keys list` names them")));
    }
    if asked.output.json {
        return list(settings, storage, now, true).await;
    }
    output::line(&format!("withdrew key {kid}; what it signed is worthless now"))?;
    list(settings, storage, now, false).await
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
        assert_eq!(states(&keys, NOW), [State::Retiring, State::Current, State::Current, State::Next]);
        assert_eq!(states(&[es(10), es(20)], NOW), [State::Current, State::Next]);
    }
}
