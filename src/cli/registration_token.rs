//! `chancery registration-token`: who may register clients themselves (RFC 7591 1.2). A token is shown once, when it is
//! made.

use serde_json::json;

use super::args::registration::{RegistrationTokenCommand, TokenCreate};
use super::open::Context;
use super::{Failure, output};
use crate::audit::Event;
use crate::config::Settings;
use crate::crypto::handle::{self, Purpose};
use crate::crypto::random;
use crate::model::{InitialAccessToken, text};
use crate::storage::Storage;

pub(super) async fn run(settings: Settings, command: RegistrationTokenCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    match command {
        RegistrationTokenCommand::Create(asked) => create(&context, asked).await?,
        RegistrationTokenCommand::List(output) => list(&context.storage, output.json).await?,
        RegistrationTokenCommand::Delete(asked) => delete(&context, &asked.id, asked.output.json).await?,
    }
    context.close().await
}

async fn create(context: &Context<'_>, asked: TokenCreate) -> Result<(), Failure> {
    let now = context.now;
    let unreadable = asked.name.len() > 200 || text::check_readable(&asked.name).is_err();
    let wrong = unreadable || asked.uses == 0 || asked.lifetime == 0;
    if wrong {
        let problem = "give a name of 1 to 200 bytes that can be read, and a number of uses and a lifetime that are not 0";
        return Err(Failure::refused(problem));
    }
    let token = InitialAccessToken {
        id: random::id(),
        name: asked.name,
        uses_left: Some(asked.uses).filter(|uses| *uses > 0),
        expires_at: Some(asked.lifetime).filter(|seconds| *seconds > 0).map(|seconds| now.plus(seconds)),
        created_at: now,
    };
    let (key, salt) = (context.audit()?.master_key(), random::id());
    let secret = handle::issue(key, Purpose::InitialAccessToken, &token.id, 0, &salt)
        .ok_or_else(|| Failure::refused("the token could not be made"))?;
    let created = Event::RegistrationTokenCreated { registration_token: &token.id };
    context.administration().noting(created)?.insert_registration_token(&token, &salt).await?;
    if asked.output.json {
        let mut document = serde_json::to_value(&token)?;
        document["token"] = json!(secret.expose());
        return output::json(&document);
    }
    output::record(&[
        ("id", token.id.clone()),
        ("token", secret.expose().to_owned()),
        ("name", token.name.clone()),
        ("uses", uses(&token)),
        ("expires", expires(&token)),
    ])?;
    Ok(output::line("The token is shown this once: give it to the application.")?)
}

async fn list(storage: &Storage, as_json: bool) -> Result<(), Failure> {
    let tokens = storage.registration_tokens().await?;
    if as_json {
        return output::json(&tokens);
    }
    if tokens.is_empty() {
        output::line("there is no token; make one with `chancery registration-token create --name NAME`")?;
        return Ok(());
    }
    let row = |token: &InitialAccessToken| {
        let (id, name) = (token.id.clone(), token.name.clone());
        vec![id, name, uses(token), expires(token), output::moment(token.created_at)]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    output::table(&["ID", "NAME", "USES LEFT", "EXPIRES", "CREATED"], &rows)?;
    Ok(())
}

async fn delete(context: &Context<'_>, id: &str, as_json: bool) -> Result<(), Failure> {
    let deleted = Event::RegistrationTokenDeleted { registration_token: id };
    if !context.administration().noting(deleted)?.delete_registration_token(id).await? {
        return Err(Failure::refused(format!(
            "there is no token {id}\n    `chancery registration-token list` shows them"
        )));
    }
    if as_json {
        return output::json(&json!({ "id": id, "deleted": true }));
    }
    Ok(output::line(&format!("deleted the token {id}; the clients that came with it stay"))?)
}

fn uses(token: &InitialAccessToken) -> String {
    token.uses_left.map_or_else(|| "any number".to_owned(), |uses| uses.to_string())
}

fn expires(token: &InitialAccessToken) -> String {
    token.expires_at.map_or_else(|| "never".to_owned(), output::moment)
}
