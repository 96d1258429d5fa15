//! Token exchange (RFC 8693): what is asked, whose tokens a client may bring, who may act for whom, and that nothing
//! becomes more by it.

use serde_json::{Value, json};

use super::claims::{AccessTokenClaims, Actor, Audience};
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::scope;
use crate::model::{Catalogue, Client, Scope, ScopeSet, TokenFormat};

/// RFC 8693 3
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// How many act one for another, at most: each is carried by the token.
const MOST_ACTORS: usize = 4;

/// What kind of token was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// One of this server, in either form.
    AccessToken,
    /// One of this server.
    IdToken,
    /// An access token of this server that is a JWT, or the assertion of a trusted issuer (RFC 7523).
    Jwt,
}

/// A token and what its sender says it is.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'p> {
    pub token: &'p str,
    pub kind: TokenKind,
}

/// What the issued token is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// In whatever form its resource wants.
    AccessToken,
    Jwt,
}

impl Requested {
    /// `issued_token_type` (RFC 8693 2.2.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => ACCESS_TOKEN,
            Self::Jwt => JWT,
        }
    }

    /// Whether a token of this form can be had.
    pub fn must_be_possible(self, format: TokenFormat) -> Result<(), OAuthError> {
        if self == Self::Jwt && format == TokenFormat::Opaque {
            return Err(OAuthError::invalid_request(
                "What the token is for takes opaque tokens; leave out requested_token_type.",
            ));
        }
        Ok(())
    }
}

/// RFC 8693 2.1, beside `resource`, `audience` and `scope`.
#[derive(Debug)]
pub struct Request<'p> {
    pub subject: Presented<'p>,
    /// None: impersonation.
    pub actor: Option<Presented<'p>>,
    pub requested: Requested,
}

impl<'p> Request<'p> {
    pub fn read(parameters: &'p Parameters<'_>) -> Result<Self, OAuthError> {
        let subject = Presented {
            token: parameters.require("subject_token")?,
            kind: kind(parameters.require("subject_token_type")?, "subject_token_type")?,
        };
        let actor = match (parameters.get("actor_token"), parameters.get("actor_token_type")) {
            (None, None) => None,
            (Some(token), Some(name)) => Some(Presented { token, kind: kind(name, "actor_token_type")? }),
            // RFC 8693 2.1: REQUIRED when actor_token is present, and MUST NOT be included when it is not.
            (Some(_), None) | (None, Some(_)) => {
                return Err(OAuthError::invalid_request("Send actor_token and actor_token_type together."));
            }
        };
        let requested = match parameters.get("requested_token_type") {
            None | Some(ACCESS_TOKEN) => Requested::AccessToken,
            Some(JWT) => Requested::Jwt,
            Some(_) => {
                return Err(OAuthError::invalid_request(format!(
                    "requested_token_type must be {ACCESS_TOKEN} or {JWT}."
                )));
            }
        };
        Ok(Self { subject, actor, requested })
    }

    /// What the client is registered for.
    pub fn must_be_allowed(&self, client: &Client) -> Result<(), OAuthError> {
        let policy = client.exchange.policy();
        let description = match self.actor {
            None if !policy.allows_impersonation() => {
                "The client may exchange tokens only to act for their subject by name: send an actor_token."
            }
            Some(_) if !policy.allows_delegation() => {
                "The client may not name an actor: leave out actor_token."
            }
            _ => return Ok(()),
        };
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, description))
    }
}

fn kind(name: &str, parameter: &str) -> Result<TokenKind, OAuthError> {
    match name {
        ACCESS_TOKEN => Ok(TokenKind::AccessToken),
        ID_TOKEN => Ok(TokenKind::IdToken),
        JWT => Ok(TokenKind::Jwt),
        _ => Err(OAuthError::invalid_request(format!(
            "{parameter} must be {ACCESS_TOKEN}, {ID_TOKEN} or {JWT}."
        ))),
    }
}

/// Whether a client may exchange an access token: its own, one that is meant for it, or one of a client that the
/// operator named. Whoever else got hold of a token gets nothing for it.
pub fn may_take(client: &Client, claims: &AccessTokenClaims) -> bool {
    let is_meant = |name: &str| claims.aud.contains(name);
    is_own(client, claims)
        || is_meant(client.id.as_str())
        || client.resource_server.as_deref().is_some_and(is_meant)
        || client.exchange.takes_those_of(&claims.client_id)
}

/// Whether an access token was issued to this client.
pub fn is_own(client: &Client, claims: &AccessTokenClaims) -> bool {
    claims.client_id == client.id
}

/// What a client's own token is for, as names that may be asked for again; nothing for the default audience.
pub fn audience_names(audience: &Audience, client: &Client, issuer: &str) -> Vec<String> {
    if *audience == Audience::of(&client.audience, issuer) {
        return Vec::new();
    }
    audience.iter().map(str::to_owned).collect()
}

/// RFC 8693 2.2.2: what is wrong with a token is not told to who may not have it.
pub fn invalid_token(parameter: &str) -> OAuthError {
    OAuthError::invalid_request(format!(
        "The {parameter} is not of its type, or unknown, expired, revoked, or none that this client may send."
    ))
}

/// What an actor's own token says of who acts: never that it is for somebody else in turn.
pub fn must_act_alone(actor: &AccessTokenClaims) -> Result<(), OAuthError> {
    if actor.act.is_none() {
        return Ok(());
    }
    Err(OAuthError::invalid_request("The actor_token is itself one of somebody who acts for another."))
}

/// RFC 8693 4.4: `may_act` names the party that alone may act for the subject. `acting` is the `sub` of the actor,
/// the client itself where there is no actor token. What is said in words that are not known here counts as no.
pub fn must_be_named(may_act: Option<&Value>, acting: &str, issuer: &str) -> Result<(), OAuthError> {
    let Some(may_act) = may_act else { return Ok(()) };
    let is_named = may_act.as_object().is_some_and(|members| {
        let known = |(name, value): (&String, &Value)| match name.as_str() {
            "sub" => value == acting,
            "iss" => value == issuer,
            _ => false,
        };
        members.contains_key("sub") && members.iter().all(known)
    });
    if is_named {
        return Ok(());
    }
    Err(OAuthError::invalid_request(
        "The subject_token says by may_act that somebody else may act for its subject.",
    ))
}

/// `may_act` of the tokens of a client that is registered with one.
pub fn may_act(client: &Client) -> Option<Value> {
    client.exchange.may_act.as_ref().map(|sub| json!({ "sub": sub }))
}

/// RFC 8693 4.1: the current actor outside, who acted before inside. Impersonation adds nobody and hides nobody.
pub fn act(before: Option<Actor>, actor: Option<String>) -> Result<Option<Actor>, OAuthError> {
    let Some(sub) = actor else { return Ok(before) };
    let act = Actor { sub, act: before.map(Box::new) };
    let depth = std::iter::successors(Some(&act), |actor| actor.act.as_deref()).count();
    if depth > MOST_ACTORS {
        let description = format!("At most {MOST_ACTORS} act one for another.");
        return Err(OAuthError::invalid_request(description));
    }
    Ok(Some(act))
}

/// The scope of the issued token: of what the subject token has, what the client is registered for. `held` is none for
/// an assertion, which has no scope.
pub fn scope(
    held: Option<&ScopeSet>,
    asked: Option<&str>,
    client: &Client,
    catalogue: &Catalogue,
) -> Result<ScopeSet, OAuthError> {
    let invalid = |description: &'static str| OAuthError::new(ErrorCode::InvalidScope, description);
    let of_users = |scope: &str| matches!(scope, Scope::OPENID | Scope::OFFLINE_ACCESS);
    let Some(text) = asked else {
        let strategy = client.policy().scope_strategy;
        let covered = scope::covered_by(strategy, catalogue, &client.scope);
        return Ok(held.map(|held| held.filter(|name| !of_users(name) && covered(name))).unwrap_or_default());
    };
    let asked = scope::asked(text, client, catalogue)?;
    if asked.iter().any(of_users) {
        return Err(invalid("openid and offline_access are for the client that the user signed in to."));
    }
    // By name, whatever the client's strategy: one client's pattern is another's plain word.
    if held.is_some_and(|held| !asked.is_subset(held)) {
        return Err(invalid("A scope is not one of the subject_token's."));
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Request, Requested, TokenKind, act, must_be_named, scope};
    use crate::model::{Catalogue, Client, ScopeSet, TokenFormat};
    use crate::protocol::Parameters;
    use crate::protocol::claims::Actor;

    const TYPE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A";

    fn scopes(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    fn client(strategy: &str) -> Client {
        crate::model::strict(json!({
            "client_id": "app", "client_name": "App", "grant_types": [], "scope": "read openid foo.*",
            "token_endpoint_auth_method": "client_secret_basic", "scope_strategy": strategy,
            "client_id_issued_at": 0,
        }))
    }

    #[test]
    fn the_types_of_section_3_that_the_server_knows_are_read_and_no_others() {
        let read = |form: &str| {
            let form = form.replace("TYPE", TYPE);
            let parameters = Parameters::parse(form.as_bytes()).unwrap();
            Request::read(&parameters).map(|request| (request.subject.kind, request.requested)).ok()
        };
        for (name, kind) in [
            ("access_token", TokenKind::AccessToken),
            ("id_token", TokenKind::IdToken),
            ("jwt", TokenKind::Jwt),
        ] {
            let form = format!("subject_token=x&subject_token_type=TYPE{name}");
            assert_eq!(read(&form), Some((kind, Requested::AccessToken)));
        }
        for (asked, requested) in [("access_token", Requested::AccessToken), ("jwt", Requested::Jwt)] {
            let form = format!("subject_token=x&subject_token_type=TYPEjwt&requested_token_type=TYPE{asked}");
            assert_eq!(read(&form), Some((TokenKind::Jwt, requested)));
        }
        for wrong in [
            "subject_token=x",
            "subject_token_type=TYPEjwt",
            "subject_token=x&subject_token_type=jwt",
            "subject_token=x&subject_token_type=TYPErefresh_token",
            "subject_token=x&subject_token_type=TYPEsaml2",
            "subject_token=x&subject_token_type=TYPEjwt&requested_token_type=TYPEid_token",
            "subject_token=x&subject_token_type=TYPEjwt&requested_token_type=TYPErefresh_token",
            "subject_token=x&subject_token_type=TYPEjwt&actor_token=y",
            "subject_token=x&subject_token_type=TYPEjwt&actor_token_type=TYPEjwt",
            "subject_token=x&subject_token_type=TYPEjwt&actor_token=y&actor_token_type=TYPErefresh_token",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_jwt_cannot_be_had_where_tokens_are_opaque() {
        assert!(Requested::Jwt.must_be_possible(TokenFormat::Opaque).is_err());
        assert!(Requested::Jwt.must_be_possible(TokenFormat::Jwt).is_ok());
        assert!(Requested::AccessToken.must_be_possible(TokenFormat::Opaque).is_ok());
    }

    #[test]
    fn the_current_actor_is_outside_and_impersonation_hides_nobody() {
        let chain = |names: &[&str]| {
            names.iter().rev().fold(None, |act: Option<Actor>, sub| {
                Some(Actor { sub: (*sub).to_owned(), act: act.map(Box::new) })
            })
        };
        assert_eq!(act(None, None).unwrap(), None);
        assert_eq!(act(None, Some("a".into())).unwrap(), chain(&["a"]));
        assert_eq!(act(chain(&["a"]), None).unwrap(), chain(&["a"]));
        assert_eq!(act(chain(&["b", "a"]), Some("c".into())).unwrap(), chain(&["c", "b", "a"]));
        assert!(act(chain(&["c", "b", "a"]), Some("d".into())).is_ok());
        assert!(act(chain(&["d", "c", "b", "a"]), Some("e".into())).is_err());
        assert!(act(chain(&["d", "c", "b", "a"]), None).is_ok());
    }

    #[test]
    fn may_act_admits_who_it_names_and_what_it_says_in_unknown_words_admits_nobody() {
        let admits = |may_act| must_be_named(Some(&may_act), "b", "https://id.example").is_ok();
        assert!(must_be_named(None, "b", "https://id.example").is_ok());
        assert!(admits(json!({"sub": "b"})));
        assert!(admits(json!({"sub": "b", "iss": "https://id.example"})));
        for no in [
            json!({"sub": "c"}),
            json!({"sub": "b", "iss": "https://other.example"}),
            json!({"sub": "b", "email": "b@mail.example"}),
            json!({"sub": ["b"]}),
            json!({"iss": "https://id.example"}),
            json!({}),
            json!("b"),
            json!(null),
        ] {
            assert!(!admits(no.clone()), "{no}");
        }
    }

    #[test]
    fn a_scope_is_held_by_the_token_and_registered_for_the_client() {
        let catalogue = Catalogue::default();
        let of = |strategy: &str, held: Option<&str>, asked: Option<&str>| {
            scope(held.map(scopes).as_ref(), asked, &client(strategy), &catalogue)
                .map(|scope| scope.to_string())
                .ok()
        };
        assert_eq!(of("exact", Some("read write openid"), None).as_deref(), Some("read"));
        assert_eq!(of("exact", Some("write"), None).as_deref(), Some(""));
        assert_eq!(of("exact", Some("read write"), Some("read")).as_deref(), Some("read"));
        for asked in ["write", "read write", "openid", "a\"b"] {
            assert_eq!(of("exact", Some("read write openid"), Some(asked)), None, "{asked}");
        }
        assert_eq!(of("exact", Some("write"), Some("read")), None);
        // A pattern in the token is a word like any other.
        assert_eq!(of("wildcard", Some("foo.*"), Some("foo.bar")), None);
        assert_eq!(of("wildcard", Some("foo.bar"), None).as_deref(), Some("foo.bar"));
        // An assertion holds none: the client's own are the bound.
        assert_eq!(of("exact", None, None).as_deref(), Some(""));
        assert_eq!(of("exact", None, Some("read")).as_deref(), Some("read"));
        assert_eq!(of("exact", None, Some("write")), None);
    }
}
