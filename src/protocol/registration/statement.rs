//! Software statements: JWTs in which somebody vouches for what an application says of itself (RFC 7591 2.3, 3.1.1).

use serde::Deserialize;
use serde_json::Value;

use super::request::Members;
use crate::crypto::jwks::{KeySet, Unverified};
use crate::model::{AssertionAlgorithm, Timestamp};
use crate::protocol::{ErrorCode, OAuthError, jwt};

/// Seconds that clocks may differ.
const LEEWAY: i64 = 30;

/// A statement whose form is right. Its signature was not looked at yet.
#[derive(Debug)]
pub struct Statement {
    pub issuer: String,
    pub kid: Option<String>,
    algorithm: AssertionAlgorithm,
    signed: String,
    signature: String,
    claims: Members,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl Statement {
    /// Reads what the text alone tells.
    pub fn read(statement: &str, now: Timestamp) -> Result<Self, OAuthError> {
        const NO_JWT: &str =
            "The software statement is not a signed JWT in compact form, of 16 KiB a part at most.";
        let (signed, signature) = statement.rsplit_once('.').ok_or_else(|| invalid(NO_JWT))?;
        let (head, payload) = signed.split_once('.').ok_or_else(|| invalid(NO_JWT))?;
        let header: Header = jwt::part(head).ok_or_else(|| invalid(NO_JWT))?;
        let claims: Members = jwt::part(payload).ok_or_else(|| invalid(NO_JWT))?;
        // RFC 7515 4.1.11: no critical extension is understood here.
        let algorithm = header.alg.parse().ok().filter(|alg: &AssertionAlgorithm| !alg.is_symmetric());
        let algorithm = algorithm.filter(|_| header.crit.is_none());
        let algorithm = algorithm
            .ok_or_else(|| invalid("The software statement's header is not one this server accepts."))?;
        check_times(&claims, now)?;
        // RFC 7591 2.3: it MUST contain an iss.
        let issuer = claims.get("iss").and_then(Value::as_str);
        let issuer = issuer.ok_or_else(|| invalid("The software statement needs iss."))?.to_owned();
        Ok(Self {
            issuer,
            kid: header.kid,
            algorithm,
            signed: signed.to_owned(),
            signature: signature.to_owned(),
            claims,
        })
    }

    /// What it says, if it bears the signature of one of these keys.
    pub fn verified(self, keys: &KeySet) -> Result<Members, OAuthError> {
        match keys.verify(self.algorithm, self.kid.as_deref(), &self.signed, &self.signature) {
            Ok(()) => Ok(self.claims),
            Err(Unverified::Unnamed) => {
                Err(invalid("The software statement's issuer has several keys: name the one in kid."))
            }
            Err(Unverified::ByNoKey) => {
                Err(invalid("The software statement's signature is by no key of its issuer."))
            }
        }
    }
}

/// Puts the claims of a statement over what stands beside it: RFC 7591 2.3, its values MUST take precedence.
pub fn lay_over(given: &mut Members, claims: Members) {
    // RFC 7519 4.1: these say something of the statement, not of the client.
    const OF_THE_JWT: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];
    let about_client =
        |(name, value): &(String, Value)| !OF_THE_JWT.contains(&name.as_str()) && !value.is_null();
    // Nor does it hold in one language only: what is vouched for is not said otherwise in another.
    given.retain(|name, _| name.split_once('#').is_none_or(|(member, _)| !claims.contains_key(member)));
    given.extend(claims.into_iter().filter(about_client));
}

/// RFC 7591 3.2.2: somebody vouches for it whom this server does not know.
pub fn unapproved() -> OAuthError {
    let description = "This server does not believe the issuer of the software statement; ask its operator.";
    OAuthError::new(ErrorCode::UnapprovedSoftwareStatement, description)
}

/// Where the operator wants somebody to vouch for every client.
pub fn missing() -> OAuthError {
    let description =
        "This server registers software only with a software_statement of an issuer it believes.";
    OAuthError::new(ErrorCode::UnapprovedSoftwareStatement, description)
}

/// Its issuer's keys could not be had.
pub fn keyless() -> OAuthError {
    invalid("The keys of the software statement's issuer cannot be had right now; try again later.")
}

/// RFC 7591 3.2.2.
pub fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidSoftwareStatement, description)
}

/// A statement need not end; one that says when it does is held to it.
fn check_times(claims: &Members, now: Timestamp) -> Result<(), OAuthError> {
    // A NumericDate may have a fraction (RFC 7519 2). The cast saturates.
    #[allow(clippy::cast_possible_truncation, reason = "whole seconds are what is compared")]
    let moment = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(Timestamp::from_unix(seconds.floor() as i64))),
            None => Err(invalid("The times of the software statement are not numbers.")),
        },
    };
    if moment("exp")?.is_some_and(|exp| exp.plus(LEEWAY) <= now) {
        return Err(invalid("The software statement has expired."));
    }
    if moment("nbf")?.is_some_and(|nbf| nbf > now.plus(LEEWAY)) {
        return Err(invalid("The software statement's nbf is in the future."));
    }
    Ok(())
}
