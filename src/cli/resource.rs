//! `chancery resource`: registering APIs that clients may ask tokens for (RFC 8707).

use serde_json::json;

use super::args::catalogue::{ResourceCommand, ResourceCreate, ResourceSettings, ResourceUpdate};
use super::given::set;
use super::open::Context;
use super::{Failure, output};
use crate::administration::clients::unknown_algorithm;
use crate::audit::Event;
use crate::config::Settings;
use crate::model::{Resource, ScopeSet, TokenFormat};
use crate::protocol::resource;

pub(super) async fn run(settings: Settings, command: ResourceCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let commands = Commands { context: &context };
    match command {
        ResourceCommand::Create(create) => commands.create(create).await?,
        ResourceCommand::List(output) => commands.list(output.json).await?,
        ResourceCommand::Show(asked) => show(&commands.find(&asked.uri).await?, asked.output.json)?,
        ResourceCommand::Update(update) => commands.update(update).await?,
        ResourceCommand::Delete(asked) => commands.delete(&asked.uri, asked.output.json).await?,
    }
    context.close().await
}

struct Commands<'a> {
    context: &'a Context<'a>,
}

impl Commands<'_> {
    async fn create(&self, asked: ResourceCreate) -> Result<(), Failure> {
        let mut resource = Resource {
            id: asked.uri,
            name: asked.name,
            scope: ScopeSet::default(),
            token_format: None,
            access_token_lifetime: None,
            access_token_signed_response_alg: None,
            created_at: self.context.now,
        };
        Failure::of("registering the resource", self.apply(&mut resource, asked.settings))?;
        let created = Event::ResourceCreated { resource: &resource.id };
        if !self.context.administration().noting(created)?.insert_resource(&resource).await? {
            let uri = &resource.id;
            return Err(Failure::refused(format!(
                "there is a resource {uri} already\n    change it with `chancery resource update {uri}`"
            )));
        }
        show(&resource, asked.output.json)
    }

    async fn update(&self, asked: ResourceUpdate) -> Result<(), Failure> {
        let mut resource = self.find(&asked.uri).await?;
        if let Some(name) = asked.name {
            resource.name = name;
        }
        Failure::of("changing the resource", self.apply(&mut resource, asked.settings))?;
        let updated = Event::ResourceUpdated { resource: &resource.id };
        if !self
            .context
            .administration()
            .noting(updated)?
            .update_resource(&resource, self.context.now)
            .await?
        {
            return Err(unknown(&resource.id));
        }
        show(&resource, asked.output.json)
    }

    /// Puts what was given into `resource`, and returns every problem.
    fn apply(&self, resource: &mut Resource, given: ResourceSettings) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(text) = given.scope {
            match text.parse() {
                Ok(scope) => resource.scope = scope,
                Err(error) => problems.push(format!("scope: {error}")),
            }
        }
        set(&mut resource.token_format, given.token_format);
        set(&mut resource.access_token_lifetime, given.access_token_lifetime);
        set(&mut resource.access_token_signed_response_alg, given.access_token_alg);
        problems.extend(resource::check(resource).iter().map(ToString::to_string));
        let algorithm = resource.access_token_signed_response_alg;
        let unknown = unknown_algorithm("access_token_signed_response_alg", algorithm, self.context.settings);
        problems.extend(unknown.map(|problem| problem.to_string()));
        problems
    }

    async fn list(&self, as_json: bool) -> Result<(), Failure> {
        let resources = self.context.storage.resources().await?;
        if as_json {
            return output::json(&resources);
        }
        if resources.is_empty() {
            output::line("there is no resource; make one with `chancery resource create URI --name NAME`")?;
            return Ok(());
        }
        let row = |resource: &Resource| {
            let (uri, name) = (resource.id.clone(), resource.name.clone());
            vec![uri, name, format(resource), resource.scope.to_string(), output::moment(resource.created_at)]
        };
        let rows: Vec<_> = resources.iter().map(row).collect();
        output::table(&["RESOURCE", "NAME", "TOKENS", "SCOPE", "CREATED"], &rows)?;
        Ok(())
    }

    async fn delete(&self, uri: &str, as_json: bool) -> Result<(), Failure> {
        let deleted = Event::ResourceDeleted { resource: uri };
        if !self.context.administration().noting(deleted)?.delete_resource(uri).await? {
            return Err(unknown(uri));
        }
        if as_json {
            return output::json(&json!({ "resource": uri, "deleted": true }));
        }
        output::line(&format!("deleted the resource {uri}; its tokens end by themselves"))?;
        Ok(())
    }

    async fn find(&self, uri: &str) -> Result<Resource, Failure> {
        let mut resources = self.context.storage.resources().await?.into_iter();
        resources.find(|resource| resource.id == uri).ok_or_else(|| unknown(uri))
    }
}

fn unknown(uri: &str) -> Failure {
    Failure::refused(format!("there is no resource {uri}\n    `chancery resource list` shows them"))
}

fn show(resource: &Resource, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(resource);
    }
    let algorithm = resource.access_token_signed_response_alg;
    let lifetime = resource.access_token_lifetime;
    output::record(&[
        ("resource", resource.id.clone()),
        ("name", resource.name.clone()),
        ("scope", resource.scope.to_string()),
        ("token format", format(resource)),
        ("access token lifetime", lifetime.map(|seconds| format!("{seconds} s")).unwrap_or_default()),
        ("access token alg", algorithm.map(|algorithm| algorithm.to_string()).unwrap_or_default()),
        ("created", output::moment(resource.created_at)),
    ])?;
    Ok(())
}

fn format(resource: &Resource) -> String {
    resource.token_format.map_or("as the client", TokenFormat::as_str).to_owned()
}
