//! The UserInfo answer of an older system, for clients with `userinfo_profile=legacy_hs256`: a JWT that the client checks
//! with its own secret. `sub` is the user's name and `iss` the server's, so it must never pass for a token of
//! OpenID Connect: its `typ` is its own, and nothing here accepts it.

use serde_json::{Map, Value, json};

use super::claims::{self, AccessTokenClaims};
use crate::model::{Algorithm, Timestamp, User};

/// The media type of the JWT (RFC 8725 3.11: explicit typing).
pub(crate) const TYPE: &str = "userinfo+jwt";

/// The claims for the bearer of `access_token`.
pub(crate) fn claims(
    user: &User,
    token: &AccessTokenClaims,
    access_token: &str,
    server_name: &str,
    now: Timestamp,
) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    put("iss", json!(server_name));
    put("sub", json!(user.username));
    put("aud", json!(token.client_id));
    put("iat", json!(now));
    put("nbf", json!(now));
    put("exp", json!(token.exp));
    // OpenID Connect Core 3.1.3.6 with the hash of HS256, which is SHA-256 as that of ES256 is.
    put("at_hash", json!(claims::left_half(Algorithm::ES256, access_token)));
    let profile = &user.profile;
    for (scope, value) in [
        ("email", &user.email),
        ("name", &profile.name),
        ("given_name", &profile.given_name),
        ("family_name", &profile.family_name),
    ] {
        if let Some(value) = value.as_ref().filter(|_| token.has_scope(scope)) {
            put(scope, json!(value));
        }
    }
    if token.has_scope("groups") {
        put("groups", json!(user.groups));
    }
    members
}
