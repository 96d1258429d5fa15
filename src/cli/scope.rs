//! `chancery scope`: what scopes mean, and which others they imply.

use serde_json::json;

use super::args::catalogue::{ScopeCommand, ScopeWrite};
use super::open::Context;
use super::{Failure, output};
use crate::audit::Event;
use crate::config::Settings;
use crate::model::{RegisteredScope, ScopeSet};
use crate::protocol::scope;

pub(super) async fn run(settings: Settings, command: ScopeCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let commands = Commands { context: &context };
    match command {
        ScopeCommand::Create(asked) => commands.create(asked).await?,
        ScopeCommand::List(output) => commands.list(output.json).await?,
        ScopeCommand::Show(asked) => show(&commands.find(&asked.scope).await?, asked.output.json)?,
        ScopeCommand::Update(asked) => commands.update(asked).await?,
        ScopeCommand::Delete(asked) => commands.delete(&asked.scope, asked.output.json).await?,
    }
    context.close().await
}

struct Commands<'a> {
    context: &'a Context<'a>,
}

impl Commands<'_> {
    async fn create(&self, asked: ScopeWrite) -> Result<(), Failure> {
        let name =
            asked.scope.parse().map_err(|error| Failure::refused(format!("{}: {error}", asked.scope)))?;
        let mut scope = RegisteredScope {
            name,
            descriptions: Default::default(),
            implies: ScopeSet::default(),
            is_public: false,
            created_at: self.context.now,
        };
        Failure::of("registering the scope", apply(&mut scope, &asked))?;
        let created = Event::ScopeCreated { scope: scope.name.as_str() };
        if !self.context.administration().noting(created)?.insert_scope(&scope).await? {
            let name = scope.name.as_str();
            return Err(Failure::refused(format!(
                "the scope {name} is registered already\n    change it with `chancery scope update {name}`"
            )));
        }
        show(&scope, asked.output.json)
    }

    async fn update(&self, asked: ScopeWrite) -> Result<(), Failure> {
        let mut scope = self.find(&asked.scope).await?;
        Failure::of("changing the scope", apply(&mut scope, &asked))?;
        let updated = Event::ScopeUpdated { scope: scope.name.as_str() };
        if !self.context.administration().noting(updated)?.update_scope(&scope, self.context.now).await? {
            return Err(unknown(scope.name.as_str()));
        }
        show(&scope, asked.output.json)
    }

    async fn list(&self, as_json: bool) -> Result<(), Failure> {
        let scopes = self.context.storage.scopes().await?;
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

    async fn delete(&self, name: &str, as_json: bool) -> Result<(), Failure> {
        let deleted = Event::ScopeDeleted { scope: name };
        if !self.context.administration().noting(deleted)?.delete_scope(name).await? {
            return Err(unknown(name));
        }
        if as_json {
            return output::json(&json!({ "scope": name, "deleted": true }));
        }
        output::line(&format!("forgot what was registered of the scope {name}"))?;
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<RegisteredScope, Failure> {
        let mut scopes = self.context.storage.scopes().await?.into_iter();
        scopes.find(|scope| scope.name.as_str() == name).ok_or_else(|| unknown(name))
    }
}

/// Puts what was given into `scope`, and returns every problem.
fn apply(scope: &mut RegisteredScope, given: &ScopeWrite) -> Vec<String> {
    let mut problems = Vec::new();
    for text in &given.descriptions {
        match text.split_once('=') {
            None => problems.push(format!("description: {text}: write LANGUAGE=TEXT")),
            Some((language, "")) => drop(scope.descriptions.remove(language)),
            Some((language, text)) => {
                scope.descriptions.insert(language.to_owned(), text.to_owned());
            }
        }
    }
    match given.implies.as_ref().map(|text| text.parse()).transpose() {
        Ok(Some(implies)) => scope.implies = implies,
        Ok(None) => {}
        Err(error) => problems.push(format!("implies: {error}")),
    }
    scope.is_public = given.public.unwrap_or(scope.is_public);
    problems.extend(scope::check(scope).iter().map(ToString::to_string));
    problems
}

fn unknown(name: &str) -> Failure {
    Failure::refused(format!(
        "the scope {name} is not registered\n    `chancery scope list` shows those that are"
    ))
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
