//! Public keys of others, as JWK Sets (RFC 7517): which of them verifies a signature, which of them one encrypts to.

mod key;
mod signature;

use serde_json::Value;

use super::jwe::PublicKey;
use crate::model::{AssertionAlgorithm, KeyManagement};
use key::{Key, encryption_key, key, rsa};
use signature::verify;
pub use signature::verify_with_secret;

/// Keys of one set that are looked at: more than anybody rotates through.
const MOST_KEYS: usize = 50;
/// Keys that are tried for one signature: whoever sends it may have chosen the keys, and pays for none of it.
const MOST_TRIED: usize = 4;
/// RFC 7518 6.2.2, 6.3.2, 6.4.1; RFC 8037 2: what makes a key private, or is a shared secret.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of a JWK Set that can be used here.
#[derive(Clone, Default)]
pub struct KeySet {
    verifying: Vec<Key>,
    /// Those that their owner says are for encryption come first.
    encrypting: Vec<PublicKey>,
}

/// The numbers in a key say nothing to a reader of logs.
impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySet({} to verify with, {} to encrypt to)", self.verifying.len(), self.encrypting.len())
    }
}

/// Why a JWK Set is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    #[error("it is not a JWK Set: write {{\"keys\": [...]}} (RFC 7517 5)")]
    NoSet,
    #[error(
        "a key holds the private member \"{0}\": keep private keys private, and give their public halves"
    )]
    Private(&'static str),
    #[error(
        "no key in it can verify a signature or be encrypted to: use RSA of 2048 to 4096 bits with the exponent 65537 (AQAB), EC with P-256 or P-384, or OKP with Ed25519 or X25519"
    )]
    NoKey,
    #[error(
        "an RSA key in it is not of 2048 to 4096 bits with the exponent 65537 (AQAB): make one that is, or use EC with P-256"
    )]
    UnfitRsa,
    #[error("it holds more than {MOST_KEYS} keys")]
    TooMany,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unverified {
    /// No `kid` says which of several keys made it.
    Unnamed,
    /// No key that could have made it did.
    ByNoKey,
}

impl KeySet {
    /// Reads a set. A key of an unknown kind, for something else, or dearer than any has to be is passed over (RFC 7517
    /// 5); a private one refuses the whole set, because whoever published it has to know.
    pub fn read(document: &Value) -> Result<Self, InvalidKeySet> {
        let keys = keys(document)?;
        let verifying: Vec<Key> = keys.iter().filter_map(key).collect();
        let (meant, others): (Vec<&Value>, _) = keys.iter().partition(|key| key["use"] == "enc");
        let encrypting: Vec<PublicKey> = meant.into_iter().chain(others).filter_map(encryption_key).collect();
        if verifying.is_empty() && encrypting.is_empty() {
            return Err(InvalidKeySet::NoKey);
        }
        Ok(Self { verifying, encrypting })
    }

    /// Reads a set that somebody hands over to be kept. They can mend it, so an RSA key that would be passed over refuses
    /// the set.
    pub fn read_handed_over(document: &Value) -> Result<Self, InvalidKeySet> {
        let is_unfit = |jwk: &Value| jwk["kty"] == "RSA" && rsa(jwk).is_none();
        if keys(document)?.iter().any(is_unfit) {
            return Err(InvalidKeySet::UnfitRsa);
        }
        Self::read(document)
    }

    /// Reads a set from JSON.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidKeySet> {
        Self::read(&serde_json::from_slice(json).map_err(|_| InvalidKeySet::NoSet)?)
    }

    /// Whether a signature can be verified with any of them.
    pub fn can_verify(&self) -> bool {
        !self.verifying.is_empty()
    }

    /// Whether a key of this id is here that a signature can be verified with.
    pub fn holds(&self, kid: &str) -> bool {
        self.verifying.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Whether one of the keys made this signature.
    pub fn verify(
        &self,
        algorithm: AssertionAlgorithm,
        kid: Option<&str>,
        signed: &str,
        signature: &str,
    ) -> Result<(), Unverified> {
        let made_it = |key: &&Key| verify(&key.key, algorithm, signed, signature);
        self.meant(algorithm, kid)?.into_iter().find(made_it).map(|_| ()).ok_or(Unverified::ByNoKey)
    }

    /// The keys that may have made a signature: those that `kid` names, or the only one of its kind.
    fn meant(&self, algorithm: AssertionAlgorithm, kid: Option<&str>) -> Result<Vec<&Key>, Unverified> {
        let fits = |key: &&Key| {
            let stated = key.algorithm.as_deref();
            key.family.fits(algorithm) && stated.is_none_or(|stated| stated == algorithm.as_str())
        };
        let named = |key: &&Key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        let meant: Vec<_> = self.verifying.iter().filter(named).filter(fits).take(MOST_TRIED).collect();
        // OpenID Connect Core 10.1: if there are multiple keys, a kid value MUST be provided.
        if kid.is_none() && meant.len() > 1 { Err(Unverified::Unnamed) } else { Ok(meant) }
    }

    /// The key to encrypt to with this algorithm.
    pub fn encryption_key(&self, algorithm: KeyManagement) -> Option<&PublicKey> {
        self.encrypting.iter().find(|key| key.fits(algorithm))
    }
}

/// The keys of a set, none of them private.
fn keys(document: &Value) -> Result<&[Value], InvalidKeySet> {
    let keys = document.get("keys").and_then(Value::as_array).ok_or(InvalidKeySet::NoSet)?;
    if keys.len() > MOST_KEYS {
        return Err(InvalidKeySet::TooMany);
    }
    for key in keys {
        let members = key.as_object().ok_or(InvalidKeySet::NoSet)?;
        if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| members.contains_key(*member)) {
            return Err(InvalidKeySet::Private(member));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::{InvalidKeySet, KeySet, Unverified};
    use crate::model::{AssertionAlgorithm, KeyManagement};

    /// RFC 7517 A.1
    fn ec() -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
    }

    fn with(mut key: Value, member: &str, value: &str) -> Value {
        key[member] = json!(value);
        key
    }

    #[test]
    fn every_private_member_refuses_the_set() {
        for member in super::PRIVATE_MEMBERS {
            let set = json!({"keys": [ec(), with(ec(), member, "AQAB")]});
            assert_eq!(KeySet::read(&set).unwrap_err(), InvalidKeySet::Private(member));
        }
        let shared = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
        assert_eq!(KeySet::read(&shared).unwrap_err(), InvalidKeySet::Private("k"));
    }

    #[test]
    fn a_key_of_another_kind_or_use_is_passed_over() {
        let others = [
            json!({"kty": "new", "kid": "2"}),
            with(ec(), "use", "other"),
            with(ec(), "crv", "P-521"),
            with(ec(), "x", "AAAA"),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
        ];
        for other in &others {
            assert_eq!(KeySet::read(&json!({"keys": [other]})).unwrap_err(), InvalidKeySet::NoKey, "{other}");
            assert!(KeySet::read(&json!({"keys": [other, ec()]})).unwrap().holds("1"));
        }
    }

    #[test]
    fn a_key_is_used_for_what_its_owner_says_and_no_other() {
        let keys = |key: Value| KeySet::read(&json!({"keys": [key]})).unwrap();
        let encrypts = |set: &KeySet| set.encryption_key(KeyManagement::EcdhEs).is_some();
        let verifies = |set: &KeySet| set.holds("1");
        let uses = |key: Value| (verifies(&keys(key.clone())), encrypts(&keys(key)));
        assert_eq!(uses(ec()), (true, true));
        assert_eq!(uses(with(ec(), "use", "enc")), (false, true));
        assert_eq!(uses(with(ec(), "use", "sig")), (true, false));
        assert_eq!(uses(with(ec(), "alg", "ES256")), (true, false));
        let mut operations = ec();
        operations["key_ops"] = json!(["verify"]);
        assert_eq!(uses(operations.clone()), (true, false));
        operations["key_ops"] = json!([]);
        assert_eq!(uses(operations), (false, true));
    }

    #[test]
    fn a_key_that_is_said_to_be_for_encryption_comes_before_one_that_may_be() {
        let set = json!({"keys": [ec(), with(with(ec(), "use", "enc"), "kid", "2")]});
        let set = KeySet::read(&set).unwrap();
        assert_eq!(set.encryption_key(KeyManagement::EcdhEs).unwrap().kid(), Some("2"));
        assert!(set.encryption_key(KeyManagement::RsaOaep).is_none());
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", "null", r#"{"keys": {}}"#, r#"{"keys": [1]}"#, "{\"keys\":"] {
            assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), InvalidKeySet::NoSet, "{text}");
        }
        let many: Vec<Value> = vec![ec(); 51];
        assert_eq!(KeySet::read(&json!({"keys": many})).unwrap_err(), InvalidKeySet::TooMany);
    }

    fn rsa(bits: usize, exponent: &[u8]) -> Value {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "RSA", "kid": "1", "n": encode(&modulus), "e": encode(exponent)})
    }

    #[test]
    fn an_rsa_key_has_2048_to_4096_bits_and_the_exponent_65537() {
        let common: &[u8] = &[1, 0, 1];
        let beyond = [2047, 4097, 8192].map(|bits| rsa(bits, common));
        let odd = [&[3][..], &[1, 0, 3], &[1, 0, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff], &[0xff; 256], &[]];
        for unfit in beyond.into_iter().chain(odd.map(|exponent| rsa(2048, exponent))) {
            let alone = json!({"keys": [unfit]});
            assert_eq!(KeySet::read(&alone).unwrap_err(), InvalidKeySet::NoKey, "{unfit}");
            // Of a fetched set it is passed over, a set that is handed over is refused for it.
            let beside = json!({"keys": [unfit, ec()]});
            assert_eq!(KeySet::read(&beside).unwrap().verifying.len(), 1);
            for set in [alone, beside] {
                assert_eq!(KeySet::read_handed_over(&set).unwrap_err(), InvalidKeySet::UnfitRsa, "{unfit}");
            }
        }
        for bits in [2048, 3072, 4096] {
            let set = json!({"keys": [rsa(bits, common), rsa(bits, &[0, 1, 0, 1])]});
            assert_eq!(KeySet::read_handed_over(&set).unwrap().verifying.len(), 2);
        }
    }

    #[test]
    fn the_dearest_set_costs_four_verifications_at_most() {
        let tried = |keys: &[Value], kid, algorithm: AssertionAlgorithm| {
            let set = KeySet::read(&json!({ "keys": keys })).unwrap();
            set.meant(algorithm, kid).map(|meant| meant.len())
        };
        let of_one_name = vec![rsa(4096, &[1, 0, 1]); 50];
        assert_eq!(tried(&of_one_name, Some("1"), AssertionAlgorithm::PS512), Ok(4));
        assert_eq!(tried(&of_one_name, Some("2"), AssertionAlgorithm::PS512), Ok(0));
        assert_eq!(tried(&vec![ec(); 50], Some("1"), AssertionAlgorithm::ES256), Ok(4));
    }

    #[test]
    fn of_several_keys_that_fit_one_is_named() {
        let meant = |keys: &[Value], algorithm| {
            let set = KeySet::read(&json!({ "keys": keys })).unwrap();
            set.meant(algorithm, None).map(|meant| meant.len())
        };
        let two = [ec(), with(ec(), "kid", "2"), rsa(2048, &[1, 0, 1])];
        assert_eq!(meant(&two, AssertionAlgorithm::ES256), Err(Unverified::Unnamed));
        assert_eq!(meant(&two, AssertionAlgorithm::RS256), Ok(1), "the only one of its kind needs no name");
        let of_other_algorithms =
            ["RS256", "PS256"].map(|algorithm| with(rsa(2048, &[1, 0, 1]), "alg", algorithm));
        assert_eq!(meant(&of_other_algorithms, AssertionAlgorithm::PS256), Ok(1));
    }
}
