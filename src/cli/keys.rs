//! `chancery keys`: which keys sign or did, and replacing them.

use serde_json::{Value, json};

use super::args::keys::{KeysCommand, KeysRotate, KeysWithdraw};
use super::open::Context;
use super::{Failure, output};
use crate::administration::keys::{KeyRefusal, ListedKey, Rotated};
use crate::administration::{Administration, NotDone};
use crate::config::Settings;
use crate::model::KeyId;

pub(super) async fn run(settings: Settings, command: KeysCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let administration = context.administration();
    match command {
        KeysCommand::List(output) => list(&administration, output.json).await?,
        KeysCommand::Rotate(asked) => rotate(&administration, asked).await?,
        KeysCommand::Withdraw(asked) => withdraw(&administration, asked).await?,
    }
    context.close().await
}

async fn list(administration: &Administration<'_>, as_json: bool) -> Result<(), Failure> {
    let keys = administration.keys().await?;
    if as_json {
        return output::json(&keys.iter().map(document).collect::<Vec<_>>());
    }
    if keys.is_empty() {
        output::line("there is no key yet; the server makes its keys when it starts")?;
        return Ok(());
    }
    let rows: Vec<_> = keys.iter().map(row).collect();
    output::table(&["KID", "ALG", "STATE", "SIGNS FROM", "PUBLISHED UNTIL"], &rows)?;
    Ok(())
}

fn row(key: &ListedKey) -> Vec<String> {
    vec![
        key.id.to_string(),
        key.algorithm.to_string(),
        key.state.as_str().to_owned(),
        output::moment(key.active_from),
        key.expires_at.map_or_else(|| "-".to_owned(), output::moment),
    ]
}

fn document(key: &ListedKey) -> Value {
    json!({
        "kid": key.id,
        "alg": key.algorithm,
        "state": key.state.as_str(),
        "created_at": key.created_at,
        "active_from": key.active_from,
        "expires_at": key.expires_at,
    })
}

async fn rotate(administration: &Administration<'_>, asked: KeysRotate) -> Result<(), Failure> {
    let Rotated { made, rest } = administration.rotate_keys(asked.alg, asked.now).await.map_err(told)?;
    if !asked.output.json {
        for key in made {
            let (algorithm, id, from) = (key.algorithm, key.id, output::moment(key.active_from));
            output::line(&format!("made {algorithm} key {id}, which signs from {from}"))?;
        }
    }
    rest?;
    if asked.output.json { list(administration, true).await } else { Ok(()) }
}

async fn withdraw(administration: &Administration<'_>, asked: KeysWithdraw) -> Result<(), Failure> {
    let kid = KeyId::new(asked.kid);
    administration.withdraw_key(&kid).await.map_err(told)?;
    if !asked.output.json {
        output::line(&format!("withdrew key {kid}; what it signed is worthless now"))?;
    }
    list(administration, asked.output.json).await
}

/// What was refused, and what to do about it.
fn told(not_done: NotDone<KeyRefusal>) -> Failure {
    Failure::not_done(not_done, |refusal| {
        let hint = match &refusal {
            KeyRefusal::NotConfigured(_) => "add it there first: the server then makes its first key",
            KeyRefusal::Unknown(_) => "`chancery keys list` names them",
        };
        Failure::refused(format!("{refusal}\n    {hint}"))
    })
}
