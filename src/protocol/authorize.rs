//! Authorization requests (RFC 6749 4.1.1, OpenID Connect Core 3.1.2, RFC 7636 4.3) in two stages.
//!
//! The first proves that the client exists and owns the redirect URI; until then an error can only be a page. It ends in
//! a [`RedirectTarget`], and nothing but a `RedirectTarget` can make a redirect. The second checks everything else; its
//! errors go to the client.

use url::Url;

use super::error::{ErrorCode, OAuthError};
use super::handover::Rejection;
use super::parameters::Parameters;
use super::resource::{self, Target};
use super::{pkce, redirect_uri, scope};
use crate::model::{
    AuthorizationRequest, Catalogue, Client, ConsentPolicy, GrantType, PkcePolicy, Presence, Prompt, Scope,
    ScopeSet,
};

/// Bytes of `state` that are kept for the client.
pub const MAX_STATE: usize = 4096;
/// Bytes of `nonce`, which ends up in an ID token.
const MAX_NONCE: usize = 1024;
/// Bytes of hints for the pages.
const MAX_HINT: usize = 256;

/// Why no redirect is possible: the answer is a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    ClientIdMissing,
    UnknownClient,
    RedirectUriMissing,
    RedirectUriNotRegistered,
    Malformed,
}

/// Where the answer goes: a redirect URI that the client is known to own, and its `state`.
#[derive(Debug, Clone, PartialEq)]
pub struct RedirectTarget {
    uri: String,
    state: Option<String>,
}

/// Stage one, part one: whose request it claims to be.
pub fn client_id<'p>(parameters: &'p Parameters<'_>) -> Result<&'p str, Unproven> {
    if parameters.is_repeated("client_id") || parameters.is_repeated("redirect_uri") {
        return Err(Unproven::Malformed);
    }
    parameters.get("client_id").ok_or(Unproven::ClientIdMissing)
}

/// Stage one, part two: whether the redirect URI is one of the client's.
pub fn prove(parameters: &Parameters<'_>, client: &Client) -> Result<RedirectTarget, Unproven> {
    let uri = match (parameters.get("redirect_uri"), client.redirect_uris.as_slice()) {
        (Some(requested), registered) => registered
            .iter()
            .any(|registered| redirect_uri::matches(registered, requested))
            .then_some(requested)
            .ok_or(Unproven::RedirectUriNotRegistered)?,
        // RFC 6749 3.1.2.3: it may be left out where only one is registered.
        (None, [only]) => only,
        (None, _) => return Err(Unproven::RedirectUriMissing),
    };
    // A state that is too long or was sent twice is not echoed; the second stage refuses the request.
    let echoed = |state: &&str| state.len() <= MAX_STATE && !parameters.is_repeated("state");
    let state = parameters.get("state").filter(echoed);
    Ok(RedirectTarget { uri: uri.to_owned(), state: state.map(str::to_owned) })
}

/// Stage two: everything else.
pub fn validate(
    parameters: &Parameters<'_>,
    client: &Client,
    catalogue: &Catalogue,
    target: &RedirectTarget,
) -> Result<AuthorizationRequest, OAuthError> {
    parameters.refuse_repeated()?;
    refuse_unsupported(parameters)?;
    check_response(parameters)?;
    if !client.may_use(GrantType::AuthorizationCode) {
        let description = "The client is not registered for the authorization code grant.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    let (scope, resources) = asked(parameters, client, catalogue)?;
    let nonce = limited(parameters, "nonce", MAX_NONCE)?;
    let code_challenge = code_challenge(parameters, client, &scope, nonce.is_some())?;
    let state = limited(parameters, "state", MAX_STATE)?;
    if state.is_none() && client.policy().state == Presence::Required {
        return Err(OAuthError::invalid_request("The client is registered to send a state."));
    }
    Ok(AuthorizationRequest {
        client_id: client.id.clone(),
        redirect_uri: target.uri.clone(),
        state: target.state.clone(),
        scope,
        resources,
        nonce,
        code_challenge,
        prompt: prompts(parameters, client)?,
        max_age: max_age(parameters)?,
        login_hint: parameters.get("login_hint").filter(|hint| hint.len() <= MAX_HINT).map(str::to_owned),
        ui_locales: parameters.get("ui_locales").filter(|hint| hint.len() <= MAX_HINT).map(str::to_owned),
    })
}

/// RFC 9101 6.3, OpenID Connect Core 3.1.2.6: what is not understood is refused by its own name.
fn refuse_unsupported(parameters: &Parameters<'_>) -> Result<(), OAuthError> {
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if parameters.get(name).is_some() {
            return Err(OAuthError::new(code, format!("The parameter {name} is not supported.")));
        }
    }
    Ok(())
}

fn check_response(parameters: &Parameters<'_>) -> Result<(), OAuthError> {
    if parameters.require("response_type")? != "code" {
        let description = "The only response type of this server is code.";
        return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, description));
    }
    match parameters.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(OAuthError::invalid_request("The only response mode of this server is query.")),
    }
}

/// What was asked for: scopes that the client may have, and resources that these make sense for.
pub fn asked(
    parameters: &Parameters<'_>,
    client: &Client,
    catalogue: &Catalogue,
) -> Result<(ScopeSet, Vec<String>), OAuthError> {
    let scope = scope::asked(parameters.get("scope").unwrap_or_default(), client, catalogue)?;
    if scope.is_empty() {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "Name the scopes the client needs."));
    }
    let resources = resource::asked(parameters)?;
    Target::new(&resources, client, catalogue)?.must_admit(&scope)?;
    Ok((scope, resources))
}

/// RFC 7636 4.4.1, RFC 9700 2.1.1: S256 is required, unless the operator made PKCE optional for a confidential client,
/// which then has to bind the code by a nonce where it asks for an ID token.
fn code_challenge(
    parameters: &Parameters<'_>,
    client: &Client,
    scope: &ScopeSet,
    has_nonce: bool,
) -> Result<Option<String>, OAuthError> {
    let method = parameters.get("code_challenge_method");
    let Some(challenge) = parameters.get("code_challenge") else {
        let optional = client.policy().pkce == PkcePolicy::Optional;
        return match (optional, method) {
            (_, Some(_)) | (false, None) => {
                Err(OAuthError::invalid_request("PKCE is required: send code_challenge with method S256."))
            }
            (true, None) if scope.contains(Scope::OPENID) && !has_nonce => {
                Err(OAuthError::invalid_request("Without PKCE an OpenID Connect request needs a nonce."))
            }
            (true, None) => Ok(None),
        };
    };
    // RFC 7636 4.3: an absent method means plain.
    if method != Some("S256") {
        return Err(OAuthError::invalid_request("The code challenge method must be S256."));
    }
    if !pkce::is_challenge(challenge) {
        return Err(OAuthError::invalid_request("The code challenge is not the base64url of a SHA-256."));
    }
    Ok(Some(challenge.to_owned()))
}

fn limited(
    parameters: &Parameters<'_>,
    name: &'static str,
    most: usize,
) -> Result<Option<String>, OAuthError> {
    match parameters.get(name) {
        Some(value) if value.len() > most => {
            Err(OAuthError::invalid_request(format!("The parameter {name} is longer than {most} bytes.")))
        }
        value => Ok(value.map(str::to_owned)),
    }
}

fn prompt(parameters: &Parameters<'_>) -> Result<Vec<Prompt>, OAuthError> {
    let mut prompts = Vec::new();
    for word in parameters.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
        prompts.push(match word {
            "none" => Prompt::None,
            "login" => Prompt::Login,
            "consent" => Prompt::Consent,
            "select_account" => Prompt::SelectAccount,
            _ => return Err(OAuthError::invalid_request("A value of prompt is not known.")),
        });
    }
    // OpenID Connect Core 3.1.2.1: none with any other value is an error.
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(OAuthError::invalid_request("prompt=none cannot be combined with another value."));
    }
    Ok(prompts)
}

/// `prompt`, or what the older `approval_prompt` means in its words. Where both are absent, a client may be registered
/// to be asked about each time. An application whose users are never asked is not asked about by this either.
fn prompts(parameters: &Parameters<'_>, client: &Client) -> Result<Vec<Prompt>, OAuthError> {
    if parameters.get("prompt").is_some() {
        return prompt(parameters);
    }
    let force = match parameters.get("approval_prompt") {
        Some("force") => true,
        Some("auto") => false,
        None => client.policy().consent == ConsentPolicy::Always,
        Some(_) => return Err(OAuthError::invalid_request("approval_prompt is neither force nor auto.")),
    };
    Ok(if force && !client.skip_consent { vec![Prompt::Consent] } else { Vec::new() })
}

fn max_age(parameters: &Parameters<'_>) -> Result<Option<i64>, OAuthError> {
    let Some(text) = parameters.get("max_age") else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: Option<i64> = text.parse().ok().filter(|_| digits);
    seconds.map(Some).ok_or_else(|| OAuthError::invalid_request("max_age is not a number of seconds."))
}

impl RedirectTarget {
    /// The target of a request that was proven before, if the client still owns it.
    pub fn of(request: &AuthorizationRequest, client: &Client) -> Option<Self> {
        let owns = |registered: &String| redirect_uri::matches(registered, &request.redirect_uri);
        client
            .redirect_uris
            .iter()
            .any(owns)
            .then(|| Self { uri: request.redirect_uri.clone(), state: request.state.clone() })
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The address of a successful answer (RFC 6749 4.1.2, OpenID Connect Session Management 3).
    pub fn success(&self, issuer: &str, code: &str, session_state: Option<&str>) -> String {
        match session_state {
            Some(state) => self.with(issuer, &[("code", code), ("session_state", state)]),
            None => self.with(issuer, &[("code", code)]),
        }
    }

    /// The address of an error answer (RFC 6749 4.1.2.1).
    pub fn failure(&self, issuer: &str, error: &OAuthError) -> String {
        self.with(issuer, &[("error", error.code.as_str()), ("error_description", &error.description)])
    }

    /// The address of an error answer that an external page chose.
    pub fn rejection(&self, issuer: &str, rejection: &Rejection) -> String {
        let answer = [("error", rejection.error()), ("error_description", rejection.description())];
        self.with(issuer, &answer)
    }

    /// RFC 6749 3.1.2: the query of the redirect URI MUST be retained; RFC 9207 2: every answer names the issuer.
    fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
        let separator = match (self.uri.contains('?'), self.uri.ends_with(['?', '&'])) {
            (_, true) => "",
            (true, false) => "&",
            (false, false) => "?",
        };
        format!("{}{separator}{}", self.uri, query.finish())
    }

    /// The host a person is told they will return to; the scheme for an app on their device.
    pub fn host(&self) -> String {
        match Url::parse(&self.uri) {
            Ok(url) => match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                (None, _) => url.scheme().to_owned(),
            },
            Err(_) => self.uri.clone(),
        }
    }
}
