//! `chancery client`: registering applications. A secret is shown once, when it is made.

use serde_json::{Value, json};

use super::args::{ClientCommand, ClientCreate, ClientUpdate, RotateSecret};
use super::{Failure, client_settings, client_tokens, open, output};
use crate::app;
use crate::clients;
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::{digest, random};
use crate::model::{
    AuthMethod, Client, ClientId, ClientProfile, ClientSecrets, GrantType, Lifetime, RetiredSecret, Secret,
    Timestamp,
};
use crate::storage::Storage;

pub async fn run(settings: Settings, command: ClientCommand) -> Result<(), Failure> {
    let storage = open::storage(&settings).await?;
    let commands = Commands { settings: &settings, storage: &storage, now: Clock::System.now() };
    match command {
        ClientCommand::Create(create) => commands.create(*create).await?,
        ClientCommand::List(output) => commands.list(output.json).await?,
        ClientCommand::Show(asked) => {
            let (client, _) = commands.find(&asked.id).await?;
            show(&client, None, asked.output.json)?;
        }
        ClientCommand::Update(update) => commands.update(*update).await?,
        ClientCommand::Delete(asked) => commands.delete(&asked.id, asked.output.json).await?,
        ClientCommand::RotateSecret(rotate) => commands.rotate_secret(rotate).await?,
    }
    storage.db().close().await;
    Ok(())
}

/// Seconds a secret counts beside the one that replaced it because the server has to know it.
const OLD_SECRET_KEPT: i64 = 86_400;

struct Commands<'a> {
    settings: &'a Settings,
    storage: &'a Storage,
    now: Timestamp,
}

impl Commands<'_> {
    async fn create(&self, asked: ClientCreate) -> Result<(), Failure> {
        let id = ClientId::new(asked.id.unwrap_or_else(random::id));
        let mut client = client_settings::new(id, asked.name, self.now);
        let scope_given = asked.settings.scope.is_some();
        let names_resources = asked.settings.tokens.names_resources();
        let mut problems = client_settings::apply(&mut client, asked.settings);
        if !scope_given && let Ok(scope) = client_settings::default_scope(&client.grant_types).parse() {
            client.scope = scope;
        }
        problems.extend(client_settings::problems(&client, self.settings));
        if names_resources {
            problems.extend(client_tokens::unknown_resources(&client, &self.storage.catalogue().await?));
        }
        Failure::of("registering the client", problems)?;
        let secret = client.token_endpoint_auth_method.has_secret().then(|| new_secret(&client));
        let secrets =
            secret.as_ref().map(|secret| self.secrets_of(&client, secret)).transpose()?.unwrap_or_default();
        if !self.storage.insert_client(&client, &secrets).await? {
            let id = &client.id;
            return Err(Failure::refused(format!(
                "there is a client {id} already\n    choose another --id, or change it with `chancery client update {id}`"
            )));
        }
        show(&client, secret.as_ref(), asked.output.json)
    }

    async fn list(&self, as_json: bool) -> Result<(), Failure> {
        let clients = self.storage.clients().await?;
        if as_json {
            let clients: Vec<Value> =
                clients.iter().map(|client| document(client, None)).collect::<Result<_, _>>()?;
            return output::json(&clients);
        }
        if clients.is_empty() {
            output::line("there is no client; make one with `chancery client create --name NAME`")?;
            return Ok(());
        }
        let row = |client: &Client| {
            vec![
                client.id.to_string(),
                client.name.clone(),
                auth_method(client).to_owned(),
                grant_types(client),
                weakens(client),
                output::moment(client.created_at),
            ]
        };
        let rows: Vec<_> = clients.iter().map(row).collect();
        output::table(&["CLIENT ID", "NAME", "AUTHENTICATION", "GRANT TYPES", "WEAKENS", "CREATED"], &rows)?;
        Ok(())
    }

    async fn update(&self, asked: ClientUpdate) -> Result<(), Failure> {
        let (mut client, mut secrets) = self.find(&asked.id).await?;
        let had_secret = client.token_endpoint_auth_method.has_secret();
        if let Some(name) = asked.name {
            client.name = name;
        }
        let names_resources = asked.settings.tokens.names_resources();
        let mut problems = client_settings::apply(&mut client, asked.settings);
        problems.extend(client_settings::problems(&client, self.settings));
        if names_resources {
            problems.extend(client_tokens::unknown_resources(&client, &self.storage.catalogue().await?));
        }
        Failure::of("changing the client", problems)?;
        let method = client.token_endpoint_auth_method;
        // A secret that was known to a public client is none, and one of which only the digest is left cannot be
        // computed with, so it counts only for a while beside the new one; a client without such a method has none.
        let unusable = !had_secret || (client.needs_sealed_secret() && secrets.sealed.is_none());
        let secret = (method.has_secret() && unusable).then(|| new_secret(&client));
        if let Some(secret) = &secret {
            let old = secrets.current.filter(|_| had_secret);
            let expires_at = self.now.plus(OLD_SECRET_KEPT);
            let retired = old.map(|digest| RetiredSecret { digest, sealed: None, expires_at });
            secrets = ClientSecrets { retired, ..self.secrets_of(&client, secret)? };
        } else if !method.has_secret() {
            secrets = ClientSecrets::default();
        } else if !client.needs_sealed_secret() {
            secrets.sealed = None;
            secrets.retired.iter_mut().for_each(|retired| retired.sealed = None);
        }
        self.save(&client, &secrets).await?;
        show(&client, secret.as_ref(), asked.output.json)
    }

    async fn rotate_secret(&self, asked: RotateSecret) -> Result<(), Failure> {
        let (client, secrets) = self.find(&asked.id).await?;
        if !client.token_endpoint_auth_method.has_secret() {
            let (id, method) = (&client.id, client.token_endpoint_auth_method.as_str());
            return Err(Failure::refused(format!(
                "the method of the client {id} is {method}, so it has no secret\n    `chancery client update {id} --auth-method client_secret_basic` gives it one"
            )));
        }
        let keep = asked.keep_old.filter(|seconds| *seconds > 0);
        let sealed = secrets.sealed.clone();
        let retire = |digest, seconds| RetiredSecret { digest, sealed, expires_at: self.now.plus(seconds) };
        let retired = secrets.current.zip(keep).map(|(digest, seconds)| retire(digest, seconds));
        let secret = new_secret(&client);
        self.save(&client, &ClientSecrets { retired, ..self.secrets_of(&client, &secret)? }).await?;
        show(&client, Some(&secret), asked.output.json)
    }

    async fn delete(&self, id: &str, as_json: bool) -> Result<(), Failure> {
        let (client, _) = self.find(id).await?;
        if !self.storage.delete_client(&client.id).await? {
            return Err(unknown(id));
        }
        if as_json {
            return output::json(&json!({ "client_id": client.id, "deleted": true }));
        }
        let (id, name) = (&client.id, &client.name);
        output::line(&format!("deleted the client {id} ({name}) and everything granted to it"))?;
        Ok(())
    }

    /// What is kept of a secret: its digest, and where the method needs it the secret itself, sealed.
    fn secrets_of(&self, client: &Client, secret: &Secret) -> Result<ClientSecrets, Failure> {
        let sealed = match client.needs_sealed_secret() {
            true => Some(clients::seal_secret(&app::load_master_key(self.settings)?, &client.id, secret)),
            false => None,
        };
        let current = Some(digest::sha256(secret.expose().as_bytes()));
        Ok(ClientSecrets {
            current,
            sealed: sealed.transpose().map_err(app::StartError::from)?,
            retired: None,
        })
    }

    async fn find(&self, id: &str) -> Result<(Client, ClientSecrets), Failure> {
        self.storage.client(&ClientId::new(id)).await?.ok_or_else(|| unknown(id))
    }

    async fn save(&self, client: &Client, secrets: &ClientSecrets) -> Result<(), Failure> {
        if self.storage.update_client(client, secrets, self.now).await? {
            Ok(())
        } else {
            Err(unknown(client.id.as_str()))
        }
    }
}

fn unknown(id: &str) -> Failure {
    Failure::refused(format!("there is no client {id}\n    `chancery client list` shows them"))
}

/// What is weaker here than by default, for the listing; with the profile it comes from.
fn weakens(client: &Client) -> String {
    let weakens = client.weakens().join(", ");
    match client.profile() {
        ClientProfile::Default => weakens,
        profile => format!("{}: {weakens}", profile.as_str()),
    }
}

fn new_secret(client: &Client) -> Secret {
    match client.needs_sealed_secret() {
        true => random::long_secret(),
        false => random::secret(),
    }
}

fn show(client: &Client, secret: Option<&Secret>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&document(client, secret)?);
    }
    let list = |texts: &[String]| texts.join(" ");
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let seconds = |seconds: Option<i64>| seconds.map(|seconds| format!("{seconds} s")).unwrap_or_default();
    let algorithm =
        |algorithm: Option<crate::model::Algorithm>| algorithm.map(|a| a.to_string()).unwrap_or_default();
    output::record(&[
        ("client id", client.id.to_string()),
        ("client secret", secret.map(|secret| secret.expose().to_owned()).unwrap_or_default()),
        ("name", client.name.clone()),
        ("authentication", auth_method(client).to_owned()),
        ("assertion alg", client.token_endpoint_auth_signing_alg.map(|a| a.to_string()).unwrap_or_default()),
        ("keys", keys(client)),
        ("grant types", grant_types(client)),
        ("scope", client.scope.to_string()),
        ("redirect URIs", list(&client.redirect_uris)),
        ("post-logout URIs", list(&client.post_logout_redirect_uris)),
        ("back-channel logout", text(&client.logout.backchannel_logout_uri)),
        ("scope strategy", word(&client.policy().scope_strategy)?),
        ("audience", list(&client.audience)),
        ("resources", list(&client.resources)),
        ("server of resource", text(&client.resource_server)),
        ("token format", word(&client.policy().token_format)?),
        ("token hook", client.token_hook.map(output::yes_or_no).unwrap_or_default()),
        ("claims", client_tokens::written(&client.claims_mapping)),
        ("ID token claims", client_tokens::written(&client.id_token_claims_mapping)),
        ("skip consent", output::yes_or_no(client.skip_consent)),
        ("verification link", output::yes_or_no(client.verification_uri_complete)),
        ("pages", client.ui.as_ref().map(word).transpose()?.unwrap_or_default()),
        ("profile", client.profile().as_str().to_owned()),
        ("weakens", client.weakens().join(", ")),
        ("PKCE", word(&client.policy().pkce)?),
        ("introspection", word(&client.policy().introspection)?),
        ("ID token alg", algorithm(client.id_token_signed_response_alg)),
        ("Introspection alg", algorithm(client.identity.introspection_signed_response_alg)),
        ("access token alg", algorithm(client.access_token_signed_response_alg)),
        ("code lifetime", seconds(client.authorization_code_lifetime)),
        ("access token lifetime", seconds(client.access_token_lifetime)),
        ("refresh token lifetime", lifetime(client.refresh_token_lifetime)),
        ("refresh token idle lifetime", lifetime(client.refresh_token_idle_lifetime)),
        ("home page", text(&client.client_uri)),
        ("logo", text(&client.logo_uri)),
        ("privacy policy", text(&client.policy_uri)),
        ("terms of service", text(&client.tos_uri)),
        ("created", output::moment(client.created_at)),
    ])?;
    if secret.is_some() {
        output::line("The secret is shown this once: keep it where the application finds it.")?;
    }
    Ok(())
}

/// RFC 7591 3.2.1, with this server's own members.
fn document(client: &Client, secret: Option<&Secret>) -> Result<Value, Failure> {
    let mut document = serde_json::to_value(client)?;
    if client.may_use(GrantType::AuthorizationCode) && client.requests.response_types.is_empty() {
        document["response_types"] = json!(["code"]);
    }
    if let Some(secret) = secret {
        document["client_secret"] = json!(secret.expose());
        // RFC 7591 3.2.1: REQUIRED if there is a secret; 0 means that it does not expire.
        document["client_secret_expires_at"] = json!(0);
    }
    Ok(document)
}

fn auth_method(client: &Client) -> &'static str {
    match client.token_endpoint_auth_method {
        AuthMethod::None => "none (public)",
        method => method.as_str(),
    }
}

/// Where the client's keys are, or their ids.
fn keys(client: &Client) -> String {
    if let Some(uri) = &client.jwks_uri {
        return uri.clone();
    }
    let set = client.jwks.as_ref().and_then(|jwks| jwks.get("keys")?.as_array());
    let id = |key: &Value| key.get("kid").and_then(Value::as_str).unwrap_or("(without kid)").to_owned();
    set.map(|set| set.iter().map(id).collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

fn grant_types(client: &Client) -> String {
    client.grant_types.iter().map(|grant_type| grant_type.as_str()).collect::<Vec<_>>().join(" ")
}

fn lifetime(lifetime: Option<Lifetime>) -> String {
    match lifetime {
        None => String::new(),
        Some(Lifetime::Unlimited) => "never ends".to_owned(),
        Some(Lifetime::Seconds(seconds)) => format!("{seconds} s"),
    }
}

/// The registered word of a value.
fn word(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_value(value)?.as_str().unwrap_or_default().to_owned())
}
