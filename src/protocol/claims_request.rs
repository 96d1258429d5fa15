//! The parameter `claims` (OpenID Connect Core 5.5): single claims about the user, for UserInfo and for the ID token, and
//! what it says of the sign-in by `sub` and `acr`.

use serde_json::{Map, Value};

use super::claims;
use super::error::OAuthError;
use super::parameters::Parameters;
use super::scope::is_covered;
use crate::model::{Catalogue, ClaimsRequest, Client, RequestedClaim, ResponseType, Scope, User};

/// Bytes of the parameter.
const MAX_BYTES: usize = 4096;
/// Claims of one member, and values of one claim.
const MOST: usize = 50;

/// What the parameter asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Asked {
    pub claims: ClaimsRequest,
    /// `sub` by its value: the only user whom the answer may be about.
    pub subject: Option<String>,
    pub acr: Acr,
}

/// What `acr` of the ID token is to be (OpenID Connect Core 5.5.1.1), the best first.
#[derive(Debug, Default, PartialEq)]
pub enum Acr {
    #[default]
    Any,
    Voluntary(Vec<String>),
    Essential(Vec<String>),
}

impl Acr {
    pub fn values(&self) -> &[String] {
        match self {
            Self::Any => &[],
            Self::Voluntary(values) | Self::Essential(values) => values,
        }
    }

    /// The values of which one has to come true; empty: no matter which.
    pub fn into_essential(self) -> Vec<String> {
        match self {
            Self::Essential(values) => values,
            Self::Any | Self::Voluntary(_) => Vec::new(),
        }
    }
}

/// What is asked of one claim (OpenID Connect Core 5.5.1).
#[derive(Debug, Default)]
struct Individual {
    essential: bool,
    /// Empty: it may say anything.
    values: Vec<Value>,
}

type Member = Vec<(String, Individual)>;

/// Reads the parameter, if there is one.
pub fn asked(
    parameters: &Parameters<'_>,
    client: &Client,
    catalogue: &Catalogue,
    response_type: ResponseType,
) -> Result<Asked, OAuthError> {
    let Some(text) = parameters.get("claims") else { return Ok(Asked::default()) };
    if text.len() > MAX_BYTES {
        return Err(OAuthError::invalid_request(format!("claims is longer than {MAX_BYTES} bytes.")));
    }
    let mut members: Map<String, Value> =
        serde_json::from_str(text).or_else(|_| refuse("claims is not a JSON object."))?;
    // OpenID Connect Core 5.5: other members that are not understood MUST be ignored.
    let (userinfo, id_token) = (member(&mut members, "userinfo")?, member(&mut members, "id_token")?);
    // OpenID Connect Core 5.5: with userinfo, the response type MUST be one that results in an access token.
    if !userinfo.is_empty() && response_type == ResponseType::IdToken {
        return refuse(
            "claims asks for claims of UserInfo, and the response type gives no access token for it.",
        );
    }
    Ok(Asked {
        subject: subject(userinfo.iter().chain(&id_token))?,
        acr: acr(&id_token)?,
        claims: ClaimsRequest {
            userinfo: of_user(userinfo, client, catalogue),
            id_token: of_user(id_token, client, catalogue),
        },
    })
}

fn refuse<T>(description: &'static str) -> Result<T, OAuthError> {
    Err(OAuthError::invalid_request(description))
}

/// `userinfo` or `id_token`.
fn member(members: &mut Map<String, Value>, name: &str) -> Result<Member, OAuthError> {
    let claims = match members.remove(name) {
        None | Some(Value::Null) => return Ok(Member::new()),
        Some(Value::Object(claims)) => claims,
        Some(_) => return refuse("claims: userinfo and id_token are objects."),
    };
    if claims.len() > MOST {
        return refuse("claims asks for too many claims.");
    }
    claims.into_iter().map(|(name, value)| Ok((name, individual(value)?))).collect()
}

fn individual(value: Value) -> Result<Individual, OAuthError> {
    let mut asked = match value {
        Value::Null => return Ok(Individual::default()),
        Value::Object(asked) => asked,
        _ => return refuse("claims: ask for a claim by null or an object."),
    };
    let essential = match asked.remove("essential") {
        None => false,
        Some(Value::Bool(essential)) => essential,
        Some(_) => return refuse("claims: essential is true or false."),
    };
    let values = match (asked.remove("value"), asked.remove("values")) {
        (None, None) => Vec::new(),
        (Some(value), None) => vec![value],
        (None, Some(Value::Array(values))) if (1..=MOST).contains(&values.len()) => values,
        (None, Some(_)) => return refuse("claims: values is a list of 1 to 50 values."),
        (Some(_), Some(_)) => return refuse("claims: give value or values, not both."),
    };
    Ok(Individual { essential, values })
}

/// OpenID Connect Core 5.5.1: `sub` with a value is about that user alone.
fn subject<'a>(
    members: impl Iterator<Item = &'a (String, Individual)>,
) -> Result<Option<String>, OAuthError> {
    let subjects = members.filter(|(name, _)| name == "sub");
    let mut values: Vec<&Value> = subjects.flat_map(|(_, asked)| &asked.values).collect();
    values.dedup();
    match values[..] {
        [] => Ok(None),
        [Value::String(subject)] => Ok(Some(subject.clone())),
        _ => refuse("claims: sub has one value, a text."),
    }
}

fn acr(id_token: &Member) -> Result<Acr, OAuthError> {
    let Some((_, asked)) = id_token.iter().find(|(name, _)| name == "acr") else { return Ok(Acr::Any) };
    let texts = asked.values.iter().map(|value| value.as_str().map(str::to_owned));
    let Some(values) = texts.collect::<Option<Vec<String>>>() else {
        return refuse("claims: the values of acr are texts.");
    };
    Ok(match (values.is_empty(), asked.essential) {
        (true, _) => Acr::Any,
        (false, true) => Acr::Essential(values),
        (false, false) => Acr::Voluntary(values),
    })
}

/// The claims about a user that there are, of scopes that the client could ask for as well. Others are left out, as OpenID
/// Connect Core 5.5.1 has it.
fn of_user(member: Member, client: &Client, catalogue: &Catalogue) -> Vec<RequestedClaim> {
    let strategy = client.policy().scope_strategy;
    let known = |(name, asked): (String, Individual)| {
        let scope =
            claims::scope_of(&name).filter(|scope| is_covered(strategy, catalogue, &client.scope, scope))?;
        let scope: Scope = scope.parse().ok()?;
        Some(RequestedClaim { name, scope, values: asked.values })
    };
    member.into_iter().filter_map(known).collect()
}

/// What is known of the user of the claims that were asked for. Of one with values, only if it is one of them.
pub fn answer(requested: &[RequestedClaim], user: &User) -> impl Iterator<Item = (String, Value)> {
    let fits =
        |asked: &RequestedClaim, found: &Value| asked.values.is_empty() || asked.values.contains(found);
    requested.iter().filter_map(move |asked| {
        let found = claims::of_name(user, &asked.name).filter(|found| fits(asked, found))?;
        Some((asked.name.clone(), found))
    })
}

#[cfg(test)]
mod tests {
    use super::{Acr, Asked, asked};
    use crate::model::{Catalogue, ResponseType};
    use crate::protocol::{OAuthError, Parameters};

    fn parsed(claims: &str, response_type: ResponseType) -> Result<Asked, OAuthError> {
        let metadata = serde_json::json!({
            "client_id": "app", "client_name": "App", "grant_types": ["authorization_code"],
            "scope": "openid profile email", "token_endpoint_auth_method": "none", "client_id_issued_at": 0,
        });
        let client = crate::model::strict(metadata);
        let encoded =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("claims", claims).finish();
        let parameters = Parameters::parse(encoded.as_bytes()).unwrap();
        asked(&parameters, &client, &Catalogue::default(), response_type)
    }

    fn read(claims: &str) -> Asked {
        parsed(claims, ResponseType::Code).unwrap()
    }

    fn names(claims: &str) -> (Vec<String>, Vec<String>) {
        let asked = read(claims).claims;
        let names =
            |claims: Vec<crate::model::RequestedClaim>| claims.into_iter().map(|claim| claim.name).collect();
        (names(asked.userinfo), names(asked.id_token))
    }

    #[test]
    fn what_is_not_of_the_form_in_the_standard_is_refused() {
        let many: Vec<String> = (0..51).map(|number| format!("\"c{number}\": null")).collect();
        for bad in [
            "x",
            "[]",
            "null",
            "\"userinfo\"",
            "[{}, {}]",
            "{",
            r#"{"userinfo": []}"#,
            r#"{"id_token": "email"}"#,
            r#"{"userinfo": {"email": true}}"#,
            r#"{"userinfo": {"email": [true]}}"#,
            r#"{"userinfo": {"email": {"essential": "true"}}}"#,
            r#"{"userinfo": {"email": {"values": "a"}}}"#,
            r#"{"userinfo": {"email": {"values": []}}}"#,
            r#"{"userinfo": {"email": {"value": 1, "values": [1]}}}"#,
            r#"{"id_token": {"sub": {"value": 1}}}"#,
            r#"{"id_token": {"sub": {"values": ["a", "b"]}}}"#,
            r#"{"id_token": {"sub": {"value": "a"}}, "userinfo": {"sub": {"value": "b"}}}"#,
            r#"{"id_token": {"acr": {"values": [1]}}}"#,
            &format!("{{\"userinfo\": {{{}}}}}", many.join(", ")),
            &format!("{{\"x\": \"{}\"}}", "x".repeat(4096)),
        ] {
            assert!(parsed(bad, ResponseType::Code).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_and_claims_that_are_not_known_are_ignored() {
        assert_eq!(read("{}"), Asked::default());
        let text = r#"{"userinfo": {"email": {"essential": true, "purpose": "x"}, "http://x.example/y": null, "iss": null},
            "id_token": null, "verified_claims": [1]}"#;
        assert_eq!(names(text), (vec!["email".into()], vec![]));
    }

    #[test]
    fn a_claim_of_a_scope_that_the_client_may_not_ask_for_is_left_out() {
        let text = r#"{"userinfo": {"phone_number": null, "name#de": null}, "id_token": {"groups": null, "email": null}}"#;
        assert_eq!(names(text), (vec!["name#de".into()], vec!["email".into()]));
    }

    #[test]
    fn claims_of_userinfo_need_an_access_token() {
        let text = r#"{"userinfo": {"email": null}}"#;
        assert!(parsed(text, ResponseType::IdToken).is_err());
        assert!(parsed(text, ResponseType::IdTokenToken).is_ok());
    }

    #[test]
    fn sub_and_acr_are_about_the_sign_in() {
        assert_eq!(
            read(r#"{"userinfo": {"sub": {"value": "a"}}, "id_token": {"sub": {"value": "a"}}}"#).subject,
            Some("a".into())
        );
        assert_eq!(read(r#"{"id_token": {"sub": null, "acr": {"essential": true}}}"#), Asked::default());
        let acr = |text: &str| read(text).acr;
        assert_eq!(
            acr(r#"{"id_token": {"acr": {"essential": true, "values": ["2", "1"]}}}"#),
            Acr::Essential(vec!["2".into(), "1".into()])
        );
        assert_eq!(acr(r#"{"id_token": {"acr": {"value": "2"}}}"#), Acr::Voluntary(vec!["2".into()]));
        assert_eq!(acr(r#"{"userinfo": {"acr": {"essential": true, "value": "2"}}}"#), Acr::Any);
    }
}
