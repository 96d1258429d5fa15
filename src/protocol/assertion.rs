//! Assertions: JWTs by which a client proves who it is, or another issuer vouches for a user (RFC 7521, RFC 7523 and its
//! revision, draft-ietf-oauth-rfc7523bis).
//!
//! [`Assertion::read`] checks everything that the text alone tells; its answers are the same for every client, known or
//! not, so they can say what is wrong. Whose signature it bears, and whether it was used before, comes after.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::jwt;
use crate::crypto::digest;
use crate::crypto::jwks::{self, KeySet};
use crate::model::{AssertionAlgorithm, AssertionAudience, Secret, Timestamp};

/// Seconds that clocks may differ.
const LEEWAY: i64 = 30;
/// Seconds ahead that an assertion may end at most: it is kept in mind that long.
const LONGEST: i64 = 3600;

/// What an assertion is for. One made for one purpose is worth nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// RFC 7523 2.2
    ClientAuthentication,
    /// RFC 7523 2.1
    AuthorizationGrant,
}

impl Purpose {
    /// `typ` of draft-ietf-oauth-rfc7523bis.
    fn media_type(self) -> &'static str {
        match self {
            Self::ClientAuthentication => "client-authentication+jwt",
            Self::AuthorizationGrant => "authorization-grant+jwt",
        }
    }
}

/// What this server wants to find.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    /// The endpoints that may be the audience too, where [`Assertion::must_suit`] says so: paths below the issuer.
    pub endpoints: &'a [&'a str],
    pub now: Timestamp,
}

/// An assertion whose claims are right. Its signature was not looked at yet.
#[derive(Debug, Clone)]
pub struct Assertion {
    pub issuer: String,
    pub subject: String,
    pub algorithm: AssertionAlgorithm,
    pub kid: Option<String>,
    purpose: Purpose,
    jti: String,
    expires_at: Timestamp,
    /// RFC 8693 4.4
    pub may_act: Option<Value>,
    /// Whether it says that somebody acts for its subject (RFC 8693 4.1).
    pub has_actor: bool,
    signed: String,
    signature: String,
    /// Whether its `aud` is other than the issuer alone.
    names_endpoint: bool,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: Option<String>,
    act: Option<Value>,
    may_act: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What is wrong with an assertion, for its sender.
pub type Refusal = Cow<'static, str>;

impl Assertion {
    /// Reads a JWT and checks all that does not need a key.
    pub fn read(jwt: &str, purpose: Purpose, expected: &Expected<'_>) -> Result<Self, Refusal> {
        const NO_JWT: &str = "The assertion is not a signed JWT in compact form, of 16 KiB a part at most.";
        let (signed, signature) = jwt.rsplit_once('.').ok_or(NO_JWT)?;
        let (head, payload) = signed.split_once('.').ok_or(NO_JWT)?;
        let header: Header = jwt::part(head).ok_or(NO_JWT)?;
        let claims: Claims = jwt::part(payload)
            .ok_or("The claims of the assertion are not what RFC 7519 4.1 says, or longer than 16 KiB.")?;
        let algorithm = check_header(&header, purpose)?;
        let expires_at = check_times(&claims, expected.now)?;
        let names_endpoint = check_audience(claims.aud.as_ref(), expected)?;
        let text = |claim: Option<String>, missing| {
            claim.filter(|text| !text.is_empty() && !text.contains(char::is_control)).ok_or(missing)
        };
        Ok(Self {
            issuer: text(claims.iss, "The assertion needs iss (RFC 7523 3).")?,
            subject: text(claims.sub, "The assertion needs sub (RFC 7523 3).")?,
            algorithm,
            kid: header.kid,
            purpose,
            jti: text(claims.jti, "The assertion needs a jti, a new one each time.")?,
            expires_at,
            may_act: claims.may_act,
            has_actor: claims.act.is_some(),
            signed: signed.to_owned(),
            signature: signature.to_owned(),
            names_endpoint,
        })
    }

    /// Whether its `aud` is one that this client may write.
    pub fn must_suit(&self, accepted: AssertionAudience, issuer: &str) -> Result<(), Refusal> {
        let suits = accepted == AssertionAudience::IssuerOrTokenEndpoint || !self.names_endpoint;
        if suits { Ok(()) } else { Err(wrong_audience(issuer)) }
    }

    /// Whether it bears the signature of one of these keys.
    pub fn is_signed_by(&self, keys: &KeySet) -> bool {
        keys.verify(self.algorithm, self.kid.as_deref(), &self.signed, &self.signature).is_ok()
    }

    /// Whether it bears an HMAC made with this secret.
    pub fn is_signed_with(&self, secret: &Secret) -> bool {
        jwks::verify_with_secret(secret, self.algorithm, &self.signed, &self.signature)
    }

    /// By what its use is remembered: the digest of purpose, issuer and `jti`. An issuer holds no control character, so
    /// no two of them give the same text.
    pub fn id(&self) -> String {
        digest::sha256_base64url(&format!("{}\n{}\n{}", self.purpose.media_type(), self.issuer, self.jti))
    }

    /// The moment it ends, to the second.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Until when its use has to be remembered.
    pub fn remembered_until(&self) -> Timestamp {
        self.expires_at.plus(LEEWAY)
    }
}

fn check_header(header: &Header, purpose: Purpose) -> Result<AssertionAlgorithm, &'static str> {
    // RFC 7515 4.1.11: extensions that are not understood and processed make a JWS invalid; none is here.
    if header.crit.is_some() {
        return Err("The assertion's header has crit; no critical extension is supported.");
    }
    if !jwt::is_type(header.typ.as_deref(), purpose.media_type()) {
        return Err(match purpose {
            Purpose::ClientAuthentication => {
                "The assertion's typ is neither JWT nor client-authentication+jwt."
            }
            Purpose::AuthorizationGrant => "The assertion's typ is neither JWT nor authorization-grant+jwt.",
        });
    }
    header.alg.parse().map_err(|_| {
        "The assertion's alg is not one of token_endpoint_auth_signing_alg_values_supported in the server's metadata."
    })
}

/// RFC 7523 3: exp is REQUIRED, nbf and iat are not.
fn check_times(claims: &Claims, now: Timestamp) -> Result<Timestamp, &'static str> {
    let exp = claims.exp.map(jwt::seconds).ok_or("The assertion needs exp (RFC 7523 3).")?;
    if exp.plus(LEEWAY) <= now {
        return Err("The assertion has expired.");
    }
    if exp > now.plus(LONGEST + LEEWAY) {
        return Err("The assertion's exp is more than an hour ahead.");
    }
    if claims.nbf.map(jwt::seconds).is_some_and(|nbf| nbf > now.plus(LEEWAY)) {
        return Err("The assertion's nbf is in the future.");
    }
    if claims.iat.map(jwt::seconds).is_some_and(|iat| iat > now.plus(LEEWAY)) {
        return Err("The assertion's iat is in the future.");
    }
    Ok(exp)
}

/// draft-ietf-oauth-rfc7523bis: the issuer MUST be the sole value, so that an assertion for one server is worth nothing
/// at another. Older libraries also write the token endpoint, which RFC 7523 3 asked for; whether this one does is
/// returned, and may be accepted once it is known whose it is.
fn check_audience(found: Option<&Audience>, expected: &Expected<'_>) -> Result<bool, Refusal> {
    let values = match found {
        Some(Audience::One(one)) => std::slice::from_ref(one),
        Some(Audience::Many(many)) => many,
        None => &[],
    };
    let ours = |one: &String| {
        let path = one.strip_prefix(expected.issuer);
        path.is_some_and(|path| path.is_empty() || expected.endpoints.contains(&path))
    };
    match values {
        [one] if one == expected.issuer => Ok(false),
        [_, ..] if values.iter().all(ours) => Ok(true),
        _ => Err(wrong_audience(expected.issuer)),
    }
}

fn wrong_audience(issuer: &str) -> Refusal {
    format!("The assertion's aud must be this server's issuer, {issuer}, and nothing else.").into()
}

#[cfg(test)]
mod tests;
