//! Authorization requests (RFC 6749 4.1.1, OpenID Connect Core 3.1.2, RFC 7636 4.3) in two stages.
//!
//! The first proves that the client exists and owns the redirect URI; until then an error can only be a page. It ends in
//! a `RedirectTarget`, and nothing but a `RedirectTarget` can make a redirect. The second checks everything else; its
//! errors go to the client.

use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::resource::{self, Target};
use super::response::{self, RedirectTarget};
use super::{claims_request, pkce, redirect_uri, scope};
use crate::model::{
    AuthorizationRequest, Catalogue, Client, ConsentPolicy, GrantType, PkcePolicy, Presence, Prompt,
    ResponseType, Scope, ScopeSet,
};

/// Bytes of `state` that are kept for the client.
pub const MAX_STATE: usize = 4096;
/// Bytes of `nonce`, which ends up in an ID token.
const MAX_NONCE: usize = 1024;
/// `display` (OpenID Connect Core 3.1.2.1).
const DISPLAYS: [&str; 4] = ["page", "popup", "touch", "wap"];
/// Bytes of hints for the pages.
const MAX_HINT: usize = 256;
/// Bytes of all parameters of a request, which is kept while somebody signs in.
const MAX_REQUEST: usize = 16_384;
/// Bytes of a request that are kept as they were sent.
const MAX_SENT: usize = 16_384;
/// What a pushed request may have beside the parameters of the request (RFC 9126 2.1).
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];
const NO_SIGN_UP: &str =
    "prompt=create is not supported for this client: its users cannot make accounts by themselves.";

/// Why no redirect is possible: the answer is a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    ClientIdMissing,
    UnknownClient,
    RedirectUriMissing,
    RedirectUriNotRegistered,
    Malformed,
    /// Unknown, used, expired, another client's, or another browser's.
    PushedRequestUnusable,
    StateTooLong,
    StateRepeated,
}

impl Unproven {
    /// What is wrong, for the developer.
    pub fn description(self) -> &'static str {
        match self {
            Self::ClientIdMissing => "The parameter client_id is missing.",
            Self::UnknownClient => "No client has this client_id.",
            Self::RedirectUriMissing => "The parameter redirect_uri is missing.",
            Self::RedirectUriNotRegistered => "redirect_uri is not one that is registered for the client.",
            Self::Malformed => "client_id or redirect_uri was sent more than once.",
            Self::PushedRequestUnusable => {
                "request_uri is not one of a pushed request of this client, or it has expired or was used."
            }
            Self::StateTooLong => {
                "The parameter state is longer than 4096 bytes: nothing that fits in a redirect can bring it back."
            }
            Self::StateRepeated => {
                "The parameter state was sent more than once: none of them can be sent back."
            }
        }
    }
}

/// Stage one, part one: whose request it claims to be.
pub fn client_id<'p>(parameters: &'p Parameters<'_>) -> Result<&'p str, Unproven> {
    if parameters.is_repeated("client_id") || parameters.is_repeated("redirect_uri") {
        return Err(Unproven::Malformed);
    }
    parameters.get("client_id").ok_or(Unproven::ClientIdMissing)
}

/// Stage one, part two: whether the redirect URI is one of the client's, and there is a state that an answer can have.
pub fn prove(parameters: &Parameters<'_>, client: &Client) -> Result<RedirectTarget, Unproven> {
    let uri = match (parameters.get("redirect_uri"), client.redirect_uris.as_slice()) {
        (Some(requested), registered) => registered
            .iter()
            .any(|registered| redirect_uri::matches(registered, requested))
            .then_some(requested)
            .ok_or(Unproven::RedirectUriNotRegistered)?,
        // RFC 6749 3.1.2.3: it may be left out where only one is registered; OpenID Connect Core 3.1.2.1: REQUIRED.
        (None, [only]) if !is_openid(parameters) => only,
        (None, _) => return Err(Unproven::RedirectUriMissing),
    };
    // RFC 6749 4.1.2.1: an error has the exact value of state. Without it the application would take the answer for
    // one that it never asked for, and say that; so whoever is at the browser is told instead.
    if parameters.is_repeated("state") {
        return Err(Unproven::StateRepeated);
    }
    let state = parameters.get("state");
    if state.is_some_and(|state| state.len() > MAX_STATE) {
        return Err(Unproven::StateTooLong);
    }
    Ok(RedirectTarget::new(uri, state, parameters, client))
}

fn is_openid(parameters: &Parameters<'_>) -> bool {
    parameters.get("scope").unwrap_or_default().split(' ').any(|scope| scope == Scope::OPENID)
}

/// What the server offers to authorization requests.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    pub catalogue: &'a Catalogue,
    /// Also response types that are implicit.
    pub implicit: bool,
    /// Every request has to be pushed (RFC 9126 5), whatever its client is registered for.
    pub must_be_pushed: bool,
    /// Every request has to be a signed request object (RFC 9101 10.5), whatever its client is registered for.
    pub must_be_signed: bool,
    /// Whether this client's users see the pages of somebody else, which may let them make accounts.
    pub external_pages: bool,
}

/// How a request got here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrival {
    pub is_pushed: bool,
    /// In a request object that the client signed.
    pub is_signed: bool,
}

/// Stage two: everything else.
pub fn validate(
    parameters: &Parameters<'_>,
    client: &Client,
    offer: Offer<'_>,
    arrival: Arrival,
    target: &RedirectTarget,
) -> Result<AuthorizationRequest, OAuthError> {
    parameters.refuse_repeated()?;
    if parameters.size() > MAX_REQUEST {
        return Err(OAuthError::invalid_request(format!(
            "The parameters are longer than {MAX_REQUEST} bytes."
        )));
    }
    refuse_unsupported(parameters)?;
    check_arrival(client, offer, arrival)?;
    let (response_type, response_mode) = response::requested(parameters, client, offer.implicit)?;
    check_grant_type(client, response_type)?;
    let (scope, resources) = asked(parameters, client, offer.catalogue)?;
    let nonce = limited(parameters, "nonce", MAX_NONCE)?;
    check_id_token(response_type, &scope, nonce.is_some())?;
    let code_challenge = match response_type.has_code() {
        true => code_challenge(parameters, client, &scope, nonce.is_some())?,
        false => None,
    };
    let asked = match scope.contains(Scope::OPENID) {
        true => claims_request::asked(parameters, client, offer.catalogue, response_type)?,
        // Without it there is neither an ID token nor UserInfo.
        false => claims_request::Asked::default(),
    };
    let state = parameters.get("state").map(str::to_owned);
    if state.is_none() && client.policy().state == Presence::Required {
        return Err(OAuthError::invalid_request("The client is registered to send a state."));
    }
    Ok(AuthorizationRequest {
        client_id: client.id.clone(),
        redirect_uri: target.uri().to_owned(),
        response_type,
        response_mode,
        state,
        scope: usable(scope, response_type),
        resources,
        nonce,
        code_challenge,
        prompt: prompts(parameters, client, offer)?,
        // OpenID Connect Registration 2: max_age overrides what is registered.
        max_age: max_age(parameters)?.or(client.sign_in.default_max_age),
        login_hint: hint(parameters, "login_hint"),
        subject: asked.subject,
        acr_values: hint(parameters, "acr_values")
            .or_else(|| acr_values(asked.acr.values()))
            .or_else(|| acr_values(&client.sign_in.default_acr_values)),
        essential_acr: asked.acr.into_essential(),
        display: hint(parameters, "display").filter(|display| DISPLAYS.contains(&display.as_str())),
        ui_locales: hint(parameters, "ui_locales"),
        claims_locales: hint(parameters, "claims_locales"),
        claims: asked.claims,
        sent: offer
            .external_pages
            .then(|| parameters.encoded_without(&CREDENTIALS))
            .filter(|sent| sent.len() <= MAX_SENT),
    })
}

/// What the pages may make use of. One that is too long is none.
fn hint(parameters: &Parameters<'_>, name: &str) -> Option<String> {
    parameters.get(name).filter(|hint| hint.len() <= MAX_HINT).map(str::to_owned)
}

fn acr_values(values: &[String]) -> Option<String> {
    if values.is_empty() { None } else { Some(values.join(" ")) }
}

/// Whether the client may still be answered as a checked request asks: a person may have taken long.
pub fn may_still_answer(client: &Client, request: &AuthorizationRequest) -> Result<(), OAuthError> {
    response::must_be_registered(client, request.response_type)?;
    check_grant_type(client, request.response_type)
}

/// OpenID Connect Registration 2: each response type goes with grant types.
fn check_grant_type(client: &Client, response_type: ResponseType) -> Result<(), OAuthError> {
    if response_type.has_code() && !client.may_use(GrantType::AuthorizationCode) {
        let description = "The client is not registered for the authorization code grant.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    if response_type.is_implicit() && !client.may_use(GrantType::Implicit) {
        let description = "The client is not registered for the implicit grant.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    Ok(())
}

/// What an ID token from this endpoint needs.
fn check_id_token(response_type: ResponseType, scope: &ScopeSet, has_nonce: bool) -> Result<(), OAuthError> {
    if !response_type.has_id_token() {
        return Ok(());
    }
    if !scope.contains(Scope::OPENID) {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "An ID token needs the scope openid."));
    }
    // OpenID Connect Core 3.2.2.1, 3.3.2.11: REQUIRED, because nothing else binds the ID token to the request.
    if !has_nonce {
        return Err(OAuthError::invalid_request("A response type with id_token needs a nonce."));
    }
    Ok(())
}

/// OpenID Connect Core 11: offline_access MUST be ignored where no code is returned.
fn usable(scope: ScopeSet, response_type: ResponseType) -> ScopeSet {
    match response_type.has_code() {
        true => scope,
        false => scope.filter(|scope| scope != Scope::OFFLINE_ACCESS),
    }
}

/// OpenID Connect Core 3.1.2.6: what is not understood is refused by its own name.
fn refuse_unsupported(parameters: &Parameters<'_>) -> Result<(), OAuthError> {
    if parameters.get("registration").is_some() {
        let description = "The parameter registration is not supported.";
        return Err(OAuthError::new(ErrorCode::RegistrationNotSupported, description));
    }
    Ok(())
}

fn check_arrival(client: &Client, offer: Offer<'_>, arrival: Arrival) -> Result<(), OAuthError> {
    let own = &client.requests;
    if (offer.must_be_pushed || own.require_pushed_authorization_requests) && !arrival.is_pushed {
        return Err(OAuthError::invalid_request("The request has to be pushed first (RFC 9126)."));
    }
    if (offer.must_be_signed || own.require_signed_request_object) && !arrival.is_signed {
        return Err(OAuthError::invalid_request("The request has to be a signed request object (RFC 9101)."));
    }
    Ok(())
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

fn prompt(parameters: &Parameters<'_>, offer: Offer<'_>) -> Result<Vec<Prompt>, OAuthError> {
    let mut prompts = Vec::new();
    for word in parameters.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
        match Prompt::named(word) {
            // Initiating User Registration 4.1: a value that is not supported SHOULD get invalid_request.
            Some(Prompt::Create) if !offer.external_pages => {
                return Err(OAuthError::invalid_request(NO_SIGN_UP));
            }
            Some(prompt) => prompts.push(prompt),
            None => return Err(OAuthError::invalid_request("A value of prompt is not known.")),
        }
    }
    // OpenID Connect Core 3.1.2.1: none with any other value is an error.
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(OAuthError::invalid_request("prompt=none cannot be combined with another value."));
    }
    Ok(prompts)
}

/// `prompt`, or what the older `approval_prompt` means in its words. Where both are absent, a client may be registered
/// to be asked about each time. An application whose users are never asked is not asked about by this either.
fn prompts(
    parameters: &Parameters<'_>,
    client: &Client,
    offer: Offer<'_>,
) -> Result<Vec<Prompt>, OAuthError> {
    if parameters.get("prompt").is_some() {
        return prompt(parameters, offer);
    }
    let force = match parameters.get("approval_prompt") {
        Some("force") => true,
        Some("auto") => false,
        None => client.policy().consent == ConsentPolicy::Always,
        Some(_) => return Err(OAuthError::invalid_request("approval_prompt is neither force nor auto.")),
    };
    Ok(if force && !client.skips_consent() { vec![Prompt::Consent] } else { Vec::new() })
}

fn max_age(parameters: &Parameters<'_>) -> Result<Option<i64>, OAuthError> {
    let Some(text) = parameters.get("max_age") else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: Option<i64> = text.parse().ok().filter(|_| digits);
    seconds.map(Some).ok_or_else(|| OAuthError::invalid_request("max_age is not a number of seconds."))
}
