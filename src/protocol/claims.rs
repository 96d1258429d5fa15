//! Claims: of access tokens (RFC 9068 2.2), of ID tokens (OpenID Connect Core 2), of a user by scope (5.4).

use aws_lc_rs::digest::{SHA384, SHA512, digest as sha};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::crypto::digest;
use crate::model::{Algorithm, ClientId, Grant, GrantId, SessionId, Timestamp, TokenId, User};

/// `acr` of a sign-in with one factor. There is no registry; `1` is what most servers say.
pub const ACR_SINGLE_FACTOR: &str = "1";

/// `aud`: one text, or a list of several (RFC 7519 4.1.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// The registered audiences of a client, the issuer where there are none.
    pub fn of(registered: &[String], issuer: &str) -> Self {
        match registered {
            [] => Self::One(issuer.to_owned()),
            [one] => Self::One(one.clone()),
            many => Self::Many(many.to_vec()),
        }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|one| one == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        };
        names.iter().map(String::as_str)
    }
}

/// RFC 9068 2.2, and the grant it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    pub iss: String,
    pub sub: String,
    pub aud: Audience,
    pub client_id: ClientId,
    pub iat: Timestamp,
    pub exp: Timestamp,
    pub jti: TokenId,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// None: a client on its own behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// What an external consent page added, where Hydra has it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub ext: Map<String, Value>,
    /// What the client's `claims_mapping` adds; none of the names above.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl AccessTokenClaims {
    pub fn has_scope(&self, name: &str) -> bool {
        self.scope.split(' ').any(|scope| scope == name)
    }
}

/// OpenID Connect Core 2. `azp` is left out: it is for audiences other than the client alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdTokenClaims {
    pub iss: String,
    pub sub: String,
    pub aud: ClientId,
    pub iat: Timestamp,
    pub exp: Timestamp,
    pub auth_time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    pub acr: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Of what is given out together with it (OpenID Connect Core 3.3.2.11; `s_hash` FAPI 1.0 Advanced 5.1.1). None until
    /// that is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// What the client's `id_token_claims_mapping` and an external consent page add; none of the names above.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How well the user of a grant proved who they are.
pub fn acr(grant: &Grant) -> String {
    grant.context.acr.clone().unwrap_or_else(|| ACR_SINGLE_FACTOR.to_owned())
}

/// RFC 8176 values as the list that tokens carry.
pub fn amr(text: &str) -> Vec<String> {
    text.split(' ').filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// `at_hash`, `c_hash`, `s_hash` (OpenID Connect Core 3.1.3.6, 3.3.2.11): the left half of the hash that the ID token's own
/// algorithm uses.
pub fn left_half(algorithm: Algorithm, text: &str) -> String {
    match algorithm {
        Algorithm::ES256 | Algorithm::RS256 | Algorithm::PS256 => {
            URL_SAFE_NO_PAD.encode(&digest::sha256(text.as_bytes())[..16])
        }
        Algorithm::ES384 => URL_SAFE_NO_PAD.encode(&sha(&SHA384, text.as_bytes()).as_ref()[..24]),
        // Ed25519 hashes with SHA-512 (RFC 8032 5.1).
        Algorithm::EdDSA => URL_SAFE_NO_PAD.encode(&sha(&SHA512, text.as_bytes()).as_ref()[..32]),
    }
}

/// The claims about a user that scopes give access to (OpenID Connect Core 5.4).
pub fn of_user<'s>(user: &User, scopes: impl Iterator<Item = &'s str>) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("sub".into(), user.id.as_str().into());
    for scope in scopes {
        match scope {
            "profile" => add_profile(user, &mut claims),
            "email" => add_contact(&mut claims, "email", user.email.as_deref(), user.email_verified),
            "phone" => {
                let number = user.phone_number.as_deref();
                add_contact(&mut claims, "phone_number", number, user.phone_number_verified);
            }
            "address" => {
                if let Some(address) = &user.profile.address {
                    claims.insert("address".into(), json!(address));
                }
            }
            "groups" => {
                claims.insert("groups".into(), json!(user.groups));
            }
            _ => {}
        }
    }
    claims
}

fn add_profile(user: &User, claims: &mut Map<String, Value>) {
    claims.insert("preferred_username".into(), user.username.as_str().into());
    claims.insert("updated_at".into(), user.updated_at.unix().into());
    let profile = &user.profile;
    for (name, value) in [
        ("name", &profile.name),
        ("given_name", &profile.given_name),
        ("family_name", &profile.family_name),
        ("middle_name", &profile.middle_name),
        ("nickname", &profile.nickname),
        ("profile", &profile.profile),
        ("picture", &profile.picture),
        ("website", &profile.website),
        ("gender", &profile.gender),
        ("birthdate", &profile.birthdate),
        ("zoneinfo", &profile.zoneinfo),
        ("locale", &profile.locale),
    ] {
        if let Some(value) = value {
            claims.insert(name.into(), value.as_str().into());
        }
    }
}

fn add_contact(claims: &mut Map<String, Value>, name: &str, value: Option<&str>, verified: bool) {
    if let Some(value) = value {
        claims.insert(name.into(), value.into());
        claims.insert(format!("{name}_verified"), verified.into());
    }
}

#[cfg(test)]
mod tests {
    use super::left_half;
    use crate::model::Algorithm;

    #[test]
    fn at_hash_is_that_of_the_example_in_the_standard() {
        // OpenID Connect Core appendix A.3
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(left_half(Algorithm::RS256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
