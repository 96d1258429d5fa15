//! `chancery resource`: registering APIs that clients may ask tokens for (RFC 8707).

use serde_json::json;

use super::args::catalogue::{ResourceCommand, ResourceCreate, ResourceSettings, ResourceUpdate};
use super::given::{self, set};
use super::open::Context;
use super::{Failure, output};
use crate::administration::{Administration, NotDone, Refusal};
use crate::config::Settings;
use crate::model::{Resource, ScopeSet, TokenFormat};
use crate::protocol::registration::InvalidMetadata;

pub(super) async fn run(settings: Settings, command: ResourceCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let administration = context.administration();
    match command {
        ResourceCommand::Create(asked) => create(&context, asked).await?,
        ResourceCommand::List(output) => list(&context.storage.resources().await?, output.json)?,
        ResourceCommand::Show(asked) => {
            let found = administration.resource(&asked.uri).await;
            show(&found.map_err(told("showing the resource"))?, asked.output.json)?;
        }
        ResourceCommand::Update(asked) => update(&administration, asked).await?,
        ResourceCommand::Delete(asked) => delete(&administration, &asked.uri, asked.output.json).await?,
    }
    context.close().await
}

async fn create(context: &Context<'_>, asked: ResourceCreate) -> Result<(), Failure> {
    let mut resource = Resource {
        id: asked.uri,
        name: asked.name,
        scope: ScopeSet::default(),
        token_format: None,
        access_token_lifetime: None,
        access_token_signed_response_alg: None,
        created_at: context.now,
    };
    let problems = apply(&mut resource, asked.settings);
    let created = context.administration().create_resource(resource, problems).await;
    show(&created.map_err(told("registering the resource"))?, asked.output.json)
}

async fn update(administration: &Administration<'_>, asked: ResourceUpdate) -> Result<(), Failure> {
    let amend = |resource: &mut Resource| {
        if let Some(name) = asked.name {
            resource.name = name;
        }
        apply(resource, asked.settings)
    };
    let updated = administration.update_resource(&asked.uri, amend).await;
    show(&updated.map_err(told("changing the resource"))?, asked.output.json)
}

/// Puts what was given into `resource`, and returns what cannot be put.
fn apply(resource: &mut Resource, given: ResourceSettings) -> Vec<InvalidMetadata> {
    set(&mut resource.token_format, given.token_format);
    set(&mut resource.access_token_lifetime, given.access_token_lifetime);
    set(&mut resource.access_token_signed_response_alg, given.access_token_alg);
    given::put_scope(&mut resource.scope, given.scope.as_deref(), "scope").into_iter().collect()
}

fn list(resources: &[Resource], as_json: bool) -> Result<(), Failure> {
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

async fn delete(administration: &Administration<'_>, uri: &str, as_json: bool) -> Result<(), Failure> {
    administration.delete_resource(uri).await.map_err(told("deleting the resource"))?;
    if as_json {
        return output::json(&json!({ "resource": uri, "deleted": true }));
    }
    output::line(&format!("deleted the resource {uri}; its tokens end by themselves"))?;
    Ok(())
}

fn told(doing: &'static str) -> impl FnOnce(NotDone<Refusal>) -> Failure {
    move |not_done| {
        Failure::not_done(not_done, |refusal| match refusal {
            Refusal::Invalid(problems) => Failure::invalid(doing, &problems),
            Refusal::Exists(uri) => Failure::refused(format!(
                "there is a resource {uri} already\n    change it with `chancery resource update {uri}`"
            )),
            Refusal::Unknown(uri) => Failure::refused(format!(
                "there is no resource {uri}\n    `chancery resource list` shows them"
            )),
        })
    }
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
