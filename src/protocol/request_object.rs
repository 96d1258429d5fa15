//! Request objects: authorization requests as JWTs, by value or by reference, signed, or signed and then encrypted to
//! this server (RFC 9101, OpenID Connect Core 6).
//!
//! [`RequestObject::read`] checks everything that the text alone tells; whose signature it bears comes after, and nothing
//! but [`RequestObject::proven`] gives the parameters out.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::{ErrorCode, OAuthError};
use super::jwt;
use super::parameters::Parameters;
use crate::crypto::jwe::Opened;
use crate::crypto::jwks::{KeySet, Unverified};
use crate::model::{AssertionAlgorithm, Client, RequestObjectAlgorithm, Scope, Timestamp};

/// RFC 9126 2.2
const PUSHED: &str = "urn:ietf:params:oauth:request_uri:";
/// RFC 9101 10.8
const MEDIA_TYPE: &str = "oauth-authz-req+jwt";
/// Seconds that clocks may differ.
const LEEWAY: i64 = 30;
/// RFC 7519 4.1: what is about the JWT itself and not about the request.
const ABOUT_THE_JWT: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Where the parameters of an authorization request are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    Parameters,
    /// In a request that was pushed before (RFC 9126 4): the handle in its `request_uri`.
    Pushed(&'a str),
    /// In a request object (RFC 9101 5.1).
    Object(&'a str),
    /// In a request object at this address (RFC 9101 5.2).
    Reference(&'a str),
}

/// Where the parameters of this request are.
pub fn source<'a>(parameters: &'a Parameters<'_>) -> Result<Source<'a>, OAuthError> {
    if parameters.is_repeated("request") || parameters.is_repeated("request_uri") {
        return Err(OAuthError::invalid_request("A parameter was sent more than once."));
    }
    match (parameters.get("request"), parameters.get("request_uri")) {
        (None, None) => Ok(Source::Parameters),
        (Some(object), None) => Ok(Source::Object(object)),
        (None, Some(uri)) => Ok(uri.strip_prefix(PUSHED).map_or(Source::Reference(uri), Source::Pushed)),
        // RFC 9101 5: MUST NOT be used together.
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("Send request or request_uri, not both.")),
    }
}

/// The `request_uri` of a pushed request.
pub fn pushed_uri(handle: &str) -> String {
    format!("{PUSHED}{handle}")
}

/// The address to fetch: a `request_uri` that the client registered (OpenID Connect Registration 2), without the
/// fragment, which only tells caches whether the object has changed.
pub fn registered<'a>(uri: &'a str, client: &Client) -> Result<&'a str, OAuthError> {
    let address = uri.split_once('#').map_or(uri, |(address, _)| address);
    let is_registered = |registered: &String| registered == uri || registered == address;
    if client.requests.request_uris.iter().any(is_registered) {
        return Ok(address);
    }
    Err(invalid_uri("request_uri is not one that is registered for the client."))
}

pub fn invalid_uri(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestUri, description)
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestObject, description)
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A request object whose claims are right. Its signature was not looked at yet.
#[derive(Debug)]
pub struct RequestObject<'a> {
    algorithm: RequestObjectAlgorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: &'a str,
}

/// The parameters of a request object that the client made.
#[derive(Debug)]
pub struct Proven {
    pub parameters: Parameters<'static>,
    pub is_signed: bool,
}

/// Whether it has to be decrypted before it is read: a JWE has five parts, a JWS three (RFC 7516 9).
pub fn is_encrypted(object: &str) -> bool {
    object.matches('.').count() == 4
}

impl<'a> RequestObject<'a> {
    /// Reads what was sent unencrypted and checks all that does not need a key.
    pub fn read(jwt: &'a str, client: &Client, issuer: &str, now: Timestamp) -> Result<Self, OAuthError> {
        if client.requests.request_object_encryption().is_some() {
            return Err(invalid("The client is registered for encrypted request objects; encrypt it."));
        }
        Self::read_jwt(jwt, client, issuer, now)
    }

    /// Reads what was sent encrypted, as far as it opened. One answer stands for all that can keep it from that, so that
    /// nobody learns anything by asking often (RFC 7516 11.5).
    pub fn read_opened(
        opened: Option<&'a Opened>,
        client: &Client,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Self, OAuthError> {
        const CLOSED: &str = "The request object does not open: encrypt a signed JWT, with cty JWT in the header, to the \
            key of use enc at jwks_uri, as the client is registered for.";
        let jwt = opened.and_then(|opened| nested(opened, client)).ok_or_else(|| invalid(CLOSED))?;
        let object = Self::read_jwt(jwt, client, issuer, now)?;
        // RFC 9101 6.1: a nested JWT, so that not everybody who knows the public key can have made it.
        match object.algorithm {
            RequestObjectAlgorithm::Signed(_) => Ok(object),
            RequestObjectAlgorithm::None => {
                Err(invalid("What is in an encrypted request object must be signed."))
            }
        }
    }

    fn read_jwt(jwt: &'a str, client: &Client, issuer: &str, now: Timestamp) -> Result<Self, OAuthError> {
        const NO_JWT: &str = "The request object is not a JWT in compact form, of 16 KiB a part at most.";
        let (signed, signature) = jwt.rsplit_once('.').ok_or_else(|| invalid(NO_JWT))?;
        let (head, payload) = signed.split_once('.').ok_or_else(|| invalid(NO_JWT))?;
        let header: Header = jwt::part(head).ok_or_else(|| invalid(NO_JWT))?;
        let claims: Map<String, Value> = jwt::part(payload).ok_or_else(|| invalid(NO_JWT))?;
        let algorithm = check_header(&header, client)?;
        // OpenID Connect Core 6.1 lets a request be unsigned, RFC 9101 10.2 does not.
        if algorithm == RequestObjectAlgorithm::None && !is_openid(&claims) {
            return Err(invalid(
                "Only an OpenID Connect request may be unsigned: ask for openid, or sign it.",
            ));
        }
        check_claims(&claims, client, issuer)?;
        check_times(&claims, now)?;
        Ok(Self { algorithm, kid: header.kid, claims, signed, signature })
    }

    /// The key that is meant, where a signature has to be checked.
    pub fn needs_key(&self) -> Option<Option<&str>> {
        match self.algorithm {
            RequestObjectAlgorithm::None => None,
            RequestObjectAlgorithm::Signed(_) => Some(self.kid.as_deref()),
        }
    }

    /// The parameters, if the object bears the signature of one of these keys, or needs none.
    pub fn proven(self, keys: Option<&KeySet>) -> Result<Proven, OAuthError> {
        let is_signed = match self.algorithm {
            RequestObjectAlgorithm::None => {
                // RFC 7519 6.1: the signature of an unsecured JWT is the empty text.
                if !self.signature.is_empty() {
                    return Err(invalid("The request object says alg none and has a signature."));
                }
                false
            }
            RequestObjectAlgorithm::Signed(algorithm) => {
                let verify =
                    |keys: &KeySet| keys.verify(algorithm, self.kid.as_deref(), self.signed, self.signature);
                keys.map_or(Err(Unverified::ByNoKey), verify).map_err(|unverified| match unverified {
                    Unverified::Unnamed => invalid("The client has several keys: name the one in kid."),
                    Unverified::ByNoKey => {
                        invalid("The request object is not signed by a key of the client.")
                    }
                })?;
                true
            }
        };
        let parameters = self.claims.into_iter().filter(|(name, _)| !ABOUT_THE_JWT.contains(&name.as_str()));
        Ok(Proven { parameters: Parameters::from_claims(parameters)?, is_signed })
    }
}

/// The JWT in a JWE that is closed as the client registered.
fn nested<'a>(opened: &'a Opened, client: &Client) -> Option<&'a str> {
    let registered = client.requests.request_object_encryption();
    // RFC 7519 5.2: cty MUST be present where the content is a JWT.
    let cty = opened.cty.as_deref()?;
    let is_right = registered.is_none_or(|registered| registered == opened.encryption)
        && jwt::is_type(Some(cty), MEDIA_TYPE);
    std::str::from_utf8(&opened.plain).ok().filter(|_| is_right)
}

fn check_header(header: &Header, client: &Client) -> Result<RequestObjectAlgorithm, OAuthError> {
    // RFC 7515 4.1.11: extensions that are not understood make a JWS invalid; none is here.
    if header.crit.is_some() {
        return Err(invalid("The request object's header has crit; no critical extension is supported."));
    }
    // RFC 9101 10.8, RFC 8725 3.11: a JWT that was made for something else is not a request.
    if !jwt::is_type(header.typ.as_deref(), MEDIA_TYPE) {
        return Err(invalid("The request object's typ is neither oauth-authz-req+jwt nor JWT."));
    }
    let registered = client.requests.request_object_signing_alg;
    let Ok(algorithm) = header.alg.parse::<RequestObjectAlgorithm>() else {
        return Err(invalid(
            "The request object's alg is not one of request_object_signing_alg_values_supported in the metadata.",
        ));
    };
    match (registered, algorithm) {
        (None, RequestObjectAlgorithm::None) => {
            let description = "Unsigned request objects are not supported for this client; sign it.";
            Err(OAuthError::new(ErrorCode::RequestNotSupported, description))
        }
        // OpenID Connect Registration 2: all others MUST be rejected.
        (Some(registered), found) if registered != found => {
            Err(invalid("The request object's alg is not the request_object_signing_alg of the client."))
        }
        (_, found) => Ok(found),
    }
}

fn is_openid(claims: &Map<String, Value>) -> bool {
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    scope.split(' ').any(|name| name == Scope::OPENID)
}

fn check_claims(claims: &Map<String, Value>, client: &Client, issuer: &str) -> Result<(), OAuthError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // RFC 9101 4: request and request_uri MUST NOT be included.
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err(invalid("A request object must not hold request or request_uri."));
    }
    // RFC 9101 6.3: the client_id inside and outside MUST be identical.
    if text("client_id") != Some(client.id.as_str()) {
        return Err(invalid("The request object's client_id is missing or not that of the request."));
    }
    if claims.contains_key("iss") && text("iss") != Some(client.id.as_str()) {
        return Err(invalid("The request object's iss must be the client_id."));
    }
    // RFC 9101 10.8: a JWT by which a client authenticates has its id as sub, a request must not.
    if text("sub") == Some(client.id.as_str()) {
        return Err(invalid("The request object's sub must not be the client_id."));
    }
    let is_ours = match claims.get("aud") {
        None => true,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(issuer)),
        Some(one) => one.as_str() == Some(issuer),
    };
    if is_ours {
        Ok(())
    } else {
        Err(invalid("The request object's aud does not name this server's issuer."))
    }
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), OAuthError> {
    let moment = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => jwt::moment(value)
            .map(Some)
            .ok_or_else(|| invalid("exp, nbf and iat of a request object are numbers of seconds.")),
    };
    let (exp, nbf, iat) = (moment("exp")?, moment("nbf")?, moment("iat")?);
    if exp.is_some_and(|exp| exp.plus(LEEWAY) <= now) {
        return Err(invalid("The request object has expired."));
    }
    if nbf.into_iter().chain(iat).any(|from| from > now.plus(LEEWAY)) {
        return Err(invalid("The request object's nbf or iat is in the future."));
    }
    Ok(())
}

/// The algorithms that request objects may be signed with.
pub fn algorithms() -> impl Iterator<Item = &'static str> {
    let asymmetric = AssertionAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric());
    asymmetric.map(AssertionAlgorithm::as_str)
}
