//! Claims that are the server's own word: whoever may add claims to tokens (a mapping, an external consent page, the
//! token hook) must not give these a meaning of their own.

use serde_json::{Map, Value};

/// What the standards define for tokens and for what is said about them (RFC 7519 4.1, RFC 7662 2.2, RFC 7800 3.1,
/// RFC 8693 4, RFC 9068 2.2, RFC 9396 9.1, RFC 9701 5, RFC 9901 4, OpenID Connect Core 2, 3.3.2.11 and 5.6.2, OpenID
/// Connect sessions and logout), and what this server adds.
const RESERVED: [&str; 36] = [
    "_claim_names",
    "_claim_sources",
    "_sd",
    "_sd_alg",
    "acr",
    "act",
    "active",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "events",
    "exchanged",
    "exp",
    "ext",
    "grant",
    "iat",
    "iss",
    "jti",
    "may_act",
    "nbf",
    "nonce",
    "s_hash",
    "scope",
    "sealed_user",
    "sid",
    "sub",
    "sub_jwk",
    "token_introspection",
    "token_type",
    "typ",
];

/// Bytes of JSON that may be added to one token: it travels in a header.
const MOST_BYTES: usize = 4096;
const LONGEST_NAME: usize = 128;

/// What keeps these claims from being added to a token, as a sentence.
pub(crate) fn check_added(claims: &Map<String, Value>) -> Result<(), String> {
    if let Some(name) = claims.keys().find(|name| is_reserved(name)) {
        return Err(format!("the claim {name} is the server's own; choose another name."));
    }
    let json = serde_json::to_string(claims).map_err(|error| error.to_string())?;
    if json.len() > MOST_BYTES {
        return Err(format!("give at most {MOST_BYTES} bytes of JSON."));
    }
    Ok(())
}

/// Whether a claim can be called so.
pub(crate) fn is_name(name: &str) -> bool {
    let shown = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    !name.is_empty() && name.len() <= LONGEST_NAME && shown
}

/// Whether a claim is the server's own word.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{RESERVED, is_reserved};
    use crate::model::{ClientId, Timestamp, TokenId};
    use crate::protocol::claims::{AccessTokenClaims, Actor, Audience, IdTokenClaims, SubjectKind};

    #[test]
    fn reserved_names_are_found_and_others_are_not() {
        assert!(RESERVED.is_sorted());
        assert!(RESERVED.iter().all(|name| is_reserved(name)));
        for name in ["", "Sub", "tenant", "email", "https://acme.example/sub"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    /// A claim that is not reserved could be written twice into one token.
    #[test]
    fn every_claim_that_the_server_writes_itself_is_reserved() {
        let (text, moment) = (String::from("x"), Timestamp::from_unix(1));
        let extra = [("tenant".to_owned(), true.into())].into_iter().collect::<serde_json::Map<_, _>>();
        let access = AccessTokenClaims {
            iss: text.clone(),
            sub: text.clone(),
            aud: Audience::One(text.clone()),
            client_id: ClientId::new("x"),
            iat: moment,
            exp: moment,
            jti: TokenId::new("x"),
            scope: text.clone(),
            grant: Some(crate::model::GrantId::new("x")),
            sid: Some(crate::model::SessionId::new("x")),
            auth_time: Some(moment),
            acr: Some(text.clone()),
            amr: vec![text.clone()],
            act: Some(Actor { sub: text.clone(), act: None }),
            may_act: Some(true.into()),
            exchanged: Some(SubjectKind::User),
            sealed_user: Some(text.clone()),
            ext: extra,
            extra: serde_json::Map::new(),
        };
        let id = IdTokenClaims {
            iss: text.clone(),
            sub: text.clone(),
            aud: ClientId::new("x"),
            iat: moment,
            exp: moment,
            auth_time: moment,
            nonce: Some(text.clone()),
            acr: text.clone(),
            amr: vec![text.clone()],
            at_hash: Some(text.clone()),
            c_hash: Some(text.clone()),
            s_hash: Some(text),
            sid: access.sid.clone(),
            extra: serde_json::Map::new(),
        };
        for document in [serde_json::json!(access), serde_json::json!(id)] {
            for name in document.as_object().unwrap().keys() {
                assert!(is_reserved(name), "{name}");
            }
        }
    }
}
