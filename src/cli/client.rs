//! `chancery client`: registering applications. A secret is shown once, when it is made.

mod shown;

use serde_json::json;

use super::args::client::{ClientCommand, ClientCreate, ClientUpdate};
use super::open::Context;
use super::{Failure, client_settings, output};
use crate::administration::clients::{ClientProblem, ClientRefusal, Issued, defaults};
use crate::administration::{Administration, NotDone};
use crate::config::Settings;
use crate::crypto::random;
use crate::model::{ClientId, ClientMetadata, Secret};
use crate::protocol::registration::forms;

pub(super) async fn run(settings: Settings, command: ClientCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let commands = Commands { context: &context, administration: context.administration() };
    match command {
        ClientCommand::Create(create) => commands.create(*create).await?,
        ClientCommand::List(output) => {
            let profiles = &settings.clients.profiles;
            shown::list(&context.storage.clients().await?, profiles, output.json)?;
        }
        ClientCommand::Show(asked) => {
            let found = commands.administration.client(&ClientId::new(asked.id)).await;
            commands.show(&found.map_err(told("showing the client"))?.client, None, asked.output.json)?;
        }
        ClientCommand::Update(update) => commands.update(*update).await?,
        ClientCommand::Revoke(asked) => commands.revoke(&ClientId::new(asked.id), asked.output.json).await?,
        ClientCommand::Delete(asked) => commands.delete(&ClientId::new(asked.id), asked.output.json).await?,
        ClientCommand::RotateSecret(asked) => {
            commands.rotate_secret(&ClientId::new(asked.id), asked.keep_old, asked.output.json).await?;
        }
    }
    context.close().await
}

const DELETING: &str = "deleting the client";

struct Commands<'a> {
    context: &'a Context<'a>,
    administration: Administration<'a>,
}

impl Commands<'_> {
    async fn create(&self, asked: ClientCreate) -> Result<(), Failure> {
        let id = ClientId::new(asked.id.unwrap_or_else(random::id));
        let mut client = defaults::client(id, asked.name, self.context.now);
        let given = client_settings::apply(&mut client, asked.settings);
        let created = self.administration.create_client(client, given).await;
        let issued = created.map_err(told("registering the client"))?;
        warn_of_names(&issued.client);
        self.show_issued(&issued, asked.output.json)
    }

    async fn update(&self, asked: ClientUpdate) -> Result<(), Failure> {
        let amend = |client: &mut ClientMetadata| {
            if let Some(name) = &asked.name {
                client.name.clone_from(name);
            }
            client_settings::apply(client, asked.settings.clone())
        };
        let updated = self.administration.update_client(&ClientId::new(&*asked.id), amend).await;
        let issued = updated.map_err(told("changing the client"))?;
        if asked.name.is_some() {
            warn_of_names(&issued.client);
        }
        self.show_issued(&issued, asked.output.json)
    }

    async fn rotate_secret(
        &self,
        id: &ClientId,
        keep_old: Option<i64>,
        as_json: bool,
    ) -> Result<(), Failure> {
        let rotated = self.administration.rotate_client_secret(id, keep_old).await;
        self.show_issued(&rotated.map_err(told("making a new secret"))?, as_json)
    }

    async fn revoke(&self, id: &ClientId, as_json: bool) -> Result<(), Failure> {
        let ended = self.administration.end_client_access(id).await;
        let (client, revoked) = ended.map_err(told("ending its access"))?;
        if as_json {
            return output::json(&json!({ "client_id": client.id, "revoked_grants": revoked }));
        }
        let (id, name) = (&client.id, &client.name);
        Ok(output::line(&format!(
            "ended all access of the client {id} ({name}): {revoked} grants revoked; it may ask its users again"
        ))?)
    }

    async fn delete(&self, id: &ClientId, as_json: bool) -> Result<(), Failure> {
        let client = self.administration.client(id).await.map_err(told(DELETING))?.client;
        if !self.administration.delete_client(id).await? {
            return Err(refused(ClientRefusal::Unknown(client.id), DELETING));
        }
        if as_json {
            return output::json(&json!({ "client_id": client.id, "deleted": true }));
        }
        let (id, name) = (&client.id, &client.name);
        output::line(&format!("deleted the client {id} ({name}) and everything granted to it"))?;
        Ok(())
    }

    fn show_issued(&self, issued: &Issued, as_json: bool) -> Result<(), Failure> {
        self.show(&issued.client, issued.secret.as_ref(), as_json)
    }

    fn show(&self, client: &ClientMetadata, secret: Option<&Secret>, as_json: bool) -> Result<(), Failure> {
        shown::one(client, &self.context.settings.clients.profiles, secret, as_json)
    }
}

/// The operator may call an application what it is called, and is told what people may take it for.
fn warn_of_names(client: &ClientMetadata) {
    for misleading in forms::misleading(client) {
        output::complain(&format!("warning: {misleading}"));
    }
}

fn told(doing: &'static str) -> impl FnOnce(NotDone<ClientRefusal>) -> Failure {
    move |not_done| Failure::not_done(not_done, |refusal| refused(refusal, doing))
}

/// What was refused, and what to do about it.
fn refused(refusal: ClientRefusal, doing: &'static str) -> Failure {
    let hint = match &refusal {
        ClientRefusal::Invalid(problems) => {
            return Failure::Invalid { what: doing, problems: problems.iter().map(written).collect() };
        }
        ClientRefusal::NotOfSector(_) => {
            return Failure::Invalid { what: doing, problems: vec![refusal.to_string()] };
        }
        ClientRefusal::Exists(id) => {
            format!("\n    choose another --id, or change it with `chancery client update {id}`")
        }
        ClientRefusal::Unknown(_) => "\n    `chancery client list` shows them".to_owned(),
        ClientRefusal::NoSecret { client, .. } => {
            format!("\n    `chancery client update {client} --auth-method client_secret_basic` gives it one")
        }
        ClientRefusal::Raced(_) => "; run it again".to_owned(),
        ClientRefusal::UnknownProfile(_)
        | ClientRefusal::TokenSpent
        | ClientRefusal::Full
        | ClientRefusal::ShareFull => String::new(),
    };
    Failure::refused(format!("{refusal}{hint}"))
}

fn written(problem: &ClientProblem) -> String {
    match problem {
        ClientProblem::Metadata(_) => problem.to_string(),
        ClientProblem::UnknownResource(_) => format!("{problem}; `chancery resource create` registers it"),
    }
}
