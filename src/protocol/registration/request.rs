//! What an application says of itself at the registration endpoint, and the client that comes of it (RFC 7591 2, 3.1).
//!
//! A member of the registry is honoured or refused by its name. Which is which is not a second list: the client is made
//! from all of them, and what it does not say afterwards it does not honour.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::members::{self, LOCALIZABLE, OPERATORS, SERVER_MADE, SOFTWARE_STATEMENT, STANDARD};
use super::{InvalidMetadata, forms, self_registered};
use crate::model::{
    Algorithm, AssertionAlgorithm, AuthMethod, BothKeySources, ClientMetadata, GrantType, Profiles, ScopeSet,
    text,
};
use crate::protocol::{ErrorCode, OAuthError, redirect_uri};

/// Bytes of one text.
const LONGEST_TEXT: usize = 2048;
/// Entries of one list.
const MOST_ENTRIES: usize = 50;
/// URIs that people or requests are sent to, or that requests are at: each costs some of a processor to read.
const MOST_URIS: usize = 100;
/// Bytes of all names in other languages together: what their letters are is looked up.
const LONGEST_NAMES: usize = 3072;
/// Members of the whole: more than twice what the standards have, in some languages.
const MOST_MEMBERS: usize = 200;
/// Bytes of an error description.
const LONGEST_DESCRIPTION: usize = 1000;

/// A JSON object of metadata.
pub type Members = Map<String, Value>;

/// What the operator offers to applications that register themselves.
#[derive(Debug, Clone)]
pub struct Terms {
    pub scope: ScopeSet,
    pub grant_types: Vec<GrantType>,
    /// For a client that names no algorithm for its ID tokens.
    pub id_token_alg: Algorithm,
    /// Whether what people are shown has to be at a host that the client returns to (RFC 7591 5).
    pub same_host: bool,
    /// A client's own is the operator's to choose.
    pub profiles: Profiles,
}

/// A body as members. Null stands for absent (RFC 7592 2.2).
pub fn read(body: &[u8]) -> Result<Members, OAuthError> {
    let mut given: Members =
        serde_json::from_slice(body).map_err(|_| invalid("Send the metadata as one JSON object."))?;
    given.retain(|_, value| !value.is_null());
    if given.len() > MOST_MEMBERS {
        return Err(invalid("The metadata has more than 200 members."));
    }
    Ok(given)
}

/// The client that these members describe. `kept` is what does not come from them: the server's own members, and what
/// the operator set.
pub fn client(given: &Members, kept: Members, terms: &Terms) -> Result<ClientMetadata, OAuthError> {
    let mut problems = Vec::new();
    let mut document = Members::new();
    let mut localized = BTreeMap::new();
    for (name, value) in given {
        match sort(name, value) {
            Sorted::Taken(name) => drop(document.insert(name.to_owned(), value.clone())),
            Sorted::Localized(text) => drop(localized.insert(name.clone(), text)),
            Sorted::Refused(problem) => problems.push(problem),
            Sorted::Ignored => {}
        }
    }
    problems.extend(two_key_sources(&document));
    problems.extend(too_dear(&document, &localized));
    if !localized.is_empty() {
        document.insert("localized".to_owned(), json!(localized));
    }
    leave_out_what_has_no_effect(&mut document);
    let asked = document.clone();
    document.extend(kept.clone());
    fill_in(&mut document, terms);
    refuse_all(problems)?;
    let client: ClientMetadata = serde_json::from_value(Value::Object(document))
        .map_err(|error| refusal(culprits(&asked, &kept, terms, &error)))?;
    let client = terms.profiles.resolve(client).map_err(OAuthError::server_error)?;
    let mut problems = super::check(&client);
    problems.extend(self_registered::check(&client, terms));
    problems.extend(dishonoured(&asked, &client));
    refuse_all(problems)?;
    Ok(client.into_metadata())
}

/// RFC 7591 3.2.1: preferences about what this client cannot do. Libraries send their own defaults for them, which are no
/// reason to refuse an application.
fn leave_out_what_has_no_effect(document: &mut Members) {
    let is_algorithm = |member: &str| {
        let value = document.get(member).cloned().unwrap_or_default();
        serde_json::from_value::<AssertionAlgorithm>(value).is_ok()
    };
    // OpenID Connect Registration 2: it is about the assertions of these two methods.
    let method = document.get("token_endpoint_auth_method").and_then(Value::as_str);
    let method = method.and_then(AuthMethod::named);
    let asserts = matches!(method, Some(AuthMethod::ClientSecretJwt | AuthMethod::PrivateKeyJwt));
    let of_assertions = !asserts && is_algorithm("token_endpoint_auth_signing_alg");
    // Without keys no signature is ever good, by whatever algorithm.
    let has_keys = document.contains_key("jwks") || document.contains_key("jwks_uri");
    let must_sign = document.get("require_signed_request_object") == Some(&json!(true));
    let of_requests = !has_keys && !must_sign && is_algorithm("request_object_signing_alg");
    for (member, has_no_effect) in
        [("token_endpoint_auth_signing_alg", of_assertions), ("request_object_signing_alg", of_requests)]
    {
        if has_no_effect {
            document.remove(member);
        }
    }
}

/// RFC 7591 2: `jwks` and `jwks_uri` MUST NOT both be present.
fn two_key_sources(document: &Members) -> Option<InvalidMetadata> {
    let has = |member: &str| document.get(member).is_some_and(|value| !value.is_null());
    let both = has("jwks") && has("jwks_uri");
    both.then(|| InvalidMetadata { member: "jwks", problem: BothKeySources.to_string() })
}

/// What costs more to look at than a client is worth of whom nobody knows anything (docs/adr/0045).
fn too_dear(document: &Members, localized: &BTreeMap<String, String>) -> Option<InvalidMetadata> {
    const LISTS: [&str; 3] = ["redirect_uris", "post_logout_redirect_uris", "request_uris"];
    let entries = |name: &&str| document.get(*name).and_then(Value::as_array).map_or(0, Vec::len);
    if LISTS.iter().map(entries).sum::<usize>() > MOST_URIS {
        let problem = format!("{} have more than {MOST_URIS} entries together", LISTS.join(", "));
        return Some(InvalidMetadata { member: "redirect_uris", problem });
    }
    let names = localized.iter().filter(|(name, _)| forms::is_name(name));
    (names.map(|(_, text)| text.len()).sum::<usize>() > LONGEST_NAMES).then(|| InvalidMetadata {
        member: "client_name",
        problem: format!("in other languages it has more than {LONGEST_NAMES} bytes in all"),
    })
}

/// What becomes of one member.
enum Sorted {
    Taken(&'static str),
    /// In another language.
    Localized(String),
    Refused(InvalidMetadata),
    /// RFC 7591 2: what is not understood MUST be ignored.
    Ignored,
}

fn sort(name: &str, value: &Value) -> Sorted {
    let refused =
        |member, problem: &str| Sorted::Refused(InvalidMetadata { member, problem: problem.into() });
    if let Some(member) = members::known(OPERATORS, name) {
        return refused(member, "only the operator of this server sets it; leave it out");
    }
    if let Some(member) = members::known(SERVER_MADE, name) {
        return refused(member, "this server makes it; leave it out");
    }
    if let Some(member) =
        members::known(STANDARD, name).or((name == SOFTWARE_STATEMENT).then_some(SOFTWARE_STATEMENT))
    {
        let excess = match member {
            // Its texts are as long as keys are.
            "jwks" => value["keys"].as_array().and_then(|keys| too_many(keys.len())),
            SOFTWARE_STATEMENT => None,
            _ => excess(value),
        };
        return match excess {
            None => Sorted::Taken(member),
            Some(problem) => refused(member, &problem),
        };
    }
    let Some((base, tag)) = name.split_once('#') else { return Sorted::Ignored };
    let Some(member) = members::known(LOCALIZABLE, base) else { return Sorted::Ignored };
    let Some(text) = value.as_str().filter(|_| is_language_tag(tag)) else {
        return refused(
            member,
            "with a language tag it is a text for people, or an https URI (RFC 7591 2.2)",
        );
    };
    // Names are looked at once, with the client's own.
    if forms::is_name(name) {
        return Sorted::Localized(text.to_owned());
    }
    let checked = redirect_uri::check_web(text).map_err(|error| error.to_string());
    match excess(value).or(checked.err()) {
        None => Sorted::Localized(text.to_owned()),
        Some(problem) => refused(member, &problem),
    }
}

fn too_many(entries: usize) -> Option<String> {
    (entries > MOST_ENTRIES).then(|| format!("it has more than {MOST_ENTRIES} entries"))
}

/// What is too much or could disturb a page or a terminal: a text that is too long or cannot be read, a list too long.
fn excess(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
        Value::String(text) if text.len() > LONGEST_TEXT => {
            Some(format!("a text in it has more than {LONGEST_TEXT} bytes"))
        }
        Value::String(text) => text::check_characters(text).err().map(|error| error.to_string()),
        Value::Array(entries) => too_many(entries.len()).or_else(|| entries.iter().find_map(excess)),
        Value::Object(entries) => too_many(entries.len()).or_else(|| entries.values().find_map(excess)),
    }
}

/// RFC 5646 2.1, roughly: letters and digits in groups of at most eight.
fn is_language_tag(tag: &str) -> bool {
    let group =
        |group: &str| matches!(group.len(), 1..=8) && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    tag.len() <= 35 && tag.split('-').all(group)
}

/// The defaults of RFC 7591 2 and OpenID Connect Registration 2, not those of the command line.
fn fill_in(document: &mut Members, terms: &Terms) {
    let text = |document: &Members, name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    for (name, value) in [
        ("token_endpoint_auth_method", json!(AuthMethod::ClientSecretBasic)),
        ("grant_types", json!([GrantType::AuthorizationCode])),
        ("redirect_uris", json!([])),
        ("scope", json!(terms.scope)),
        ("id_token_signed_response_alg", json!(terms.id_token_alg)),
    ] {
        document.entry(name).or_insert(value);
    }
    let uris: Vec<String> = document["redirect_uris"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let application_type = self_registered::type_of(&uris);
    document.entry("application_type").or_insert(json!(application_type));
    // RFC 7591 2: without a name, people may be shown something else.
    let name = text(document, "client_uri").into_iter().chain(uris).find_map(|uri| redirect_uri::host(&uri));
    let name = name.or_else(|| text(document, "client_id"));
    document.entry("client_name").or_insert(json!(name));
}

/// The members whose values have the wrong type: each alone in a client that is right otherwise.
fn culprits(
    asked: &Members,
    kept: &Members,
    terms: &Terms,
    error: &serde_json::Error,
) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    for &name in STANDARD {
        let Some(value) = asked.get(name) else { continue };
        let mut alone = kept.clone();
        fill_in(&mut alone, terms);
        alone.insert(name.to_owned(), value.clone());
        if let Err(error) = serde_json::from_value::<ClientMetadata>(Value::Object(alone)) {
            problems.push(InvalidMetadata { member: name, problem: error.to_string() });
        }
    }
    if problems.is_empty() {
        problems.push(InvalidMetadata { member: "metadata", problem: error.to_string() });
    }
    problems
}

/// The members that the client does not say as they were asked.
fn dishonoured(asked: &Members, client: &ClientMetadata) -> Vec<InvalidMetadata> {
    let said = super::public_document(client);
    let differs = |name: &&str| {
        let Some(value) = asked.get(*name) else { return false };
        // What is off by being absent may be switched off by its name. A scope named twice is said once.
        let nothing = value == &json!(false) || value == &json!([]);
        let off = nothing && said.get(*name).is_none();
        *name != "scope" && !off && said.get(*name) != Some(value)
    };
    let problem = |member| InvalidMetadata { member, problem: "this server does not do that".into() };
    STANDARD.iter().copied().filter(differs).map(problem).collect()
}

fn refuse_all(problems: Vec<InvalidMetadata>) -> Result<(), OAuthError> {
    if problems.is_empty() { Ok(()) } else { Err(refusal(problems)) }
}

/// RFC 7591 3.2.2.
pub fn refusal(problems: Vec<InvalidMetadata>) -> OAuthError {
    let redirects = problems.iter().all(|problem| problem.member == "redirect_uris");
    let code = if redirects { ErrorCode::InvalidRedirectUri } else { ErrorCode::InvalidClientMetadata };
    let mut all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    all.dedup();
    OAuthError::new(code, printable(&all.join("; ")))
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, description)
}

/// RFC 7591 3.2.2: a description is ASCII.
fn printable(text: &str) -> String {
    let plain = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    text.chars().take(LONGEST_DESCRIPTION).map(plain).collect()
}
