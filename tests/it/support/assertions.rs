//! Assertions, made as others make them: every algorithm, and every way to be wrong.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{encoding::AsDer as _, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::random;
use serde_json::{Value, json};

use super::{Answer, Registration, TestServer};

pub const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub const ASYMMETRIC: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// RSA keys that are too long, or whose exponent makes each verification dear.
pub fn dear_rsa_keys() -> Vec<Value> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let key = |(bytes, exponent): (usize, &[u8])| {
        let kid = format!("dear {bytes} {exponent:x?}");
        json!({"kty": "RSA", "kid": kid, "n": encode(&vec![0xff; bytes]), "e": encode(exponent)})
    };
    [(1024, &[1, 0, 1][..]), (513, &[1, 0, 1]), (256, &[1, 0, 3]), (256, &[1, 255, 255, 255, 255])]
        .map(key)
        .to_vec()
}

/// A key and the algorithm it signs with.
pub struct Signer {
    algorithm: &'static str,
    kid: String,
    key: Key,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
    Secret(Vec<u8>),
}

impl Signer {
    /// A new key, whose `kid` is random.
    pub fn new(algorithm: &'static str) -> Self {
        let key = match algorithm {
            "ES256" => Key::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "ES384" => Key::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            "EdDSA" => Key::Ed25519(Ed25519KeyPair::generate().unwrap()),
            _ => Key::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        };
        Self { algorithm, kid: random::id(), key }
    }

    /// The HMAC of a secret.
    pub fn of_secret(algorithm: &'static str, secret: &[u8]) -> Self {
        Self { algorithm, kid: String::new(), key: Key::Secret(secret.to_vec()) }
    }

    /// The same key with another algorithm.
    pub fn with_algorithm(mut self, algorithm: &'static str) -> Self {
        self.algorithm = algorithm;
        self
    }

    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            Key::Ecdsa(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Key::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
            Key::Rsa(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let number = |bytes: &[u8]| encode(bytes);
                json!({"kty": "RSA", "n": number(n.big_endian_without_leading_zero()),
                    "e": number(e.big_endian_without_leading_zero())})
            }
            Key::Secret(_) => panic!("a secret has no public half"),
        };
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// The set of this key alone.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// What an attacker who knows the public key might take for a secret.
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.key {
            Key::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Key::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Key::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Key::Secret(secret) => secret.clone(),
        }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({}), claims)
    }

    /// Signs with these members of the header; null takes one away.
    pub fn sign_with(&self, change: &Value, claims: &Value) -> String {
        let header = merged(json!({"alg": self.algorithm, "typ": "JWT", "kid": self.kid}), change);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Key::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match self.algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Key::Secret(secret) => {
                let hash = match self.algorithm {
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec()
            }
        }
    }
}

/// Replaces members; null takes one away.
pub fn merged(mut value: Value, change: &Value) -> Value {
    let members = value.as_object_mut().unwrap();
    for (name, new) in change.as_object().unwrap() {
        match new {
            Value::Null => members.remove(name),
            _ => members.insert(name.clone(), new.clone()),
        };
    }
    value
}

impl TestServer {
    /// The claims of an assertion that is right in every way; `change` replaces some.
    pub fn assertion_claims(&self, issuer: &str, subject: &str, change: Value) -> Value {
        let now = self.app.now().unix();
        let right = json!({
            "iss": issuer, "sub": subject, "aud": self.issuer(), "jti": random::id(),
            "iat": now, "nbf": now, "exp": now + 60,
        });
        merged(right, &change)
    }

    /// Registers a client of the method private_key_jwt with these keys.
    pub async fn client_with_keys(&self, signer: &Signer, change: Value) -> Registration {
        let metadata = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": signer.jwks()});
        self.client(merged(metadata, &change)).await
    }

    /// Asks for nothing in particular with an assertion.
    pub async fn ask_with(&self, assertion: &str, form: &[(&str, &str)]) -> Answer {
        let mut whole = vec![
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", assertion),
        ];
        whole.extend_from_slice(form);
        self.post("/token", &[], &whole).await
    }
}
