//! Clients as they are shown: in a list, one below the other, and as a document.

use serde_json::{Value, json};

use crate::cli::{Failure, client_tokens, output};
use crate::model::{
    Algorithm, AuthMethod, Client, ClientIdentity, ClientMetadata, ClientPolicy, ClientRequests, Encryption,
    GrantType, Lifetime, ProfileName, Profiles, Secret, SelfRegistered, SubjectType, UnknownProfile,
};
use crate::protocol::registration;

pub(super) fn list(clients: &[ClientMetadata], profiles: &Profiles, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&clients.iter().map(|client| document(client, None)).collect::<Vec<Value>>());
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
            weakens(client, &profiles.resolve(client.clone())),
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

pub(super) fn one(
    client: &ClientMetadata,
    profiles: &Profiles,
    secret: Option<&Secret>,
    as_json: bool,
) -> Result<(), Failure> {
    match as_json {
        true => output::json(&document(client, secret)),
        false => record(client, &profiles.resolve(client.clone()), secret),
    }
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

fn record(
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
