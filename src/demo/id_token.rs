//! Checking an ID token as an application must (OpenID Connect Core 3.1.3.7).

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// Seconds by which two clocks may differ.
const LEEWAY: u64 = 10;

/// Why an ID token is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unbelievable {
    #[error("the ID token's key is not in the server's JWKS")]
    UnknownKey,
    #[error("the ID token is refused: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    #[error("the ID token is not for this sign-in: its nonce is another one")]
    Nonce,
    #[error("the ID token is about somebody else")]
    Subject,
}

/// What an ID token is held to.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// The one the client is registered with: a token cannot choose how it is checked (RFC 8725 3.1).
    pub algorithm: Algorithm,
    /// The one that was sent, at sign-in.
    pub nonce: Option<&'a str>,
    /// The one from the sign-in, at a refresh (OpenID Connect Core 12.2).
    pub subject: Option<&'a str>,
}

/// The claims of a genuine ID token.
pub(super) fn check(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Value, Unbelievable> {
    let kid = decode_header(token)?.kid.ok_or(Unbelievable::UnknownKey)?;
    let key = DecodingKey::from_jwk(keys.find(&kid).ok_or(Unbelievable::UnknownKey)?)?;
    let mut validation = Validation::new(expected.algorithm);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.leeway = LEEWAY;
    validation.validate_exp = true;
    validation.validate_nbf = true;
    validation.validate_aud = true;
    let claims = decode::<Value>(token, &key, &validation)?.claims;
    if expected.nonce.is_some_and(|nonce| claims["nonce"] != *nonce) {
        return Err(Unbelievable::Nonce);
    }
    if expected.subject.is_some_and(|subject| claims["sub"] != *subject) {
        return Err(Unbelievable::Subject);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::master_key::MasterKey;
    use crate::keys::{KeyRing, TokenType};
    use crate::model::{self, Timestamp};

    const ISSUER: &str = "http://localhost:8080";

    fn expected<'a>() -> Expected<'a> {
        Expected {
            issuer: ISSUER,
            client_id: "demo-app",
            algorithm: Algorithm::ES256,
            nonce: Some("n"),
            subject: None,
        }
    }

    async fn signed(claims: &Value) -> (String, JwkSet) {
        let directory = std::env::temp_dir().join(format!("chancery-demo-{}", crate::crypto::random::id()));
        std::fs::create_dir(&directory).unwrap();
        let db =
            crate::storage::Db::open_sqlite(&directory.join("test.db"), std::time::Duration::from_secs(5))
                .await
                .unwrap();
        db.migrate().await.unwrap();
        let storage = crate::storage::Storage::new(db, 86_400);
        let master = std::sync::Arc::new(MasterKey::parse(&MasterKey::generate()).unwrap());
        let now = Timestamp::from_unix(0);
        let audit = crate::audit::Audit::new(storage.clone(), std::sync::Arc::clone(&master));
        let keeper = crate::keys::Keeper { audit: &audit, actor: crate::audit::Actor::Server };
        crate::keys::ensure(&keeper, &[model::Algorithm::ES256], now).await.unwrap();
        let ring = KeyRing::open(&master, &storage.signing_keys(now).await.unwrap()).unwrap();
        storage.db().close().await;
        std::fs::remove_dir_all(&directory).unwrap();
        let token = ring.sign(TokenType::IdToken, model::Algorithm::ES256, now, claims).unwrap();
        (token, serde_json::from_slice(ring.jwks().plain()).unwrap())
    }

    #[tokio::test]
    async fn every_expectation_is_checked() {
        let good =
            json!({"iss": ISSUER, "sub": "s", "aud": "demo-app", "exp": 4_000_000_000u64, "nonce": "n"});
        let (token, keys) = signed(&good).await;
        assert_eq!(check(&token, &keys, &expected()).unwrap(), good);
        for wrong in [
            Expected { issuer: "http://localhost:9090", ..expected() },
            Expected { client_id: "another", ..expected() },
            Expected { algorithm: Algorithm::RS256, ..expected() },
            Expected { nonce: Some("another"), ..expected() },
            Expected { subject: Some("another"), ..expected() },
        ] {
            assert!(check(&token, &keys, &wrong).is_err());
        }
        assert!(check(&token, &JwkSet { keys: Vec::new() }, &expected()).is_err());
        for (member, value) in [("exp", json!(1)), ("nonce", Value::Null), ("sub", Value::Null)] {
            let mut bad = good.clone();
            bad[member] = value;
            bad.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let (token, keys) = signed(&bad).await;
            assert!(check(&token, &keys, &expected()).is_err(), "{member}");
        }
    }
}
