//! The keys of one moment: which signs, which are published, and what their signatures say.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, jwk::Jwk};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::KeyError;
use super::key_pair::KeyPair;
use crate::crypto::jwe::{DecryptionKey, Opened};
use crate::crypto::master_key::MasterKey;
use crate::model::{Algorithm, KeyId, RetiredKey, SigningKey, Timestamp};
use crate::site::prepared::Prepared;

/// What the JOSE `typ` header says a token is, so that one kind never passes for another (RFC 8725 3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// RFC 9068 2.1
    AccessToken,
    /// OpenID Connect Core 2
    IdToken,
    /// RFC 9701 5
    TokenIntrospection,
    /// OpenID Connect Core 5.3.2
    Userinfo,
    /// JARM 2.1. No type is registered for it; it has one of its own so that it never passes for an ID token.
    AuthorizationResponse,
    /// OpenID Connect Back-Channel Logout 2.4
    LogoutToken,
}

impl TokenType {
    const ALL: [Self; 6] = [
        Self::AccessToken,
        Self::IdToken,
        Self::TokenIntrospection,
        Self::Userinfo,
        Self::AuthorizationResponse,
        Self::LogoutToken,
    ];

    /// None: there is no `typ`, because none is registered, and one of our own could be refused by a client.
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::AccessToken => Some("at+jwt"),
            Self::IdToken => Some("JWT"),
            Self::TokenIntrospection => Some("token-introspection+jwt"),
            Self::Userinfo => None,
            Self::AuthorizationResponse => Some("oauth-authz-resp+jwt"),
            Self::LogoutToken => Some("logout+jwt"),
        }
    }
}

/// One key with everything that never changes between two signatures.
struct Entry {
    pair: KeyPair,
    active_from: Timestamp,
    heads: [String; TokenType::ALL.len()],
    verifier: Verifier,
}

/// The public side of a key.
struct Verifier {
    key: DecodingKey,
    algorithm: Algorithm,
}

/// All keys that are published at one moment.
pub struct KeyRing {
    entries: Vec<Arc<Entry>>,
    /// By the encoded JOSE header: the server writes its headers in one way only, so a token whose header is not in
    /// here is not one of ours, whatever it claims.
    by_head: HashMap<String, (TokenType, Arc<Entry>)>,
    /// Of keys that are published no more, by the header of their ID tokens.
    retired: HashMap<String, Verifier>,
    /// The one that is published first.
    decryption: Vec<DecryptionKey>,
    jwks: Prepared,
}

impl KeyRing {
    /// Opens sealed keys, the oldest first.
    pub fn open(master: &MasterKey, keys: &[SigningKey]) -> Result<Self, KeyError> {
        let entries =
            keys.iter().map(|key| entry(master, key).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let mut by_head = HashMap::new();
        for entry in &entries {
            for (kind, head) in TokenType::ALL.into_iter().zip(&entry.heads) {
                by_head.insert(head.clone(), (kind, Arc::clone(entry)));
            }
        }
        let decryption = DecryptionKey::derive_all(master)?;
        let mut published: Vec<_> = entries.iter().map(|entry| entry.pair.jwk()).collect();
        published.extend(decryption.first().map(|key| key.jwk().clone()));
        let jwks = Prepared::new("application/json", json!({ "keys": published }).to_string());
        Ok(Self { entries, by_head, retired: HashMap::new(), decryption, jwks })
    }

    /// The same, with keys that are good for hints only.
    pub fn with_retired(mut self, keys: &[RetiredKey]) -> Result<Self, KeyError> {
        for key in keys {
            let verifier = Verifier::new(key.algorithm, serde_json::from_str(&key.public_key)?)?;
            self.retired.insert(head(key.algorithm, &key.id, TokenType::IdToken), verifier);
        }
        Ok(self)
    }

    /// The JWK Set document.
    pub fn jwks(&self) -> &Prepared {
        &self.jwks
    }

    /// Signs claims with the current key of an algorithm, as a compact JWS (RFC 7515 7.1).
    pub fn sign(
        &self,
        kind: TokenType,
        algorithm: Algorithm,
        now: Timestamp,
        claims: &impl Serialize,
    ) -> Result<String, KeyError> {
        let entry = self.current(algorithm, now).ok_or(KeyError::NoKey(algorithm))?;
        let payload = serde_json::to_vec(claims)?;
        let head = &entry.heads[kind as usize];
        let mut token = String::with_capacity(head.len() + payload.len() * 4 / 3 + 352);
        token.push_str(head);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature = entry.pair.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of a token of this kind that this server signed with a key that is still published. The times in it
    /// are the caller's to check.
    pub fn verify<T: DeserializeOwned>(&self, kind: TokenType, token: &str) -> Option<T> {
        let (head, _) = token.split_once('.')?;
        let (found, entry) = self.by_head.get(head)?;
        if *found == kind { entry.verifier.claims(head, token) } else { None }
    }

    /// The claims of an ID token that is sent as a hint: its key may have been retired since.
    pub fn verify_hint<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        let (head, _) = token.split_once('.')?;
        match self.retired.get(head) {
            Some(verifier) => verifier.claims(head, token),
            None => self.verify(TokenType::IdToken, token),
        }
    }

    /// Opens what somebody encrypted to this server, with the key of `use` `enc` in the JWK Set.
    pub fn decrypt(&self, token: &str) -> Option<Opened> {
        self.decryption.iter().find_map(|key| key.decrypt(token))
    }

    /// Whether a token has a header that this ring writes: one of a key that was taken away has not.
    pub fn knows(&self, token: &str) -> bool {
        token.split_once('.').is_some_and(|(head, _)| self.by_head.contains_key(head))
    }

    /// The key of each algorithm that signs now, and since when it does.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = (Algorithm, Timestamp)> {
        let is_current = move |entry: &&Arc<Entry>| {
            self.current(entry.pair.algorithm, now).is_some_and(|current| std::ptr::eq(current, &***entry))
        };
        self.entries.iter().filter(is_current).map(|entry| (entry.pair.algorithm, entry.active_from))
    }

    /// How many signing keys are published.
    pub fn published(&self) -> usize {
        self.entries.len()
    }

    /// The youngest key of an algorithm whose time has come; before that of the first one, the first.
    fn current(&self, algorithm: Algorithm, now: Timestamp) -> Option<&Entry> {
        let mut of_algorithm = self.entries.iter().filter(|entry| entry.pair.algorithm == algorithm);
        let first = of_algorithm.clone().next();
        of_algorithm.rfind(|entry| entry.active_from <= now).or(first).map(Arc::as_ref)
    }
}

impl Verifier {
    fn new(algorithm: Algorithm, jwk: serde_json::Value) -> Result<Self, KeyError> {
        let jwk: Jwk = serde_json::from_value(jwk)?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| KeyError::Library)?;
        Ok(Self { key, algorithm })
    }

    /// What a token with this header says, if the key signed it.
    fn claims<T: DeserializeOwned>(&self, head: &str, token: &str) -> Option<T> {
        let (signed, signature) = token.rsplit_once('.')?;
        let algorithm = jose_algorithm(self.algorithm);
        let genuine =
            jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, algorithm).ok()?;
        let payload = signed.get(head.len() + 1..).filter(|_| genuine)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

fn entry(master: &MasterKey, key: &SigningKey) -> Result<Entry, KeyError> {
    let pkcs8 = master.open(super::rotation::SEALING_PURPOSE, &key.sealed_private_key)?;
    let pair = KeyPair::from_pkcs8(key.algorithm, &pkcs8)?;
    let verifier = Verifier::new(key.algorithm, pair.jwk())?;
    let heads = TokenType::ALL.map(|kind| head(key.algorithm, &pair.id(), kind));
    Ok(Entry { pair, active_from: key.active_from, heads, verifier })
}

/// The encoded JOSE header. A change of one byte here makes every token of an older version unknown.
fn head(algorithm: Algorithm, id: &KeyId, kind: TokenType) -> String {
    let typ = kind.as_str().map(|typ| format!(r#","typ":"{typ}""#)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","kid":"{id}"{typ}}}"#))
}

fn jose_algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
    use serde_json::{Value, json};

    use super::{KeyRing, TokenType, jose_algorithm};
    use crate::crypto::master_key::MasterKey;
    use crate::keys::rotation::make;
    use crate::model::{Algorithm, Timestamp};

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn ring(algorithms: &[(Algorithm, i64)]) -> KeyRing {
        let master = MasterKey::parse(&MasterKey::generate()).unwrap();
        let keys: Vec<_> = algorithms
            .iter()
            .map(|(algorithm, active_from)| {
                make(&master, *algorithm, NOW, Timestamp::from_unix(*active_from)).unwrap()
            })
            .collect();
        KeyRing::open(&master, &keys).unwrap()
    }

    #[test]
    fn every_algorithm_signs_what_another_implementation_verifies_from_the_jwks() {
        let ring = ring(&Algorithm::ALL.map(|algorithm| (algorithm, 0)));
        let set: JwkSet = serde_json::from_slice(ring.jwks().plain()).unwrap();
        for algorithm in Algorithm::ALL {
            let claims = json!({"sub": "somebody", "exp": NOW.unix()});
            let token = ring.sign(TokenType::AccessToken, algorithm, NOW, &claims).unwrap();
            let header = decode_header(&token).unwrap();
            assert_eq!(header.typ.as_deref(), Some("at+jwt"));
            let key = DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
            let mut validation = Validation::new(jose_algorithm(algorithm));
            validation.validate_exp = false;
            assert_eq!(decode::<Value>(&token, &key, &validation).unwrap().claims, claims, "{algorithm}");
            assert_eq!(ring.verify::<Value>(TokenType::AccessToken, &token), Some(claims));
        }
    }

    #[test]
    fn the_kid_is_the_thumbprint_of_rfc_7638() {
        let ring = ring(&Algorithm::ALL.map(|algorithm| (algorithm, 0)));
        let set: JwkSet = serde_json::from_slice(ring.jwks().plain()).unwrap();
        for jwk in &set.keys {
            let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
            assert_eq!(jwk.common.key_id.as_ref(), Some(&thumbprint));
        }
    }

    #[test]
    fn no_kind_of_token_passes_for_another() {
        let ring = ring(&[(Algorithm::ES256, 0)]);
        for kind in TokenType::ALL {
            let token = ring.sign(kind, Algorithm::ES256, NOW, &json!({"sub": "x"})).unwrap();
            for other in TokenType::ALL {
                assert_eq!(
                    ring.verify::<Value>(other, &token).is_some(),
                    kind == other,
                    "{kind:?}, {other:?}"
                );
            }
        }
    }

    #[test]
    fn a_changed_payload_signature_or_header_is_refused() {
        let ring = ring(&[(Algorithm::ES256, 0), (Algorithm::RS256, 0)]);
        let token = ring.sign(TokenType::AccessToken, Algorithm::ES256, NOW, &json!({"sub": "x"})).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let other = ring.sign(TokenType::AccessToken, Algorithm::RS256, NOW, &json!({"sub": "y"})).unwrap();
        let others: Vec<&str> = other.split('.').collect();
        for forged in [
            format!("{}.{}.{}", parts[0], others[1], parts[2]),
            format!("{}.{}.{}", others[0], parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
            String::new(),
        ] {
            assert!(ring.verify::<Value>(TokenType::AccessToken, &forged).is_none(), "{forged}");
        }
    }

    #[test]
    fn a_new_key_is_published_before_it_signs() {
        let later = NOW.plus(3600);
        let ring = ring(&[(Algorithm::ES256, 0), (Algorithm::ES256, later.unix())]);
        let set: JwkSet = serde_json::from_slice(ring.jwks().plain()).unwrap();
        let kid = |now| {
            let token = ring.sign(TokenType::IdToken, Algorithm::ES256, now, &json!({})).unwrap();
            decode_header(&token).unwrap().kid
        };
        assert_eq!(kid(NOW), set.keys[0].common.key_id);
        assert_eq!(kid(later), set.keys[1].common.key_id);
    }
}
