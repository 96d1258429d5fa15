//! The dearest documents that strangers may send or publish, each read by what the server reads it with: as long as it may be, with
//! as many parts as it may have, and the dearest of each part. Prints their names in the order of their measurements, and how
//! many nanoseconds each took at its quickest, which says something only when the program runs by itself.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::jwe::{self, DecryptionKey, Payload, PublicKey, Recipient};
use chancery::crypto::jwks::KeySet;
use chancery::crypto::master_key::MasterKey;
use chancery::model::{
    Algorithm, Catalogue, Client, ContentEncryption, Encryption, GrantType, KeyManagement, Profiles,
    Timestamp,
};
use chancery::outbound::sector_identifier;
use chancery::protocol::Parameters;
use chancery::protocol::assertion::{Assertion, Expected, Purpose};
use chancery::protocol::authorize::{self, Arrival, Offer};
use chancery::protocol::registration::request::{self, Members, Terms};
use chancery::protocol::registration::statement::{self, Statement};
use chancery::protocol::request_object::RequestObject;
use serde_json::{Value, json};

use crate::{counting_begins, counting_ends};

const ISSUER: &str = "https://id.example";
const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
/// Bytes of a body (`server.max_body_bytes`) and of what is fetched (`outbound.max_bytes`), by default.
const LONGEST: usize = 65_536;
/// Bytes of a request that is stored.
const LONGEST_REQUEST: usize = 16_384;
/// Characters of the claims of a JWT of others.
const LONGEST_CLAIMS: usize = 16_384;
/// Keys of one set, and entries of one list.
const MOST: usize = 50;
/// Bytes of all names in other languages.
const LONGEST_NAMES: usize = 3072;
const KID: &str = "1";

/// Reads each of them so many times.
pub fn measure(times: u32) {
    let mut read = |name: &str, read: &dyn Fn()| {
        read();
        counting_begins();
        let mut quickest = Duration::MAX;
        for _ in 0..times {
            let begun = Instant::now();
            read();
            quickest = quickest.min(begun.elapsed());
        }
        counting_ends();
        println!("{name} {}", quickest.as_nanos());
    };
    key_sets(&mut read);
    signatures(&mut read);
    encrypted(&mut read);
    metadata(&mut read);
    requests(&mut read);
}

type Read<'a> = &'a mut dyn FnMut(&str, &dyn Fn());

fn key_sets(read: Read<'_>) {
    for (name, key) in [
        ("jwks-rsa-4096", rsa()),
        ("jwks-p384", Signer::new(&ECDSA_P384_SHA384_FIXED_SIGNING).jwk()),
        ("jwks-p256", Signer::new(&ECDSA_P256_SHA256_FIXED_SIGNING).jwk()),
    ] {
        let set = filled(json!({"keys": vec![key; MOST]})).to_string();
        let set = set.as_bytes();
        read(name, &|| assert!(KeySet::parse(black_box(set)).expect("the set is accepted").can_verify()));
    }
    let small = small_parts(LONGEST - 300);
    let set = json!({"keys": [Signer::new(&ECDSA_P256_SHA256_FIXED_SIGNING).jwk()], "x": small}).to_string();
    let set = set.as_bytes();
    read("jwks-small-parts", &|| assert!(KeySet::parse(black_box(set)).is_ok()));
}

/// Each with a signature for which four keys are tried, of which the last one made it.
fn signatures(read: Read<'_>) {
    let expected = Expected { issuer: ISSUER, endpoints: &["/token"], now: NOW };
    for (name, signer) in [
        ("assertion-p384", Signer::new(&ECDSA_P384_SHA384_FIXED_SIGNING)),
        ("assertion-p256", Signer::new(&ECDSA_P256_SHA256_FIXED_SIGNING)),
    ] {
        let claims = json!({
            "iss": "app", "sub": "app", "aud": ISSUER, "exp": NOW.unix() + 60, "jti": "1",
            "x": small_parts(LONGEST_CLAIMS * 3 / 4 - 200),
        });
        let (jwt, keys) = (signer.sign(&claims), signer.hidden_among_others());
        read(name, &|| {
            let read = Assertion::read(black_box(&jwt), Purpose::ClientAuthentication, &expected);
            assert!(read.expect("the text is right").is_signed_by(&keys));
        });
    }
    // Nobody has the private keys: it is refused after the last.
    let keys = KeySet::read(&json!({"keys": vec![rsa(); 4]})).expect("the set is accepted");
    let signature = [&[0x7f; 1][..], &[0x55; 511]].concat();
    let claims = json!({"iss": "app", "sub": "app", "aud": ISSUER, "exp": NOW.unix() + 60, "jti": "1"});
    let jwt = compact("RS512", &claims, |_| signature.clone());
    read("assertion-rsa-4096", &|| {
        let read = Assertion::read(black_box(&jwt), Purpose::ClientAuthentication, &expected);
        assert!(!read.expect("the text is right").is_signed_by(&keys));
    });
    let signer = Signer::new(&ECDSA_P384_SHA384_FIXED_SIGNING);
    let claims = json!({"iss": ISSUER, "x": small_parts(LONGEST_CLAIMS * 3 / 4 - 200)});
    let (jwt, keys) = (signer.sign(&claims), signer.hidden_among_others());
    read("software-statement", &|| {
        let statement = Statement::read(black_box(&jwt), NOW).expect("the text is right");
        let mut given = Members::new();
        statement::lay_over(&mut given, statement.verified(&keys).expect("the signature is right"));
    });
}

fn encrypted(read: Read<'_>) {
    let master = MasterKey::parse(&MasterKey::generate()).expect("the master key is right");
    let key = DecryptionKey::derive_all(&master).expect("there is a data key").remove(0);
    let recipient = PublicKey::read(key.jwk(), None).expect("its public half is a key");
    for (name, enc) in [("jwe-cbc", ContentEncryption::A256CbcHs512), ("jwe-gcm", ContentEncryption::A256Gcm)]
    {
        let encryption = Encryption { alg: KeyManagement::EcdhEsA256Kw, enc };
        let plain = vec![b'x'; LONGEST * 3 / 4 - 500];
        let token = jwe::encrypt(encryption, &Recipient::Public(&recipient), Payload::Jwt, &plain);
        let token = token.expect("it is encrypted");
        assert!(token.len() <= LONGEST);
        read(name, &|| assert!(key.decrypt(black_box(&token)).is_some()));
    }
}

fn metadata(read: Read<'_>) {
    for (name, document) in
        [("client-metadata", dear_metadata(LONGEST)), ("client-metadata-scopes", dear_scopes(LONGEST))]
    {
        let body = document.to_string();
        assert!(body.len() <= LONGEST, "{name}: {}", body.len());
        read(name, &|| register(&request::read(black_box(body.as_bytes())).expect("it is metadata")));
    }
    let client = client();
    let mut listed: Vec<&str> = vec![""; (LONGEST - 20_000) / 3];
    listed.extend(client.redirect_uris.iter().map(String::as_str));
    let list = json!(listed).to_string();
    assert!(list.len() <= LONGEST);
    read("sector-identifier", &|| {
        sector_identifier::must_list(black_box(list.as_bytes()), &client).expect("all are in it");
    });
}

fn requests(read: Read<'_>) {
    let client = client();
    let signer = Signer::new(&ECDSA_P384_SHA384_FIXED_SIGNING);
    let keys = signer.hidden_among_others();
    let mut claims = dear_request(&client);
    for (name, value) in [("iss", json!("app")), ("aud", json!(ISSUER)), ("client_id", json!("app"))] {
        claims[name] = value;
    }
    let jwt = signer.sign(&claims);
    read("request-object", &|| {
        let object = RequestObject::read(black_box(&jwt), &client, ISSUER, NOW).expect("the text is right");
        let proven = object.proven(Some(&keys)).expect("the signature is right");
        authorize(&proven.parameters, &client);
    });
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in dear_request(&client).as_object().expect("it is an object") {
        form.append_pair(name, value.as_str().expect("parameters are texts"));
    }
    let form = form.finish();
    read("authorization-request", &|| {
        authorize(&Parameters::parse(black_box(form.as_bytes())).expect("they are parameters"), &client);
    });
}

fn authorize(parameters: &Parameters<'_>, client: &Client) {
    let catalogue = Catalogue::default();
    let target = authorize::prove(parameters, client).expect("the redirect URI is the client's");
    let offer = Offer {
        catalogue: &catalogue,
        implicit: false,
        must_be_pushed: false,
        must_be_signed: false,
        external_pages: false,
    };
    authorize::validate(parameters, client, offer, Arrival::default(), &target)
        .expect("the request is right");
}

fn register(given: &Members) {
    request::client(given, kept(), &terms()).expect("the client is accepted");
}

fn terms() -> Terms {
    Terms {
        scope: scopes(200).parse().expect("they are scopes"),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        id_token_alg: Algorithm::RS256,
        same_host: true,
        profiles: Profiles::default(),
    }
}

fn kept() -> Members {
    let mut kept = Members::new();
    kept.insert("client_id".to_owned(), json!("app"));
    kept.insert("client_id_issued_at".to_owned(), json!(NOW));
    kept
}

fn client() -> Client {
    let metadata = json!({
        "client_id": "app", "client_name": "App", "redirect_uris": uris(MOST, 300),
        "grant_types": ["authorization_code"], "scope": format!("openid {}", scopes(199)),
        "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": NOW,
    });
    let metadata = serde_json::from_value(metadata).expect("it is a client");
    Profiles::default().resolve(metadata).expect("its profile is the strict one")
}

/// All that a request may have, at its longest.
fn dear_request(client: &Client) -> Value {
    let claim = |number: usize| (format!("claim{number:02}"), json!({"essential": true}));
    let claims: serde_json::Map<_, _> = (0..MOST).map(claim).collect();
    let request = json!({
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": client.redirect_uris[MOST - 1],
        "scope": format!("openid {}", scopes(199)),
        "state": "s".repeat(4096),
        "nonce": "n".repeat(1024),
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "claims": json!({"userinfo": claims}).to_string(),
        "ui_locales": "en ".repeat(80),
    });
    assert!(request.to_string().len() <= LONGEST_REQUEST);
    request
}

/// As many URIs as there may be, each of them with a host of many labels that browsers look into, and as many names of
/// letters that are put together and looked up.
fn dear_metadata(bytes: usize) -> Value {
    let all = uris(MOST, (bytes - LONGEST_NAMES - 2000) / (2 * MOST + 4));
    let mut document = json!({
        "client_name": "App", "redirect_uris": all, "post_logout_redirect_uris": all,
        "client_uri": all[0], "logo_uri": all[0], "policy_uri": all[0], "tos_uri": all[0],
    });
    let name = "e\u{301}o\u{308} ".repeat(28);
    for number in 0..LONGEST_NAMES / name.len() {
        document[format!("client_name#x{number}")] = json!(name);
    }
    document
}

fn uris(number: usize, bytes: usize) -> Vec<String> {
    (0..number)
        .map(|number| {
            let mut uri = format!("https://a{number:02}");
            while uri.len() + 40 < bytes.min(240) {
                uri.push_str(".xn--bcher-kva");
            }
            uri.push_str(".example/");
            while uri.len() + 3 <= bytes {
                uri.push_str("%7E");
            }
            uri
        })
        .collect()
}

fn dear_scopes(bytes: usize) -> Value {
    let parts = small_parts(bytes - 5000);
    json!({
        "client_name": "App", "redirect_uris": ["https://app.example/cb"], "scope": scopes(200), "x": parts,
    })
}

fn scopes(number: usize) -> String {
    (0..number).map(|number| format!("scope{number:03}")).collect::<Vec<_>>().join(" ")
}

/// What has the most parts for its length.
fn small_parts(bytes: usize) -> Value {
    Value::Array(vec![json!({"a": {}}); bytes / 9])
}

/// The same set, as long as it may be.
fn filled(mut set: Value) -> Value {
    let left = (LONGEST - 20).saturating_sub(set.to_string().len());
    set["x"] = small_parts(left);
    set
}

/// An RSA key that is as dear as may be. Nobody has its private half.
fn rsa() -> Value {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "RSA", "kid": KID, "n": encode(&[0xff; 512]), "e": encode(&[1, 0, 1])})
}

struct Signer {
    key: EcdsaKeyPair,
}

impl Signer {
    fn new(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        Self { key: EcdsaKeyPair::generate(algorithm).expect("a key is made") }
    }

    fn is_p256(&self) -> bool {
        self.key.public_key().as_ref().len() == 65
    }

    fn jwk(&self) -> Value {
        let point = &self.key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let curve = if self.is_p256() { "P-256" } else { "P-384" };
        json!({"kty": "EC", "crv": curve, "kid": KID, "x": encode(x), "y": encode(y)})
    }

    /// A set in which three others have the same name and come before.
    fn hidden_among_others(&self) -> KeySet {
        let algorithm =
            if self.is_p256() { &ECDSA_P256_SHA256_FIXED_SIGNING } else { &ECDSA_P384_SHA384_FIXED_SIGNING };
        let mut keys: Vec<Value> = (0..3).map(|_| Self::new(algorithm).jwk()).collect();
        keys.push(self.jwk());
        KeySet::read(&json!({ "keys": keys })).expect("the set is accepted")
    }

    fn sign(&self, claims: &Value) -> String {
        compact(if self.is_p256() { "ES256" } else { "ES384" }, claims, |signed| {
            self.key.sign(&SystemRandom::new(), signed).expect("it is signed").as_ref().to_vec()
        })
    }
}

fn compact(algorithm: &str, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": algorithm, "kid": KID})), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    let jwt = format!("{signed}.{signature}");
    assert!(jwt.len() <= LONGEST, "{}", jwt.len());
    jwt
}
