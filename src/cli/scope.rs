//! `chancery scope`: what scopes mean, and which others they imply.

use serde_json::json;

use super::args::catalogue::{ScopeCommand, ScopeWrite};
use super::open::Context;
use super::{Failure, given, output};
use crate::administration::{Administration, NotDone, Refusal};
use crate::config::Settings;
use crate::model::{RegisteredScope, ScopeSet};
use crate::protocol::registration::InvalidMetadata;

pub(super) async fn run(settings: Settings, command: ScopeCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let administration = context.administration();
    match command {
        ScopeCommand::Create(asked) => create(&context, asked).await?,
        ScopeCommand::List(output) => list(&context.storage.scopes().await?, output.json)?,
        ScopeCommand::Show(asked) => {
            let found = administration.scope(&asked.scope).await;
            show(&found.map_err(told("showing the scope"))?, asked.output.json)?;
        }
        ScopeCommand::Update(asked) => {
            let updated = administration.update_scope(&asked.scope, |scope| apply(scope, &asked)).await;
            show(&updated.map_err(told("changing the scope"))?, asked.output.json)?;
        }
        ScopeCommand::Delete(asked) => delete(&administration, &asked.scope, asked.output.json).await?,
    }
    context.close().await
}

async fn create(context: &Context<'_>, asked: ScopeWrite) -> Result<(), Failure> {
    let name = asked.scope.parse().map_err(|error| Failure::refused(format!("{}: {error}", asked.scope)))?;
    let mut scope = RegisteredScope {
        name,
        descriptions: Default::default(),
        implies: ScopeSet::default(),
        is_public: false,
        created_at: context.now,
    };
    let problems = apply(&mut scope, &asked);
    let created = context.administration().create_scope(scope, problems).await;
    show(&created.map_err(told("registering the scope"))?, asked.output.json)
}

fn list(scopes: &[RegisteredScope], as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&scopes);
    }
    if scopes.is_empty() {
        output::line("no scope is registered; register one with `chancery scope create SCOPE`")?;
        return Ok(());
    }
    let row = |scope: &RegisteredScope| {
        let languages: Vec<&str> = scope.descriptions.keys().map(String::as_str).collect();
        let (name, implies) = (scope.name.as_str().to_owned(), scope.implies.to_string());
        vec![name, languages.join(" "), implies, output::yes_or_no(scope.is_public)]
    };
    let rows: Vec<_> = scopes.iter().map(row).collect();
    output::table(&["SCOPE", "DESCRIBED IN", "IMPLIES", "PUBLIC"], &rows)?;
    Ok(())
}

async fn delete(administration: &Administration<'_>, name: &str, as_json: bool) -> Result<(), Failure> {
    administration.delete_scope(name).await.map_err(told("forgetting the scope"))?;
    if as_json {
        return output::json(&json!({ "scope": name, "deleted": true }));
    }
    output::line(&format!("forgot what was registered of the scope {name}"))?;
    Ok(())
}

/// Puts what was given into `scope`, and returns what cannot be put.
fn apply(scope: &mut RegisteredScope, given: &ScopeWrite) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    for text in &given.descriptions {
        match text.split_once('=') {
            None => problems.push(InvalidMetadata {
                member: "description",
                problem: format!("{text}: write LANGUAGE=TEXT"),
            }),
            Some((language, "")) => drop(scope.descriptions.remove(language)),
            Some((language, text)) => {
                scope.descriptions.insert(language.to_owned(), text.to_owned());
            }
        }
    }
    problems.extend(given::put_scope(&mut scope.implies, given.implies.as_deref(), "implies"));
    scope.is_public = given.public.unwrap_or(scope.is_public);
    problems
}

fn told(doing: &'static str) -> impl FnOnce(NotDone<Refusal>) -> Failure {
    move |not_done| {
        Failure::not_done(not_done, |refusal| match refusal {
            Refusal::Invalid(problems) => Failure::invalid(doing, &problems),
            Refusal::Exists(name) => Failure::refused(format!(
                "the scope {name} is registered already\n    change it with `chancery scope update {name}`"
            )),
            Refusal::Unknown(name) => Failure::refused(format!(
                "the scope {name} is not registered\n    `chancery scope list` shows those that are"
            )),
        })
    }
}

fn show(scope: &RegisteredScope, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(scope);
    }
    let mut members = vec![("scope", scope.name.as_str().to_owned()), ("implies", scope.implies.to_string())];
    let described = |(language, text): (&String, &String)| ("description", format!("{language}: {text}"));
    members.extend(scope.descriptions.iter().map(described));
    members.push(("public", output::yes_or_no(scope.is_public)));
    members.push(("created", output::moment(scope.created_at)));
    output::record(&members)?;
    Ok(())
}
