//! Claims: of access tokens (RFC 9068 2.2), of ID tokens (OpenID Connect Core 2), of a user by scope (5.4).

use aws_lc_rs::digest::{SHA384, SHA512, digest as sha};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::crypto::digest;
use crate::model::{Algorithm, ClientId, Grant, GrantId, SessionId, Timestamp, TokenId, User};

/// `acr` of a sign-in with one factor. There is no registry; `1` is what most servers say.
pub(crate) const ACR_SINGLE_FACTOR: &str = "1";

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

/// `act` (RFC 8693 4.1): who acts for the subject, and inside it who acted before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

/// Who a token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    User,
    Client,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Who alone may act for the subject with this token (RFC 8693 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<Value>,
    /// Of a token that was exchanged for another: who it speaks for. It may be a client other than the token's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged: Option<SubjectKind>,
    /// The user of a token without a grant whose `sub` does not tell (`grants/subject.rs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_user: Option<String>,
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

    /// RFC 9068 2.2: without a resource owner, `sub` is the client.
    pub fn subject_kind(&self) -> SubjectKind {
        let names_user = self.grant.is_some() || self.sealed_user.is_some();
        let is_own = !names_user && self.sub == self.client_id.as_str();
        self.exchanged.unwrap_or(if is_own { SubjectKind::Client } else { SubjectKind::User })
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
pub(crate) fn acr(grant: &Grant) -> String {
    acr_of(grant.context.acr.as_deref()).to_owned()
}

/// `acr` of a sign-in: what pages of somebody else said of it, or what ours are worth.
pub(crate) fn acr_of(said: Option<&str>) -> &str {
    said.unwrap_or(ACR_SINGLE_FACTOR)
}

/// What tokens and UserInfo may say of a person and a sign-in (OpenID Connect Discovery 3: `claims_supported`).
pub(crate) const SUPPORTED: &[&str] = &[
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "address",
    "groups",
];

/// RFC 8176 values as the list that tokens carry.
pub(crate) fn amr(text: &str) -> Vec<String> {
    text.split(' ').filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// `at_hash`, `c_hash`, `s_hash` (OpenID Connect Core 3.1.3.6, 3.3.2.11): the left half of the hash that the ID token's own
/// algorithm uses.
pub(crate) fn left_half(algorithm: Algorithm, text: &str) -> String {
    match algorithm {
        Algorithm::ES256 | Algorithm::RS256 | Algorithm::PS256 => {
            URL_SAFE_NO_PAD.encode(&digest::sha256(text.as_bytes())[..16])
        }
        Algorithm::ES384 => URL_SAFE_NO_PAD.encode(&sha(&SHA384, text.as_bytes()).as_ref()[..24]),
        // Ed25519 hashes with SHA-512 (RFC 8032 5.1).
        Algorithm::EdDSA => URL_SAFE_NO_PAD.encode(&sha(&SHA512, text.as_bytes()).as_ref()[..32]),
    }
}

/// The claims about a user that scopes give access to (OpenID Connect Core 5.4), those in a language too where the client
/// asked for it.
pub(crate) fn of_user<'s>(
    subject: String,
    user: &User,
    scopes: impl Iterator<Item = &'s str>,
    claims_locales: Option<&str>,
) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("sub".into(), subject.into());
    for scope in scopes {
        for name in of_scope(scope) {
            if let Some(value) = of_name(user, name) {
                claims.insert((*name).to_owned(), value);
            }
        }
        if let (PROFILE, Some(locales)) = (scope, claims_locales) {
            claims.extend(localized(user, locales));
        }
    }
    claims
}

const PROFILE: &str = "profile";
/// The scopes that give access to claims about a user.
const SCOPES: [&str; 5] = [PROFILE, "email", "phone", "address", "groups"];

/// The scope that gives access to a claim, in whatever language (OpenID Connect Core 5.2, 5.4).
pub(crate) fn scope_of(name: &str) -> Option<&'static str> {
    let name = name.split_once('#').map_or(name, |(name, _)| name);
    SCOPES.into_iter().find(|scope| of_scope(scope).contains(&name))
}

fn of_scope(scope: &str) -> &'static [&'static str] {
    match scope {
        PROFILE => &[
            "name",
            "given_name",
            "family_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
        "email" => &["email", "email_verified"],
        "phone" => &["phone_number", "phone_number_verified"],
        "address" => &["address"],
        "groups" => &["groups"],
        _ => &[],
    }
}

/// One claim about a user by its name, in a language if the name says so (OpenID Connect Core 5.1, 5.2). None: it is not
/// known of them, or of nobody. `sub` is not among them: it depends on the client.
pub(crate) fn of_name(user: &User, name: &str) -> Option<Value> {
    let text = |value: &Option<String>| value.as_deref().map(Value::from);
    let profile = &user.profile;
    match name {
        "name" => text(&profile.name),
        "given_name" => text(&profile.given_name),
        "family_name" => text(&profile.family_name),
        "middle_name" => text(&profile.middle_name),
        "nickname" => text(&profile.nickname),
        "preferred_username" => Some(user.username.as_str().into()),
        "profile" => text(&profile.profile),
        "picture" => text(&profile.picture),
        "website" => text(&profile.website),
        "gender" => text(&profile.gender),
        "birthdate" => text(&profile.birthdate),
        "zoneinfo" => text(&profile.zoneinfo),
        "locale" => text(&profile.locale),
        "updated_at" => Some(user.updated_at.unix().into()),
        "email" => text(&user.email),
        // Said of what is there only.
        "email_verified" => user.email.as_ref().map(|_| user.email_verified.into()),
        "phone_number" => text(&user.phone_number),
        "phone_number_verified" => user.phone_number.as_ref().map(|_| user.phone_number_verified.into()),
        "address" => profile.address.as_ref().map(|address| json!(address)),
        "groups" => Some(json!(user.groups)),
        _ => profile.localized.get(name).map(|text| text.as_str().into()),
    }
}

/// The claims in the languages that were asked for: `de` means `de-AT` too (RFC 4647 3.3.1).
fn localized(user: &User, locales: &str) -> impl Iterator<Item = (String, Value)> {
    let asked = |tag: &str| {
        locales.split_ascii_whitespace().any(|range| {
            let (start, rest) = tag.split_at_checked(range.len()).unwrap_or_default();
            !range.is_empty()
                && start.eq_ignore_ascii_case(range)
                && (rest.is_empty() || rest.starts_with('-'))
        })
    };
    let claims = user.profile.localized.iter();
    let meant = claims.filter(move |(name, _)| name.split_once('#').is_some_and(|(_, tag)| asked(tag)));
    meant.map(|(name, text)| (name.clone(), text.as_str().into()))
}

#[cfg(test)]
mod tests {
    use super::{SCOPES, SUPPORTED, left_half, of_scope};
    use crate::model::Algorithm;

    #[test]
    fn at_hash_is_that_of_the_example_in_the_standard() {
        // OpenID Connect Core appendix A.3
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(left_half(Algorithm::RS256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn every_claim_of_a_scope_is_supported() {
        for scope in SCOPES {
            assert!(!of_scope(scope).is_empty());
            assert!(of_scope(scope).iter().all(|name| SUPPORTED.contains(name)), "{scope}");
        }
    }
}
