//! `chancery secrets`: replacing the master key, and the keys that it seals.

use std::time::Duration;

use serde_json::json;

use super::args::Output;
use super::args::secrets::{SecretsCommand, SecretsRotate};
use super::open::Context;
use super::{Failure, output};
use crate::administration::SecretsReplacement;
use crate::config::Settings;
use crate::model::SealedDataKey;
use crate::secrets::Replaced;

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
    let SecretsRotate { data_key, everything, wait, .. } = *asked;
    let replacement = SecretsReplacement { data_key, everything, wait: Duration::from_secs(wait) };
    let done = context.administration().replace_secrets(replacement).await?;
    if asked.output.json {
        let derived: Vec<i64> = done.derived.iter().map(|(number, _)| *number).collect();
        return output::json(&json!({
            "master_key": done.master_key,
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
    output::line(&format!("everything is sealed under the master key {}", done.master_key))?;
    for (number, from) in &done.derived {
        output::line(&format!(
            "data key {number} is derived from the master key {from}, so whoever has that knows it: if it leaked, end it with \
             --everything"
        ))?;
    }
    Ok(())
}
