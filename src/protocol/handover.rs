//! What external login and consent pages may answer: the names and the meaning of Hydra v1.6, and the rules for them.
//!
//! Members without a meaning here (`force_subject_identifier`, `handled_at`, hints for a log) are accepted, because
//! applications that were written for Hydra send them; any other unknown member is refused.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::OAuthError;
use super::reserved_claims;
use crate::model::{AuthorizationRequest, Client, ScopeSet};

/// OpenID Connect Core 2: `sub` MUST NOT exceed 255 ASCII characters.
const LONGEST_SUBJECT: usize = 255;
const LONGEST_WORD: usize = 100;
const LONGEST_DESCRIPTION: usize = 500;
/// Seconds: ten years.
const LONGEST_REMEMBER: i64 = 315_360_000;

/// The answer of a page, as kept until the browser takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer<T> {
    Accept(T),
    Reject(Rejection),
}

/// Somebody signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptLogin {
    pub subject: String,
    #[serde(default)]
    remember: Option<bool>,
    #[serde(default)]
    remember_for: Option<i64>,
    #[serde(default)]
    acr: Option<String>,
    #[serde(default)]
    amr: Option<Vec<String>>,
    #[serde(default)]
    pub context: Option<Value>,
    #[serde(default, skip_serializing)]
    #[allow(dead_code, reason = "without pairwise subjects it has no effect, in Hydra neither")]
    force_subject_identifier: Option<Value>,
}

/// Somebody allowed the client something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptConsent {
    #[serde(default)]
    grant_scope: Option<Vec<String>>,
    #[serde(default)]
    pub grant_access_token_audience: Option<Vec<String>>,
    #[serde(default)]
    session: Option<SessionClaims>,
    #[serde(default)]
    remember: Option<bool>,
    #[serde(default)]
    remember_for: Option<i64>,
    #[serde(default, skip_serializing)]
    #[allow(dead_code, reason = "the server has a clock")]
    handled_at: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionClaims {
    #[serde(default)]
    access_token: Option<Map<String, Value>>,
    #[serde(default)]
    id_token: Option<Map<String, Value>>,
}

/// The page says no; the client is told why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    error_hint: Option<Value>,
    #[serde(default)]
    status_code: Option<Value>,
    #[serde(default)]
    error_debug: Option<Value>,
}

/// How long something is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembered {
    No,
    Seconds(i64),
    /// A login until the browser closes, a consent until it is taken back.
    Open,
}

fn remembered(remember: Option<bool>, remember_for: Option<i64>) -> Remembered {
    match (remember, remember_for) {
        (Some(true), None | Some(0)) => Remembered::Open,
        (Some(true), Some(seconds)) => Remembered::Seconds(seconds),
        (None | Some(false), _) => Remembered::No,
    }
}

impl AcceptLogin {
    /// Everything that can be said without knowing more than the request. `signed_in` is whose live session made the
    /// login one that can be skipped.
    pub(crate) fn check(&self, signed_in: Option<&str>) -> Result<(), OAuthError> {
        if self.subject.is_empty() || self.subject.len() > LONGEST_SUBJECT || !is_printable(&self.subject) {
            return refuse("subject: give 1 to 255 printable ASCII characters.");
        }
        if signed_in.is_some_and(|signed_in| signed_in != self.subject) {
            return refuse("subject: skip is true, so name the subject that was asked about.");
        }
        check_remember_for(self.remember_for)?;
        let words = self.acr.iter().chain(self.amr.iter().flatten());
        let good = |word: &String| word.len() <= LONGEST_WORD && is_printable(word) && !word.contains(' ');
        if !words.into_iter().all(good) || self.amr.iter().flatten().any(String::is_empty) {
            return refuse("acr, amr: give words of at most 100 printable ASCII characters.");
        }
        Ok(())
    }

    pub(crate) fn remembered(&self) -> Remembered {
        remembered(self.remember, self.remember_for)
    }

    pub(crate) fn acr(&self) -> Option<String> {
        self.acr.clone().filter(|acr| !acr.is_empty())
    }

    /// Space-separated, as sessions keep it.
    pub(crate) fn amr(&self) -> String {
        self.amr.clone().unwrap_or_default().join(" ")
    }
}

impl AcceptConsent {
    pub(crate) fn check(&self, request: &AuthorizationRequest, client: &Client) -> Result<(), OAuthError> {
        let scope = self.scope()?;
        if scope.within(&request.scope).is_empty() {
            return refuse("grant_scope: grant at least one scope of the request, or reject the request.");
        }
        if !scope.is_subset(&request.permissions()) {
            return refuse("grant_scope: a scope is not in requested_scope.");
        }
        let requested = requested_audience(request, client);
        if !self.grant_access_token_audience.iter().flatten().all(|granted| requested.contains(granted)) {
            return refuse("grant_access_token_audience: one is not in requested_access_token_audience.");
        }
        check_remember_for(self.remember_for)?;
        check_claims(self.access_token_claims(), "session.access_token")?;
        check_claims(self.id_token_claims(), "session.id_token")
    }

    /// The granted scopes.
    pub(crate) fn scope(&self) -> Result<ScopeSet, OAuthError> {
        let words = self.grant_scope.iter().flatten();
        let text = words.map(String::as_str).collect::<Vec<_>>().join(" ");
        text.parse().or_else(|_| refuse("grant_scope: a scope holds a character that none may have."))
    }

    pub(crate) fn remembered(&self) -> Remembered {
        remembered(self.remember, self.remember_for)
    }

    pub(crate) fn access_token_claims(&self) -> Option<&Map<String, Value>> {
        self.session.as_ref().and_then(|session| session.access_token.as_ref())
    }

    pub(crate) fn id_token_claims(&self) -> Option<&Map<String, Value>> {
        self.session.as_ref().and_then(|session| session.id_token.as_ref())
    }
}

impl Rejection {
    /// RFC 6749 4.1.2.1: error and error_description MUST NOT hold characters outside %x20-21 / %x23-5B / %x5D-7E.
    pub fn check(&self) -> Result<(), OAuthError> {
        let allowed = |text: &str| is_printable(text) && !text.contains(['"', '\\']);
        if self.error().len() > LONGEST_WORD || !allowed(self.error()) || self.error().contains(' ') {
            return refuse("error: give an error code such as access_denied.");
        }
        if self.description().len() > LONGEST_DESCRIPTION || !allowed(self.description()) {
            return refuse(
                "error_description: give at most 500 printable ASCII characters without quotation marks and backslashes.",
            );
        }
        Ok(())
    }

    pub fn error(&self) -> &str {
        self.error.as_deref().filter(|error| !error.is_empty()).unwrap_or("access_denied")
    }

    pub fn description(&self) -> &str {
        let given = self.error_description.as_deref().filter(|description| !description.is_empty());
        given.unwrap_or("The request was denied.")
    }
}

/// What a page may grant: the resources that were asked for, else the audience of the client's tokens.
pub(crate) fn requested_audience<'a>(request: &'a AuthorizationRequest, client: &'a Client) -> &'a [String] {
    if request.resources.is_empty() { &client.audience } else { &request.resources }
}

/// The authorization request as a URL: as the client sent it, also where it was pushed or in a request object.
pub(crate) fn request_url(issuer: &str, request: &AuthorizationRequest) -> String {
    let rebuilt;
    let query = match &request.sent {
        Some(sent) => sent,
        None => {
            rebuilt = known_parameters(request);
            &rebuilt
        }
    };
    format!("{issuer}/authorize?{query}")
}

/// What is known of a request that is too long to be kept as it was, or is older than its client's external pages.
fn known_parameters(request: &AuthorizationRequest) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_id", request.client_id.as_str());
    query.append_pair("response_type", request.response_type.as_str());
    query.append_pair("response_mode", request.response_mode.as_str());
    query.append_pair("redirect_uri", &request.redirect_uri);
    query.append_pair("scope", &request.scope.to_string());
    let max_age = request.max_age.map(|seconds| seconds.to_string());
    let prompt = request.prompt.iter().map(|prompt| prompt.as_str()).collect::<Vec<_>>().join(" ");
    for (name, value) in [
        ("state", request.state.as_deref()),
        ("nonce", request.nonce.as_deref()),
        ("code_challenge", request.code_challenge.as_deref()),
        ("code_challenge_method", request.code_challenge.as_ref().map(|_| "S256")),
        ("prompt", Some(prompt.as_str()).filter(|prompt| !prompt.is_empty())),
        ("max_age", max_age.as_deref()),
        ("login_hint", request.login_hint.as_deref()),
        ("acr_values", request.acr_values.as_deref()),
        ("display", request.display.as_deref()),
        ("ui_locales", request.ui_locales.as_deref()),
        ("claims_locales", request.claims_locales.as_deref()),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    for uri in &request.resources {
        query.append_pair("resource", uri);
    }
    query.finish()
}

/// `oidc_context`: the hints of the request.
pub(crate) fn oidc_context(request: &AuthorizationRequest) -> Value {
    let mut context = Map::new();
    if let Some(locales) = &request.ui_locales {
        context.insert("ui_locales".into(), json!(locales.split_ascii_whitespace().collect::<Vec<_>>()));
    }
    if let Some(hint) = &request.login_hint {
        context.insert("login_hint".into(), json!(hint));
    }
    if let Some(values) = &request.acr_values {
        context.insert("acr_values".into(), json!(values.split_ascii_whitespace().collect::<Vec<_>>()));
    }
    if let Some(display) = &request.display {
        context.insert("display".into(), json!(display));
    }
    if let Some(subject) = &request.subject {
        context.insert("id_token_hint_claims".into(), json!({"sub": subject}));
    }
    Value::Object(context)
}

/// `requested_scope`, with the scopes of single claims.
pub(crate) fn requested_scope(request: &AuthorizationRequest) -> Vec<String> {
    request.permissions().iter().map(str::to_owned).collect()
}

fn refuse<T>(description: &'static str) -> Result<T, OAuthError> {
    Err(OAuthError::invalid_request(description))
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20..=0x7E))
}

fn check_remember_for(seconds: Option<i64>) -> Result<(), OAuthError> {
    match seconds.unwrap_or_default() {
        0..=LONGEST_REMEMBER => Ok(()),
        _ => refuse("remember_for: give 0 or a number of seconds, at most ten years."),
    }
}

fn check_claims(claims: Option<&Map<String, Value>>, member: &str) -> Result<(), OAuthError> {
    let problem = claims.and_then(|claims| reserved_claims::check_added(claims).err());
    problem.map_or(Ok(()), |problem| Err(OAuthError::invalid_request(format!("{member}: {problem}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(change: Value) -> AcceptLogin {
        let mut body = json!({"subject": "ada"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_subject_is_printable_ascii_of_1_to_255_characters() {
        for good in ["a", "auth0|17", "Ada Lovelace", &"a".repeat(255)] {
            assert!(login(json!({"subject": good})).check(None).is_ok(), "{good}");
        }
        for bad in ["", "ä", "a\n", "a\0", &"a".repeat(256)] {
            assert!(login(json!({"subject": bad})).check(None).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_skipped_login_names_who_was_asked_about() {
        assert!(login(json!({})).check(Some("ada")).is_ok());
        assert!(login(json!({})).check(Some("bob")).is_err());
    }

    #[test]
    fn remember_for_zero_is_open_and_nothing_is_remembered_unasked() {
        let remembered = |change| login(change).remembered();
        assert_eq!(remembered(json!({})), Remembered::No);
        assert_eq!(remembered(json!({"remember_for": 60})), Remembered::No);
        assert_eq!(remembered(json!({"remember": true, "remember_for": 60})), Remembered::Seconds(60));
        for open in [json!({"remember": true}), json!({"remember": true, "remember_for": 0})] {
            assert_eq!(remembered(open), Remembered::Open);
        }
        assert!(login(json!({"remember_for": -1})).check(None).is_err());
    }

    #[test]
    fn null_counts_as_absent_and_a_misspelt_member_is_refused() {
        let nulls = json!({"subject": "a", "remember": null, "remember_for": null, "acr": null, "amr": null,
            "context": null, "force_subject_identifier": ""});
        assert!(serde_json::from_value::<AcceptLogin>(nulls).unwrap().check(None).is_ok());
        let nulls = json!({"grant_scope": null, "session": {"access_token": null}, "handled_at": null});
        assert!(serde_json::from_value::<AcceptConsent>(nulls).is_ok());
        assert!(serde_json::from_value::<AcceptConsent>(json!({"grant_scopes": []})).is_err());
    }

    #[test]
    fn an_answer_is_read_again_as_it_was_kept() {
        let accept = Answer::Accept(login(json!({"remember": true, "amr": ["pwd", "otp"]})));
        let kept = serde_json::to_string(&accept).unwrap();
        assert_eq!(serde_json::from_str::<Answer<AcceptLogin>>(&kept).unwrap(), accept);
    }

    #[test]
    fn a_rejection_is_access_denied_unless_it_says_otherwise() {
        let rejection: Rejection = serde_json::from_value(json!({})).unwrap();
        assert_eq!(rejection.error(), "access_denied");
        for bad in [json!({"error": "a b"}), json!({"error": "\""}), json!({"error_description": "ä"})] {
            assert!(serde_json::from_value::<Rejection>(bad).unwrap().check().is_err());
        }
    }
}
