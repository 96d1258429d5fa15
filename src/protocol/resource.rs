//! Resource indicators (RFC 8707): which APIs a token is asked for, and what that makes of it.

use std::borrow::Cow;
use std::sync::Arc;

use url::Url;

use super::claims::Audience;
use super::discovery::SCOPES;
use super::error::{ErrorCode, OAuthError};
use super::invalid_metadata::{InvalidMetadata, MAX_ACCESS_TOKEN_LIFETIME};
use super::parameters::Parameters;
use crate::model::{Algorithm, Catalogue, Client, Resource, Scope, ScopeSet, TokenFormat, text};

/// Bytes of a resource's URI.
const MAX_URI: usize = 512;
/// Bytes of its name.
const MAX_RESOURCE_NAME: usize = 200;
/// More than any request needs; each is carried by every token.
const MAX_RESOURCES: usize = 16;

/// What is wrong with a URI that is to name a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    #[error("it is not an absolute URI (RFC 8707 2)")]
    NotAbsolute,
    #[error("it has a fragment (RFC 8707 2)")]
    Fragment,
    #[error("it is longer than {MAX_URI} bytes")]
    TooLong,
}

/// RFC 8707 2: an absolute URI that MUST NOT include a fragment component.
pub fn check_uri(uri: &str) -> Result<(), InvalidResource> {
    if uri.len() > MAX_URI {
        return Err(InvalidResource::TooLong);
    }
    let in_ascii = uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !in_ascii || Url::parse(uri).is_err() {
        return Err(InvalidResource::NotAbsolute);
    }
    if uri.contains('#') { Err(InvalidResource::Fragment) } else { Ok(()) }
}

/// Every problem of a resource that somebody wants to register.
pub fn check(resource: &Resource) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    if let Err(error) = check_uri(&resource.id) {
        complain("resource", error.to_string());
    }
    if resource.name.len() > MAX_RESOURCE_NAME {
        let problem =
            format!("people read it when they are asked for consent; 1 to {MAX_RESOURCE_NAME} bytes");
        complain("resource_name", problem);
    }
    if let Err(error) = text::check_readable(&resource.name) {
        complain("resource_name", format!("people read it when they are asked for consent: {error}"));
    }
    // OpenID Connect Core 5.3.1: with openid a token would be one for UserInfo.
    if resource.scope.contains(Scope::OPENID) || resource.scope.contains(Scope::OFFLINE_ACCESS) {
        complain("scope", "openid and offline_access belong to this server, not to a resource".into());
    }
    let lifetime = resource.access_token_lifetime;
    if lifetime.is_some_and(|seconds| !(1..=MAX_ACCESS_TOKEN_LIFETIME).contains(&seconds)) {
        complain("access_token_lifetime", format!("1 to {MAX_ACCESS_TOKEN_LIFETIME} seconds"));
    }
    problems
}

fn invalid_target(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidTarget, description)
}

/// The resources a request names, each once, by `resource` or by its older alias `audience`, which may also be a list
/// separated by spaces, and whose values may be mere names (RFC 8693 2.1).
pub fn asked(parameters: &Parameters<'_>) -> Result<Vec<String>, OAuthError> {
    for uri in parameters.all("resource") {
        check_uri(uri).map_err(|error| match error {
            InvalidResource::Fragment => invalid_target("A resource must not have a fragment."),
            InvalidResource::NotAbsolute | InvalidResource::TooLong => {
                invalid_target("A resource is not an absolute URI.")
            }
        })?;
    }
    let audiences =
        || parameters.all("audience").flat_map(|list| list.split(' ')).filter(|name| !name.is_empty());
    if !audiences().all(is_audience) {
        return Err(invalid_target("An audience is longer than 512 bytes, or not printable ASCII."));
    }
    let mut asked: Vec<String> = Vec::new();
    for name in parameters.all("resource").chain(audiences()) {
        if asked.iter().any(|asked| asked == name) {
            continue;
        }
        // Before the next is looked for among them: a list may be as long as the request.
        if asked.len() == MAX_RESOURCES {
            return Err(invalid_target("The request names too many resources."));
        }
        asked.push(name.to_owned());
    }
    Ok(asked)
}

/// Whether a text may be asked for as an audience: a URI, or another name without spaces.
fn is_audience(name: &str) -> bool {
    name.len() <= MAX_URI && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What an access token is for; without resources and audiences it is for the client's default audience.
#[derive(Debug, Default)]
pub struct Target {
    resources: Vec<Arc<Resource>>,
    /// Names in the client's own `audience` that nobody registered as resources.
    audiences: Vec<String>,
}

/// One thing that a client may ask tokens for.
enum Found {
    Resource(Arc<Resource>),
    Audience(String),
}

impl FromIterator<Found> for Target {
    fn from_iter<T: IntoIterator<Item = Found>>(all: T) -> Self {
        let mut target = Self::default();
        for found in all {
            match found {
                Found::Resource(resource) => target.resources.push(resource),
                Found::Audience(name) => target.audiences.push(name),
            }
        }
        target
    }
}

impl Target {
    /// RFC 8707 2: each must be known, and this client must be allowed to ask for it.
    pub fn new(names: &[String], client: &Client, catalogue: &Catalogue) -> Result<Self, OAuthError> {
        let unknown = || {
            invalid_target(
                "A resource is unknown, or the client is not registered for it (its members resources and audience).",
            )
        };
        names.iter().map(|name| find(name, client, catalogue).ok_or_else(unknown)).collect()
    }

    /// RFC 8707 2.2: a token request may name some of the resources that were granted, and gets all when it names
    /// none. Those that were since taken from the client are left out.
    pub fn narrowed(
        granted: &[String],
        asked: &[String],
        client: &Client,
        catalogue: &Catalogue,
    ) -> Result<Self, OAuthError> {
        if asked.iter().any(|name| !granted.contains(name)) {
            return Err(invalid_target("A resource is not one of those that were granted."));
        }
        if !asked.is_empty() {
            return Self::new(asked, client, catalogue);
        }
        let target: Self = granted.iter().filter_map(|name| find(name, client, catalogue)).collect();
        // Never fall back to the default audience: that is not what was granted.
        if target.is_default() && !granted.is_empty() {
            return Err(invalid_target("None of the resources that were granted is left to the client."));
        }
        Ok(target)
    }

    fn is_default(&self) -> bool {
        self.resources.is_empty() && self.audiences.is_empty()
    }

    /// One token has one form, so its resources must agree on it.
    pub fn must_agree(self, client: &Client) -> Result<Self, OAuthError> {
        let own = (client.policy().token_format, client.access_token_signed_response_alg);
        let form = |resource: &Arc<Resource>| {
            let algorithm = resource.access_token_signed_response_alg;
            (resource.token_format.unwrap_or(own.0), algorithm.or(own.1))
        };
        let mut forms = self.resources.iter().map(form).chain(self.audiences.iter().map(|_| own));
        let first = forms.next();
        let agree = forms.all(|form| Some(form) == first);
        let description = "The resources want tokens of different formats; ask for one resource at a time.";
        if agree { Ok(self) } else { Err(invalid_target(description)) }
    }

    /// RFC 6749 3.3: what was asked for by name must make sense for what it is asked for.
    pub fn must_admit(&self, asked: &ScopeSet) -> Result<(), OAuthError> {
        if asked.iter().all(|scope| SCOPES.contains(&scope) || self.admits(scope)) {
            return Ok(());
        }
        let description = "A scope does not belong to a resource that is asked for.";
        Err(OAuthError::new(ErrorCode::InvalidScope, description))
    }

    /// The part of a scope that goes into the token. What OpenID Connect defines is between the client and this
    /// server, so it does not go to a resource, unless that one has a scope of such a name.
    pub fn scope(&self, scope: &ScopeSet) -> ScopeSet {
        scope.filter(|scope| self.admits(scope))
    }

    fn admits(&self, scope: &str) -> bool {
        let of_no_resource = || !SCOPES.contains(&scope);
        let admits = |resource: &Arc<Resource>| match resource.scope.is_empty() {
            true => of_no_resource(),
            false => resource.scope.contains(scope),
        };
        self.resources.is_empty()
            || self.resources.iter().any(admits)
            || (!self.audiences.is_empty() && of_no_resource())
    }

    /// RFC 8707 2: `aud` of the token; `default` where it is for no resource.
    pub fn audience(&self, default: &[String], issuer: &str) -> Audience {
        if self.is_default() {
            return Audience::of(default, issuer);
        }
        let resources = self.resources.iter().map(|resource| resource.id.clone());
        Audience::of(&resources.chain(self.audiences.iter().cloned()).collect::<Vec<_>>(), issuer)
    }

    pub fn format(&self, client: &Client) -> TokenFormat {
        let first = self.resources.first().and_then(|first| first.token_format);
        first.unwrap_or_else(|| client.policy().token_format)
    }

    /// None: the server's default.
    pub fn algorithm(&self, client: &Client) -> Option<Algorithm> {
        let first = self.resources.first().and_then(|first| first.access_token_signed_response_alg);
        first.or(client.access_token_signed_response_alg)
    }

    /// Seconds the token lives: as the resource says, else the client, else the server. Of several the shortest.
    pub fn lifetime(&self, client: &Client, default: i64) -> i64 {
        let usual = client.policy().access_token_lifetime.unwrap_or(default);
        let of = |resource: &Arc<Resource>| resource.access_token_lifetime.unwrap_or(usual);
        let others = self.audiences.iter().map(|_| usual);
        self.resources.iter().map(of).chain(others).min().unwrap_or(usual)
    }

    /// Seconds the longest-lived token of any of these lives.
    pub fn longest_lifetime(&self, client: &Client, default: i64) -> i64 {
        let usual = client.policy().access_token_lifetime.unwrap_or(default);
        let own = self.resources.iter().filter_map(|resource| resource.access_token_lifetime);
        own.max().map_or(usual, |longest| longest.max(usual))
    }

    /// Each as requests and as the consent page call it.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        let resources = self.resources.iter().map(|resource| (resource.id.as_str(), resource.name.as_str()));
        resources.chain(self.audiences.iter().map(|name| (name.as_str(), name.as_str())))
    }
}

/// A registered resource that is in the client's `resources`, or what its own `audience` names.
fn find(name: &str, client: &Client, catalogue: &Catalogue) -> Option<Found> {
    let in_list = |list: &[String]| list.iter().any(|one| one == name);
    let in_audience = in_list(&client.audience);
    match catalogue.resource(name) {
        Some(resource) if in_audience || in_list(&client.resources) => {
            Some(Found::Resource(Arc::clone(resource)))
        }
        Some(_) => None,
        None => in_audience.then(|| Found::Audience(name.to_owned())),
    }
}

/// What of a token's audience its client may still ask for; none: nothing. The issuer alone is what every client's tokens
/// are for when nothing else is registered, and nobody takes that away.
pub fn left<'a>(
    audience: &'a Audience,
    client: &Client,
    catalogue: &Catalogue,
    issuer: &str,
) -> Option<Cow<'a, Audience>> {
    let is_left = |name: &&str| find(name, client, catalogue).is_some();
    if matches!(audience, Audience::One(one) if one == issuer) || audience.iter().all(|name| is_left(&name)) {
        return Some(Cow::Borrowed(audience));
    }
    let left: Vec<String> = audience.iter().filter(is_left).map(str::to_owned).collect();
    (!left.is_empty()).then(|| Cow::Owned(Audience::of(&left, issuer)))
}

/// Whether a scope still belongs to what a token is for: what a resource has not any more is in no token for it. A
/// default audience takes every scope.
pub fn still_admits(audience: &Audience, scope: &str, client: &Client, catalogue: &Catalogue) -> bool {
    let is_default = |name: &str| client.audience.iter().any(|one| one == name);
    if audience.iter().any(is_default) {
        return true;
    }
    let resources = audience.iter().filter_map(|name| catalogue.resource(name).map(Arc::clone)).collect();
    Target { resources, audiences: Vec::new() }.admits(scope)
}

/// RFC 9068 4: UserInfo is a resource of this server's own, so it takes no token that is for other ones only.
pub fn is_for_others_only(audience: &Audience, issuer: &str, catalogue: &Catalogue) -> bool {
    !audience.contains(issuer) && audience.iter().all(|name| catalogue.resource(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::{InvalidResource, asked, check, check_uri};
    use crate::model::Resource;
    use crate::protocol::Parameters;

    #[test]
    fn a_request_names_sixteen_resources_and_the_seventeenth_ends_the_search() {
        let names = |number: usize| {
            let all: Vec<String> = (0..number).map(|each| format!("name-{each}")).collect();
            let encoded = format!("audience={}", all.join("+"));
            asked(&Parameters::parse(encoded.as_bytes()).unwrap()).map(|names| names.len())
        };
        assert_eq!(names(16).unwrap(), 16);
        for number in [17, 5000] {
            assert!(names(number).is_err());
        }
        let twice = "audience=a+b+a+b&audience=a&resource=https://a.example&resource=https://a.example";
        assert_eq!(
            asked(&Parameters::parse(twice.as_bytes()).unwrap()).unwrap(),
            ["https://a.example", "a", "b"]
        );
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_a_fragment() {
        for uri in
            ["https://api.example", "https://api.example/a?b=c", "urn:example:api", "http://localhost:1/x"]
        {
            assert_eq!(check_uri(uri), Ok(()), "{uri}");
        }
        for uri in [
            "",
            "api",
            "/api",
            "//api.example",
            "https://",
            "https://a b",
            "https://a/\\",
            "https://ä.example",
        ] {
            assert_eq!(check_uri(uri), Err(InvalidResource::NotAbsolute), "{uri}");
        }
        assert_eq!(check_uri("https://api.example/#"), Err(InvalidResource::Fragment));
        assert_eq!(check_uri(&format!("https://a/{}", "x".repeat(512))), Err(InvalidResource::TooLong));
    }

    #[test]
    fn hy_07_resource_and_audience_name_the_same_things_each_once() {
        let query = b"resource=https%3A%2F%2Fa&audience=https%3A%2F%2Fb+https%3A%2F%2Fa&resource=https%3A%2F%2Fc&resource=";
        let found = asked(&Parameters::parse(query).unwrap()).unwrap();
        assert_eq!(found, ["https://a", "https://c", "https://b"]);
        for query in [
            "resource=a",
            "audience=https%3A%2F%2Fa+%C3%A4",
            "resource=https%3A%2F%2Fa%23f",
            "resource=x%20y",
        ] {
            let error = asked(&Parameters::parse(query.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(error.code.as_str(), "invalid_target", "{query}");
        }
        let many: String =
            (0..17).map(|number| format!("resource=https%3A%2F%2F{number}.example&")).collect();
        assert!(asked(&Parameters::parse(many.as_bytes()).unwrap()).is_err());
    }

    #[test]
    fn a_resource_is_checked_before_it_is_registered() {
        let resource = |change: serde_json::Value| -> Resource {
            let mut all = serde_json::json!({
                "resource": "https://api.example", "resource_name": "API", "scope": "a b", "created_at": 0,
            });
            all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value(all).unwrap()
        };
        assert!(check(&resource(serde_json::json!({}))).is_empty());
        for (member, value) in [
            ("resource", serde_json::json!("api")),
            ("resource_name", serde_json::json!("a\u{7}")),
            ("scope", serde_json::json!("a openid")),
            ("access_token_lifetime", serde_json::json!(0)),
            ("access_token_lifetime", serde_json::json!(86_401)),
        ] {
            let problems = check(&resource(serde_json::json!({ member: value })));
            assert_eq!(problems.iter().map(|problem| problem.member).collect::<Vec<_>>(), [member]);
        }
    }
}
