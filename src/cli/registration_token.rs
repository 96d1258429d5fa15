//! `chancery registration-token`: who may register clients themselves (RFC 7591 1.2). A token is shown once, when it is
//! made.

use serde_json::json;

use super::args::registration::{RegistrationTokenCommand, TokenCreate};
use super::open::Context;
use super::{Failure, output};
use crate::administration::{Administration, IssuedToken, NewToken, NotDone, Refusal};
use crate::config::Settings;
use crate::model::InitialAccessToken;
use crate::storage::Storage;

pub(super) async fn run(settings: Settings, command: RegistrationTokenCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let administration = context.administration();
    match command {
        RegistrationTokenCommand::Create(asked) => create(&administration, asked).await?,
        RegistrationTokenCommand::List(output) => list(&context.storage, output.json).await?,
        RegistrationTokenCommand::Delete(asked) => {
            delete(&administration, &asked.id, asked.output.json).await?;
        }
    }
    context.close().await
}

async fn create(administration: &Administration<'_>, asked: TokenCreate) -> Result<(), Failure> {
    // -1 stands for no end.
    let limit = |number| Some(number).filter(|number| *number != -1);
    let new = NewToken { name: asked.name, uses: limit(asked.uses), lifetime: limit(asked.lifetime) };
    let IssuedToken { token, secret } = administration.create_registration_token(new).await.map_err(told)?;
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

async fn delete(administration: &Administration<'_>, id: &str, as_json: bool) -> Result<(), Failure> {
    administration.delete_registration_token(id).await.map_err(told)?;
    if as_json {
        return output::json(&json!({ "id": id, "deleted": true }));
    }
    Ok(output::line(&format!("deleted the token {id}; the clients that came with it stay"))?)
}

fn told(not_done: NotDone<Refusal>) -> Failure {
    Failure::not_done(not_done, |refusal| match refusal {
        Refusal::Invalid(_) => Failure::refused(
            "give a name of 1 to 200 bytes that can be read, and a number of uses and a lifetime that are not 0",
        ),
        Refusal::Exists(id) => Failure::refused(format!("there is a token {id} already")),
        Refusal::Unknown(id) => Failure::refused(format!(
            "there is no token {id}\n    `chancery registration-token list` shows them"
        )),
    })
}

fn uses(token: &InitialAccessToken) -> String {
    token.uses_left.map_or_else(|| "any number".to_owned(), |uses| uses.to_string())
}

fn expires(token: &InitialAccessToken) -> String {
    token.expires_at.map_or_else(|| "never".to_owned(), output::moment)
}
