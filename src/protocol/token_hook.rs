//! The token hook: what a service of the operator is told before tokens are minted, and what it may answer.
//!
//! The envelope (`type`, `timestamp`, `data`) is that of the Standard Webhooks specification. No token, code or secret
//! is ever in it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims::{AccessTokenClaims, IdTokenClaims};
use super::reserved_claims;
use crate::model::{GrantType, Timestamp, User};

const TYPE: &str = "token.issuing";
/// RFC 6749 5.2: what an error_description may be long in reason.
const LONGEST_DESCRIPTION: usize = 500;
const DENIED: &str = "The server's policy does not allow these tokens.";

/// What is sent.
#[derive(Debug, Serialize)]
pub struct Request<'a> {
    r#type: &'static str,
    /// ISO 8601
    timestamp: String,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    grant_type: &'static str,
    client_id: &'a str,
    /// None: the client acts for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    /// The claims so far.
    access_token: &'a AccessTokenClaims,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a IdTokenClaims>,
}

impl<'a> Request<'a> {
    pub fn new(
        grant_type: GrantType,
        user: Option<&'a User>,
        access_token: &'a AccessTokenClaims,
        id_token: Option<&'a IdTokenClaims>,
        now: Timestamp,
    ) -> Self {
        let data = Data {
            grant_type: grant_type.as_str(),
            client_id: access_token.client_id.as_str(),
            username: user.map(|user| user.username.as_str()),
            access_token,
            id_token,
        };
        Self { r#type: TYPE, timestamp: now.to_iso8601(), data }
    }
}

/// What the service says.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Add(Additions),
    /// No tokens, and why, for the developer.
    Deny(String),
}

/// Claims to add; one that is there already is replaced.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Additions {
    #[serde(default)]
    pub access_token: Map<String, Value>,
    /// For the ID token, if there is one.
    #[serde(default)]
    pub id_token: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct Denial {
    #[serde(default)]
    error_description: String,
}

/// Why an answer is none. It says nothing of what is in it but the names of claims.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum InvalidAnswer {
    #[error("it answered {0}; 200 or 204 means yes, 403 means no")]
    Status(u16),
    #[error("its answer is no JSON object of at most the members access_token and id_token")]
    Form,
    #[error("{member}: {problem}")]
    Claims { member: &'static str, problem: String },
}

/// Reads an answer.
pub fn read(status: u16, body: &[u8]) -> Result<Answer, InvalidAnswer> {
    match status {
        204 => Ok(Answer::Add(Additions::default())),
        200 => additions(body).map(Answer::Add),
        403 => Ok(Answer::Deny(description(body))),
        other => Err(InvalidAnswer::Status(other)),
    }
}

fn additions(body: &[u8]) -> Result<Additions, InvalidAnswer> {
    // An object first: a list would pass for a struct. What the service sent is for nobody's log.
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|_| InvalidAnswer::Form)?;
    let additions: Additions =
        serde_json::from_value(Value::Object(object)).map_err(|_| InvalidAnswer::Form)?;
    for (member, claims) in [("access_token", &additions.access_token), ("id_token", &additions.id_token)] {
        check(claims).map_err(|problem| InvalidAnswer::Claims { member, problem })?;
    }
    Ok(additions)
}

fn check(claims: &Map<String, Value>) -> Result<(), String> {
    if claims.iter().any(|(name, value)| !reserved_claims::is_name(name) || value.is_null()) {
        return Err("a claim has a name of 1 to 128 visible characters, and a value.".to_owned());
    }
    reserved_claims::check_added(claims)
}

/// RFC 6749 5.2: error_description MUST NOT hold characters outside %x20-21 / %x23-5B / %x5D-7E.
fn description(body: &[u8]) -> String {
    let given = serde_json::from_slice::<Denial>(body).unwrap_or_default().error_description;
    let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let usable = !given.is_empty() && given.len() <= LONGEST_DESCRIPTION && given.bytes().all(allowed);
    if usable { given } else { DENIED.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Answer, InvalidAnswer, read};

    fn of(body: &str) -> Result<Answer, InvalidAnswer> {
        read(200, body.as_bytes())
    }

    #[test]
    fn claims_are_added_to_either_token_or_to_none() {
        let Ok(Answer::Add(additions)) =
            of(r#"{"access_token":{"tenant":"acme","n":[1]},"id_token":{"a":false}}"#)
        else {
            panic!("refused")
        };
        assert_eq!(json!(additions.access_token), json!({"tenant": "acme", "n": [1]}));
        assert_eq!(json!(additions.id_token), json!({"a": false}));
        assert_eq!(of("{}"), read(204, b"anything"));
        assert!(matches!(of("{}"), Ok(Answer::Add(none)) if none.access_token.is_empty()));
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        for bad in [
            "",
            "null",
            "[]",
            "true",
            "{",
            "{}{}",
            r#"{"access_token":null}"#,
            r#"{"access_token":[]}"#,
            r#"{"access_token":"x"}"#,
            r#"{"id_token":1}"#,
            r#"{"access_tokens":{}}"#,
            r#"{"tenant":"acme"}"#,
            "<html>",
            "\u{feff}{}",
        ] {
            assert!(matches!(of(bad), Err(InvalidAnswer::Form)), "{bad}");
        }
        for status in [100, 199, 201, 202, 301, 400, 401, 404, 429, 500, 503] {
            assert_eq!(read(status, b"{}"), Err(InvalidAnswer::Status(status)));
        }
    }

    #[test]
    fn the_servers_own_claims_and_what_is_no_claim_are_refused() {
        for claims in [
            json!({"sub": "root"}),
            json!({"aud": "x"}),
            json!({"exp": 1}),
            json!({"scope": "admin"}),
            json!({"cnf": {}}),
            json!({"act": {}}),
            json!({"": 1}),
            json!({"a b": 1}),
            json!({"a": null}),
            json!({"long": "x".repeat(4096)}),
        ] {
            for member in ["access_token", "id_token"] {
                let answer = of(&json!({member: claims}).to_string());
                assert!(matches!(answer, Err(InvalidAnswer::Claims { .. })), "{claims}");
            }
        }
    }

    #[test]
    fn a_denial_says_why_in_the_characters_that_an_error_may_have() {
        let denied = |body: &str| read(403, body.as_bytes());
        assert_eq!(
            denied(r#"{"error_description":"Not today."}"#),
            Ok(Answer::Deny("Not today.".to_owned()))
        );
        let long = format!(r#"{{"error_description":"{}"}}"#, "x".repeat(501));
        for body in ["", "no", r#"{"error_description":1}"#, r#"{"error_description":"a\"b"}"#, "{}", &long] {
            assert_eq!(denied(body), Ok(Answer::Deny(super::DENIED.to_owned())), "{body}");
        }
    }
}
