//! `chancery secrets`: replacing the master key, and the keys that it seals.

use std::time::Duration;

use serde_json::json;

use super::args::Output;
use super::args::secrets::{SecretsCommand, SecretsRotate};
use super::open::Context;
use super::{Failure, open, output};
use crate::boot::StartError;
use crate::config::Settings;
use crate::model::{DataKeyState, SealedDataKey};
use crate::secrets::{Replaced, Replacement, SecretsError};

pub(super) async fn run(settings: Settings, command: SecretsCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    match command {
        SecretsCommand::List(asked) => list(&context, asked).await?,
        SecretsCommand::Rotate(asked) => rotate(&context, &asked).await?,
    }
    context.close().await
}

/// It needs the master keys for their ids only, and opens nothing: they need not fit.
async fn list(context: &Context<'_>, asked: Output) -> Result<(), Failure> {
    let master = crate::boot::load_master_key(context.settings)?;
    let keys = context.storage.data_keys().await?;
    let under = |id: &str| keys.iter().any(|key| key.sealed_under == id);
    let previous: Vec<_> = master.previous_ids().map(|id| (id, under(id))).collect();
    if asked.json {
        let key = |key: &SealedDataKey| {
            json!({
                "data_key": key.number,
                "state": key.state.as_str(),
                "sealed_under": key.sealed_under,
                "created_at": key.created_at,
            })
        };
        return output::json(&json!({
            "master_key": master.id(),
            "previous_master_keys": previous.iter().map(|(id, needed)| json!({"id": id, "needed": needed}))
                .collect::<Vec<_>>(),
            "data_keys": keys.iter().map(key).collect::<Vec<_>>(),
        }));
    }
    output::line(&format!("the master key has the id {}", master.id()))?;
    for (id, needed) in previous {
        let what = if needed { "still needed" } else { "needed by nothing: take it out of the settings" };
        output::line(&format!("the previous master key {id} is {what}"))?;
    }
    let row = |key: &SealedDataKey| {
        let number = key.number.to_string();
        vec![number, key.state.as_str().to_owned(), key.sealed_under.clone(), output::moment(key.created_at)]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    Ok(output::table(&["DATA KEY", "STATE", "SEALED UNDER", "MADE"], &rows)?)
}

async fn rotate(context: &Context<'_>, asked: &SecretsRotate) -> Result<(), Failure> {
    let audit = context.audit()?;
    let (storage, master) = (&context.storage, &**audit.master_key());
    let replacement = Replacement { storage, master, audit, actor: open::operator(), now: context.now };
    let done = steps(&replacement, asked).await.map_err(StartError::from)?;
    if asked.output.json {
        let derived: Vec<i64> = done.derived.iter().map(|(number, _)| *number).collect();
        return output::json(&json!({
            "master_key": master.id(),
            "sealed_again": done.replaced,
            "ended": done.ended,
            "users_ended": done.users_ended,
            "derived_from_a_previous_master_key": derived,
        }));
    }
    let Replaced { data_keys, signing_keys, clients } = done.replaced;
    output::line(&format!(
        "sealed again: {data_keys} data keys, {signing_keys} signing keys, the secrets of {clients} clients"
    ))?;
    for number in &done.ended {
        output::line(&format!("what was made with data key {number} does not count any more"))?;
    }
    if done.users_ended > 0 {
        output::line(&format!(
            "ended every session and all access of applications of {} users; their applications are told",
            done.users_ended
        ))?;
    }
    output::line(&format!("everything is sealed under the master key {}", master.id()))?;
    for (number, from) in &done.derived {
        output::line(&format!(
            "data key {number} is derived from the master key {from}, so whoever has that knows it: if it leaked, end it with \
             --everything"
        ))?;
    }
    Ok(())
}

struct Done {
    replaced: Replaced,
    ended: Vec<i64>,
    /// Users of whom everything was ended.
    users_ended: u64,
    /// Data keys that count and that a previous master key gives away, with its id.
    derived: Vec<(i64, String)>,
}

/// Whatever was begun before is ended too.
async fn steps(replacement: &Replacement<'_>, asked: &SecretsRotate) -> Result<Done, SecretsError> {
    let data_keys = replacement.seal_data_keys().await?;
    let begun = replacement.storage.data_keys().await?.iter().any(|key| key.state == DataKeyState::Next);
    let is_new = asked.data_key || asked.everything;
    if begun || is_new {
        let number = replacement.make_data_key().await?;
        tokio::time::sleep(Duration::from_secs(asked.wait)).await;
        replacement.begin_data_key(number).await?;
    }
    let mut replaced = replacement.seal_the_rest().await?;
    let (mut ended, mut users_ended) = (Vec::new(), 0);
    if asked.everything {
        // What was begun with the data key before has to be written, and its entries chained.
        tokio::time::sleep(Duration::from_secs(asked.wait.min(SETTLE))).await;
        let late = replacement.seal_the_rest().await?;
        ended = replacement.end_earlier().await?;
        // What users have was made with what counts no more: their applications hear of it, and nothing is left in between.
        users_ended = replacement.end_users().await?;
        replaced.signing_keys += late.signing_keys;
        replaced.clients += late.clients;
    }
    let derived = derived(replacement).await?;
    Ok(Done { replaced: Replaced { data_keys, ..replaced }, ended, users_ended, derived })
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

/// Seconds within which what was begun is done.
const SETTLE: u64 = 5;
