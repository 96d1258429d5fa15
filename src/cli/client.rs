//! `chancery client`: registering applications. A secret is shown once, when it is made.

use std::sync::Arc;

use serde_json::{Value, json};

use super::args::{ClientCommand, ClientCreate, ClientUpdate, RotateSecret};
use super::open::Office;
use super::{Failure, client_settings, client_tokens, output};
use crate::audit::Event;
use crate::boot::StartError;
use crate::config::Settings;
use crate::crypto::random;
use crate::model::{
    Algorithm, AuthMethod, Client, ClientId, ClientIdentity, ClientMetadata, ClientPolicy, ClientRequests,
    ClientSecrets, Encryption, GrantType, Lifetime, ProfileName, RetiredSecret, Secret, SelfRegistered,
    SubjectType, UnknownProfile,
};
use crate::outbound::sector_identifier;
use crate::outbound::{Documents, Outbound};
use crate::protocol::registration::{self, InvalidMetadata, forms};
use crate::registry::clients;
use crate::storage::StoredClient;

pub(super) async fn run(settings: Settings, command: ClientCommand) -> Result<(), Failure> {
    let office = Office::open(&settings).await?;
    let commands = Commands { office: &office };
    match command {
        ClientCommand::Create(create) => commands.create(*create).await?,
        ClientCommand::List(output) => commands.list(output.json).await?,
        ClientCommand::Show(asked) => {
            let client = commands.find(&asked.id).await?.client;
            commands.show(&client, None, asked.output.json)?;
        }
        ClientCommand::Update(update) => commands.update(*update).await?,
        ClientCommand::Revoke(asked) => commands.revoke(&asked.id, asked.output.json).await?,
        ClientCommand::Delete(asked) => commands.delete(&asked.id, asked.output.json).await?,
        ClientCommand::RotateSecret(rotate) => commands.rotate_secret(rotate).await?,
    }
    office.close().await
}

struct Commands<'a> {
    office: &'a Office<'a>,
}

impl Commands<'_> {
    async fn create(&self, asked: ClientCreate) -> Result<(), Failure> {
        let id = ClientId::new(asked.id.unwrap_or_else(random::id));
        let mut client = client_settings::new(id, asked.name, self.office.now);
        let scope_given = asked.settings.scope.is_some();
        let names_resources = asked.settings.tokens.names_resources();
        let mut problems = client_settings::apply(&mut client, asked.settings);
        if !scope_given && let Ok(scope) = client_settings::default_scope(&client.grant_types).parse() {
            client.scope = scope;
        }
        problems.extend(client_settings::problems(&client, self.office.settings));
        if names_resources {
            problems
                .extend(client_tokens::unknown_resources(&client, &self.office.storage.catalogue().await?));
        }
        Failure::of("registering the client", problems)?;
        self.check_sector("registering the client", &client).await?;
        warn_of_names(&client);
        let known = self.resolve(&client).map_err(refused)?;
        let secret = client.token_endpoint_auth_method.has_secret().then(|| clients::new_secret(&known));
        let secrets =
            secret.as_ref().map(|secret| self.secrets_of(&known, secret)).transpose()?.unwrap_or_default();
        let created = Event::ClientCreated { client: &client.id };
        if !self.office.noting(created)?.insert_client(&client, &secrets).await? {
            let id = &client.id;
            return Err(Failure::refused(format!(
                "there is a client {id} already\n    choose another --id, or change it with `chancery client update {id}`"
            )));
        }
        self.show(&client, secret.as_ref(), asked.output.json)
    }

    async fn list(&self, as_json: bool) -> Result<(), Failure> {
        let clients = self.office.storage.clients().await?;
        if as_json {
            return output::json(
                &clients.iter().map(|client| document(client, None)).collect::<Vec<Value>>(),
            );
        }
        if clients.is_empty() {
            output::line("there is no client; make one with `chancery client create --name NAME`")?;
            return Ok(());
        }
        let row = |client: &ClientMetadata| {
            vec![
                client.id.to_string(),
                client.name.clone(),
                auth_method(client).to_owned(),
                grant_types(client),
                origin(client),
                weakens(client, &self.resolve(client)),
                output::moment(client.created_at),
            ]
        };
        let rows: Vec<_> = clients.iter().map(row).collect();
        output::table(
            &["CLIENT ID", "NAME", "AUTHENTICATION", "GRANT TYPES", "ORIGIN", "WEAKENS", "CREATED"],
            &rows,
        )?;
        Ok(())
    }

    async fn update(&self, asked: ClientUpdate) -> Result<(), Failure> {
        let make = async |stored: &mut StoredClient| self.update_once(stored, &asked).await;
        let write = async |changed: &StoredClient| {
            self.save(changed, Event::ClientUpdated { client: &changed.client.id }).await
        };
        let (client, secret, ()) = self.change(&asked.id, make, write).await?;
        if asked.name.is_some() {
            warn_of_names(&client);
        }
        self.show(&client, secret.as_ref(), asked.output.json)
    }

    /// Changes what was asked for; the new secret, if the client needs one now.
    async fn update_once(
        &self,
        stored: &mut StoredClient,
        asked: &ClientUpdate,
    ) -> Result<Option<Secret>, Failure> {
        let StoredClient { client, secrets, .. } = stored;
        // What was registered before its rule stays, until it is changed itself.
        let known = written(&forms::problems(client));
        let had_secret = client.token_endpoint_auth_method.has_secret();
        let sector = (client.identity.sector_identifier_uri.clone(), client.redirect_uris.clone());
        if let Some(name) = &asked.name {
            client.name.clone_from(name);
        }
        let names_resources = asked.settings.tokens.names_resources();
        let mut problems = client_settings::apply(client, asked.settings.clone());
        problems.extend(client_settings::problems(client, self.office.settings));
        if names_resources {
            problems
                .extend(client_tokens::unknown_resources(client, &self.office.storage.catalogue().await?));
        }
        problems.retain(|problem| !known.contains(problem));
        Failure::of("changing the client", problems)?;
        if sector != (client.identity.sector_identifier_uri.clone(), client.redirect_uris.clone()) {
            self.check_sector("changing the client", client).await?;
        }
        let known = self.resolve(client).map_err(refused)?;
        let seal = |secret: &Secret| self.seal(client, secret);
        let (secret, renewed) =
            clients::renewed(&known, had_secret, std::mem::take(secrets), self.office.now, seal)?;
        *secrets = renewed;
        Ok(secret)
    }

    async fn rotate_secret(&self, asked: RotateSecret) -> Result<(), Failure> {
        let make = async |stored: &mut StoredClient| self.rotate_once(stored, asked.keep_old);
        let write = async |changed: &StoredClient| {
            self.save(changed, Event::ClientSecretRotated { client: &changed.client.id }).await
        };
        let (client, secret, ()) = self.change(&asked.id, make, write).await?;
        self.show(&client, Some(&secret), asked.output.json)
    }

    fn rotate_once(&self, stored: &mut StoredClient, keep_old: Option<i64>) -> Result<Secret, Failure> {
        let StoredClient { client, secrets, .. } = stored;
        if !client.token_endpoint_auth_method.has_secret() {
            let (id, method) = (&client.id, client.token_endpoint_auth_method.as_str());
            return Err(Failure::refused(format!(
                "the method of the client {id} is {method}, so it has no secret\n    `chancery client update {id} --auth-method client_secret_basic` gives it one"
            )));
        }
        let keep = keep_old.filter(|seconds| *seconds > 0);
        let sealed = secrets.sealed.clone();
        let retire =
            |digest, seconds| RetiredSecret { digest, sealed, expires_at: self.office.now.plus(seconds) };
        let retired = secrets.current.zip(keep).map(|(digest, seconds)| retire(digest, seconds));
        let known = self.resolve(client).map_err(refused)?;
        let secret = clients::new_secret(&known);
        *secrets = ClientSecrets { retired, ..self.secrets_of(&known, &secret)? };
        Ok(secret)
    }

    async fn revoke(&self, id: &str, as_json: bool) -> Result<(), Failure> {
        let now = self.office.now;
        let make = async |stored: &mut StoredClient| {
            stored.client.origin.tokens_not_before = Some(now);
            Ok(())
        };
        let write = async |changed: &StoredClient| {
            let ended = Event::ClientAccessEnded { client: &changed.client.id };
            Ok(self.office.noting(ended)?.end_access_of_client(changed, now).await?)
        };
        let (client, (), revoked) = self.change(id, make, write).await?;
        if as_json {
            return output::json(&json!({ "client_id": client.id, "revoked_grants": revoked }));
        }
        let (id, name) = (&client.id, &client.name);
        Ok(output::line(&format!(
            "ended all access of the client {id} ({name}): {revoked} grants revoked; it may ask its users again"
        ))?)
    }

    async fn delete(&self, id: &str, as_json: bool) -> Result<(), Failure> {
        let client = self.find(id).await?.client;
        let deleted = Event::ClientDeleted { client: &client.id };
        if !self.office.noting(deleted)?.delete_client(&client.id).await? {
            return Err(unknown(id));
        }
        if as_json {
            return output::json(&json!({ "client_id": client.id, "deleted": true }));
        }
        let (id, name) = (&client.id, &client.name);
        output::line(&format!("deleted the client {id} ({name}) and everything granted to it"))?;
        Ok(())
    }

    fn secrets_of(&self, client: &Client, secret: &Secret) -> Result<ClientSecrets, Failure> {
        clients::kept(client, secret, |secret| self.seal(client, secret))
    }

    fn seal(&self, client: &ClientMetadata, secret: &Secret) -> Result<Secret, Failure> {
        let sealed = clients::seal_secret(self.office.audit()?.master_key(), &client.id, secret);
        Ok(sealed.map_err(StartError::from)?)
    }

    /// What holds for a client by its profile.
    fn resolve(&self, client: &ClientMetadata) -> Result<Client, UnknownProfile> {
        self.office.settings.clients.profiles.resolve(client.clone())
    }

    fn show(&self, client: &ClientMetadata, secret: Option<&Secret>, as_json: bool) -> Result<(), Failure> {
        match as_json {
            true => output::json(&document(client, secret)),
            false => show(client, &self.resolve(client), secret),
        }
    }

    /// Whether the sector that the client names lists its redirect URIs.
    async fn check_sector(&self, doing: &'static str, client: &ClientMetadata) -> Result<(), Failure> {
        let documents = Documents::new(Arc::new(
            Outbound::open(&self.office.settings.outbound).map_err(StartError::from)?,
        ));
        let checked = sector_identifier::check(&documents, client, self.office.now).await;
        let problem = checked.err().map(|error| format!("{}: {error}", sector_identifier::MEMBER));
        Failure::of(doing, problem.into_iter().collect())
    }

    async fn find(&self, id: &str) -> Result<StoredClient, Failure> {
        self.office.storage.client(&ClientId::new(id)).await?.ok_or_else(|| unknown(id))
    }

    /// Makes a change and writes it. Upon what somebody else has made of the client meanwhile, it is made anew.
    async fn change<M, W>(
        &self,
        id: &str,
        make: impl AsyncFn(&mut StoredClient) -> Result<M, Failure>,
        write: impl AsyncFn(&StoredClient) -> Result<Option<W>, Failure>,
    ) -> Result<(ClientMetadata, M, W), Failure> {
        for _ in 0..clients::TRIES {
            let mut stored = self.find(id).await?;
            let made = make(&mut stored).await?;
            if let Some(written) = write(&stored).await? {
                return Ok((stored.client, made, written));
            }
        }
        Err(Failure::refused(format!("others change the client {id} at the same moment; run it again")))
    }

    /// None: somebody has changed it since it was read.
    async fn save(&self, changed: &StoredClient, event: Event<'_>) -> Result<Option<()>, Failure> {
        Ok(self.office.noting(event)?.update_client(changed, self.office.now).await?.then_some(()))
    }
}

/// The operator may call an application what it is called, and is told what people may take it for.
fn warn_of_names(client: &ClientMetadata) {
    for misleading in forms::misleading(client) {
        output::complain(&format!("warning: {misleading}"));
    }
}

fn written(problems: &[InvalidMetadata]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn unknown(id: &str) -> Failure {
    Failure::refused(format!("there is no client {id}\n    `chancery client list` shows them"))
}

fn refused(unknown: UnknownProfile) -> Failure {
    Failure::refused(format!("profile: {unknown}"))
}

/// What is weaker here than by default, for the listing; with the profile it comes from.
fn weakens(client: &ClientMetadata, known: &Result<Client, UnknownProfile>) -> String {
    match (known, client.profile()) {
        (Ok(_), ProfileName::STRICT) | (Err(_), _) => weaker(known),
        (Ok(_), profile) => format!("{profile}: {}", weaker(known)),
    }
}

fn weaker(known: &Result<Client, UnknownProfile>) -> String {
    known
        .as_ref()
        .map_or_else(|unknown| format!("is not served: {unknown}"), |client| client.weakens().join(", "))
}

/// Where the client is, beside its redirect URIs.
fn addresses(client: &ClientMetadata) -> [(&'static str, String); 7] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        ("post-logout URIs", client.post_logout_redirect_uris.join(" ")),
        ("back-channel logout", text(&client.logout.backchannel_logout_uri)),
        ("front-channel logout", text(&client.logout.frontchannel_logout_uri)),
        ("home page", text(&client.client_uri)),
        ("logo", text(&client.logo_uri)),
        ("privacy policy", text(&client.policy_uri)),
        ("terms of service", text(&client.tos_uri)),
    ]
}

fn show(
    client: &ClientMetadata,
    known: &Result<Client, UnknownProfile>,
    secret: Option<&Secret>,
) -> Result<(), Failure> {
    let policy = known.as_ref().ok().map(Client::policy);
    let of_policy = |word: fn(&ClientPolicy) -> Result<String, Failure>| {
        policy.map(word).transpose().map(Option::unwrap_or_default)
    };
    let list = |texts: &[String]| texts.join(" ");
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let seconds = |seconds: Option<i64>| seconds.map(|seconds| format!("{seconds} s")).unwrap_or_default();
    let algorithm = |algorithm: Option<Algorithm>| algorithm.map(|a| a.to_string()).unwrap_or_default();
    let unused_until = client.origin.self_registered.as_ref().and_then(|origin| origin.unused_until);
    let members = [
        ("client id", client.id.to_string()),
        ("client secret", secret.map(|secret| secret.expose().to_owned()).unwrap_or_default()),
        ("name", client.name.clone()),
        ("authentication", auth_method(client).to_owned()),
        ("assertion alg", client.token_endpoint_auth_signing_alg.map(|a| a.to_string()).unwrap_or_default()),
        ("keys", keys(client)),
        ("grant types", grant_types(client)),
        ("response types", response_types(client)),
        ("pushed requests", pushed_requests(client)),
        ("request objects", request_objects(client)),
        ("request URIs", list(&client.requests.request_uris)),
        ("scope", client.scope.to_string()),
        ("redirect URIs", list(&client.redirect_uris)),
        ("scope strategy", of_policy(|policy| word(&policy.scope_strategy))?),
        ("audience", list(&client.audience)),
        ("resources", list(&client.resources)),
        ("server of resource", text(&client.resource_server)),
        ("token format", of_policy(|policy| word(&policy.token_format))?),
        ("token hook", client.token_hook.map(output::yes_or_no).unwrap_or_default()),
        ("claims", client_tokens::written(&client.claims_mapping)),
        ("ID token claims", client_tokens::written(&client.id_token_claims_mapping)),
        ("skip consent", output::yes_or_no(client.skip_consent)),
        ("verification link", output::yes_or_no(client.verification_uri_complete)),
        ("token exchange", token_exchange(client)?),
        ("may act", text(&client.exchange.may_act)),
        ("pages", client.ui.as_ref().map(word).transpose()?.unwrap_or_default()),
        ("profile", client.profile().to_owned()),
        ("weakens", weaker(known)),
        ("PKCE", of_policy(|policy| word(&policy.pkce))?),
        ("introspection", of_policy(|policy| word(&policy.introspection))?),
        ("introspection alg", algorithm(client.identity.introspection_signed_response_alg)),
        ("ID token alg", id_token_protection(client)),
        ("UserInfo alg", userinfo_protection(&client.identity)),
        ("authorization response alg", response_protection(&client.requests)),
        ("subject type", subject_type(&client.identity)?),
        ("access token alg", algorithm(client.access_token_signed_response_alg)),
        ("code lifetime", seconds(client.authorization_code_lifetime)),
        ("access token lifetime", seconds(client.access_token_lifetime)),
        ("refresh token lifetime", lifetime(client.refresh_token_lifetime)),
        ("refresh token idle lifetime", lifetime(client.refresh_token_idle_lifetime)),
        ("origin", origin(client)),
        ("application type", application_type(client)?),
        ("contacts", list(&client.origin.contacts)),
        ("software", software(client)),
        ("removed if unused", unused_until.map(output::moment).unwrap_or_default()),
        ("created", output::moment(client.created_at)),
    ];
    output::record(&[&members[..], &addresses(client)].concat())?;
    if secret.is_some() {
        output::line("The secret is shown this once: keep it where the application finds it.")?;
    }
    Ok(())
}

fn pushed_requests(client: &ClientMetadata) -> String {
    if client.requests.require_pushed_authorization_requests { "required" } else { "" }.to_owned()
}

fn application_type(client: &ClientMetadata) -> Result<String, Failure> {
    Ok(client.origin.application_type.as_ref().map(word).transpose()?.unwrap_or_default())
}

/// RFC 7591 3.2.1, with this server's own members.
fn document(client: &ClientMetadata, secret: Option<&Secret>) -> Value {
    let mut document = registration::document(client);
    if let Some(secret) = secret {
        document["client_secret"] = json!(secret.expose());
        // RFC 7591 3.2.1: REQUIRED if there is a secret; 0 means that it does not expire.
        document["client_secret_expires_at"] = json!(0);
    }
    document
}

/// Who registered the client.
fn origin(client: &ClientMetadata) -> String {
    match &client.origin.self_registered {
        None => "operator".to_owned(),
        Some(SelfRegistered { initial_access_token: Some(name), .. }) => format!("itself, by {name}"),
        Some(SelfRegistered { initial_access_token: None, .. }) => "itself".to_owned(),
    }
}

/// What the client says it is a copy of.
fn software(client: &ClientMetadata) -> String {
    let parts = [&client.origin.software_id, &client.origin.software_version];
    parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
}

fn auth_method(client: &ClientMetadata) -> &'static str {
    match client.token_endpoint_auth_method {
        AuthMethod::None => "none (public)",
        method => method.as_str(),
    }
}

/// Where the client's keys are, or their ids.
fn keys(client: &ClientMetadata) -> String {
    if let Some(uri) = client.jwks_uri() {
        return uri.clone();
    }
    let set = client.jwks().and_then(|jwks| jwks.get("keys")?.as_array());
    let id = |key: &Value| key.get("kid").and_then(Value::as_str).unwrap_or("(without kid)").to_owned();
    set.map(|set| set.iter().map(id).collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

fn response_types(client: &ClientMetadata) -> String {
    client.requests.response_types.iter().map(|each| each.as_str()).collect::<Vec<_>>().join(", ")
}

fn request_objects(client: &ClientMetadata) -> String {
    let own = &client.requests;
    let algorithm = own.request_object_signing_alg.map(|algorithm| algorithm.as_str());
    let required = own.require_signed_request_object.then_some("required");
    let signed = required.into_iter().chain(algorithm).collect::<Vec<_>>().join(" ");
    let signed = Some(signed).filter(|signed| !signed.is_empty());
    let encrypted = own.request_object_encryption().map(encrypted);
    signed.into_iter().chain(encrypted).collect::<Vec<_>>().join("; ")
}

fn grant_types(client: &ClientMetadata) -> String {
    client.grant_types.iter().map(|grant_type| grant_type.as_str()).collect::<Vec<_>>().join(" ")
}

fn encrypted(Encryption { alg, enc }: Encryption) -> String {
    format!("encrypted {alg}, {enc}")
}

/// What signs, and what encrypts.
fn protection(signed: Option<Algorithm>, encryption: Option<Encryption>) -> String {
    [signed.map(|alg| alg.to_string()), encryption.map(encrypted)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

fn id_token_protection(client: &ClientMetadata) -> String {
    protection(client.id_token_signed_response_alg, client.identity.id_token_encryption())
}

fn response_protection(requests: &ClientRequests) -> String {
    protection(requests.authorization_signed_response_alg, requests.response_encryption())
}

fn userinfo_protection(identity: &ClientIdentity) -> String {
    protection(identity.userinfo_signed_response_alg, identity.userinfo_encryption())
}

fn subject_type(identity: &ClientIdentity) -> Result<String, Failure> {
    let subject_type = word(&identity.subject_type.unwrap_or(SubjectType::Public))?;
    Ok(match &identity.sector_identifier_uri {
        Some(uri) => format!("{subject_type}, sector {uri}"),
        None => subject_type,
    })
}

fn lifetime(lifetime: Option<Lifetime>) -> String {
    match lifetime {
        None => String::new(),
        Some(Lifetime::Unlimited) => "never ends".to_owned(),
        Some(Lifetime::Seconds(seconds)) => format!("{seconds} s"),
    }
}

/// What the client may exchange tokens for, and whose beside its own.
fn token_exchange(client: &ClientMetadata) -> Result<String, Failure> {
    if !client.may_use(GrantType::TokenExchange) {
        return Ok(String::new());
    }
    let clients = client.exchange.token_exchange_clients.join(" ");
    let separator = if clients.is_empty() { "" } else { ", tokens of " };
    Ok(format!("{}{separator}{clients}", word(&client.exchange.policy())?))
}

/// The registered word of a value.
fn word(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_value(value)?.as_str().unwrap_or_default().to_owned())
}
